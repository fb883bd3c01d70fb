"""From a request's context to its answer, wherever the request came from: in the dialect, counted and logged.

Nothing here knows FastAPI: `_router.py` calls it for HTTP, `_lambda_event.py` for an event.
"""

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from gateway import telemetry
from gateway.core.caller import Caller
from gateway.core.errors import AllowanceExhausted, GatewayError, InternalError
from gateway.core.facts import NOTHING_DONE, Facts
from gateway.dialects._context import UNFORESEEN, Dialect, RequestContext
from gateway.dialects._response import Response, complete
from gateway.operations.observe import Outcome, observe

Endpoint = Callable[[RequestContext], Awaitable[Response]]

_CALLERS_FAULTS = range(400, 500)
"""Of these HTTP statuses."""


async def answer(context: RequestContext, endpoint: Endpoint, *, to_anybody: bool = False) -> Response:
    """What the endpoint answers, or why it failed, ready to be sent. It is asked for callers whose key is good.

    Raises nothing: whatever fails, there is an answer, a line in the log, and an end to every write.
    """
    started = time.perf_counter()
    telemetry.REQUEST_ID.set(context.request_id)
    try:
        response = await _completed(context, endpoint, to_anybody=to_anybody)
    except Exception:  # noqa: BLE001  (the last resort: not even an error could be rendered)
        context.error = InternalError.__name__
        response = _last_words(context.dialect, context.request_id)
    finally:  # also when the request is cancelled
        _finish_writes(context)
    _observe(_outcome(context, response, time.perf_counter() - started), context.facts, context.known_caller)
    return response


def answer_unforeseen(dialect: Dialect, request_id: str, method: str) -> Response:
    """The answer to an exception outside every context; to be called where it is caught."""
    response = _last_words(dialect, request_id)
    outcome = Outcome(
        request_id=request_id,
        dialect=dialect.name,
        method=method,
        status=response.status,
        duration=0.0,
        bytes_out=len(response.body),
        error=InternalError.__name__,
    )
    _observe(outcome, NOTHING_DONE, None)
    return response


def _last_words(dialect: Dialect, request_id: str) -> Response:
    """What the dialect says when nothing can be relied on: it was rendered when the dialect was made."""
    _report_unforeseen(request_id)
    said = dialect.last_words
    headers = {"x-request-id": request_id, "content-type": "application/json", "content-length": str(len(said.body))}
    return Response(body=said.body, status=said.status, headers={**said.headers, **headers})


def _report_unforeseen(request_id: str) -> None:
    """Log the exception that is being handled."""
    with suppress(Exception):  # a log that cannot be written must not cost the answer
        telemetry.logger().exception("unforeseen", request_id=request_id)


async def _completed(context: RequestContext, endpoint: Endpoint, *, to_anybody: bool) -> Response:
    try:
        if not to_anybody:
            await context.authenticate()
        return await complete(context, await endpoint(context))
    except GatewayError as error:
        return await complete(context, await _refusal(context, error))
    except Exception:  # noqa: BLE001  (beyond here the client would get plain text)
        _report_unforeseen(context.request_id)
        return await complete(context, context.render(InternalError(UNFORESEEN)))


async def _refusal(context: RequestContext, error: GatewayError) -> Response:
    """The error as the dialect writes it. A request refused for its own fault counts, too, if it can still be counted.

    If it cannot, because the workspace's requests are used up, that is the answer.
    """
    refusal = context.render(error)
    if isinstance(error, AllowanceExhausted) or refusal.status not in _CALLERS_FAULTS:
        return refusal
    try:
        await context.count_refused()
    except AllowanceExhausted as exhausted:
        return context.render(exhausted)
    except Exception:  # noqa: BLE001  (the caller's fault is what the caller must hear of)
        _report_unforeseen(context.request_id)
    return refusal


def _finish_writes(context: RequestContext) -> None:
    """The answer is ready: a failure here must not lose it."""
    for finish in context.pending:
        try:
            finish()
        except Exception:  # noqa: BLE001  (stores report their own failures; this one is unexpected)
            _report_unforeseen(context.request_id)


def _observe(outcome: Outcome, facts: Facts, caller: Caller | None) -> None:
    try:
        observe(outcome, facts, caller)
    except Exception:  # noqa: BLE001  (nor must a failure here)
        _report_unforeseen(outcome.request_id)


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
