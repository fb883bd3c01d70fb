"""From a request's context to its answer, wherever the request came from: in the dialect, counted and logged.

Nothing here knows FastAPI: `_router.py` calls it for HTTP, `_lambda_event.py` for an event.
"""

import time
from collections.abc import Awaitable, Callable

from gateway import telemetry
from gateway.core.errors import GatewayError, InternalError
from gateway.dialects._context import RequestContext
from gateway.dialects._response import Response, complete
from gateway.operations.observe import Outcome, observe

Endpoint = Callable[[RequestContext], Awaitable[Response]]

_UNFORESEEN = "The gateway failed. Try again; if it stays, give its operator the request id."


async def answer(context: RequestContext, endpoint: Endpoint, *, to_anybody: bool = False) -> Response:
    """What the endpoint answers, or why it failed, ready to be sent. It is asked for callers whose key is good."""
    started = time.perf_counter()
    telemetry.REQUEST_ID.set(context.request_id)
    response = await _completed(context, endpoint, to_anybody=to_anybody)
    _finish_writes(context)
    duration = time.perf_counter() - started
    observe(_outcome(context, response, duration), context.facts, context.known_caller)
    return response


async def _completed(context: RequestContext, endpoint: Endpoint, *, to_anybody: bool) -> Response:
    try:
        if not to_anybody:
            await context.authenticate()
        return await complete(context, await endpoint(context))
    except GatewayError as error:
        return await complete(context, context.render(error))
    except Exception:  # noqa: BLE001  (the last resort: beyond here the client would get plain text)
        telemetry.logger().exception("unforeseen", request_id=context.request_id)
        return await complete(context, context.render(InternalError(_UNFORESEEN)))


def _finish_writes(context: RequestContext) -> None:
    """The answer is ready: a failure here must not lose it."""
    for finish in context.pending:
        try:
            finish()
        except Exception:  # noqa: BLE001  (stores report their own failures; this one is unexpected)
            telemetry.logger().exception("unforeseen", request_id=context.request_id)


def _outcome(context: RequestContext, response: Response, duration: float) -> Outcome:
    return Outcome(
        request_id=context.request_id,
        dialect=context.dialect.name,
        method=context.method,
        status=response.status,
        duration=duration,
        bytes_out=len(response.body),
        error=context.error,
    )
