"""FastAPI routes of a dialect: every answer and error is in the dialect, is counted and is logged."""

import time
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Annotated, Any

import fastapi
from fastapi import APIRouter, Depends, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.routing import Match
from starlette.types import Scope

from gateway import telemetry
from gateway.core.errors import GatewayError, InternalError
from gateway.dialects._context import Dialect, RequestContext, from_asgi
from gateway.dialects._response import Response, complete
from gateway.operations.observe import Outcome, observe

Endpoint = Callable[..., Awaitable[Response]]
Handler = Callable[[Request], Coroutine[Any, Any, fastapi.Response]]
Condition = Callable[[Scope], bool]

_UNFORESEEN = "The gateway failed. Try again; if it stays, give its operator the request id."


class DialectRouter(APIRouter):
    """Routes whose endpoints take a `Context` and return a `Response`; `dialect` renders what fails."""

    def __init__(self, dialect: Dialect, prefix: str = "") -> None:
        super().__init__(prefix=prefix)
        self.dialect = dialect

    def endpoint(
        self,
        method: str,
        *paths: str,
        **options: Any,  # those of `DialectRoute`
    ) -> Callable[[Endpoint], Endpoint]:
        """Register an endpoint at these paths."""
        options["methods"] = [method, "HEAD"] if method == "GET" else [method]
        route = SharedPathRoute if "only_if" in options else DialectRoute

        def register(endpoint: Endpoint) -> Endpoint:
            self.routes += [route(self.prefix + path, endpoint, dialect=self.dialect, **options) for path in paths]
            return endpoint

        return register


class DialectRoute(APIRoute):
    """FastAPI's route, which renders every failure, also of a dependency, in the dialect.

    https://fastapi.tiangolo.com/how-to/custom-request-and-route/
    `shared_with` is another dialect, for the keys that are marked with it. `body` and `answer` are wire types for
    the OpenAPI document; nothing is read or checked by them here.
    """

    def __init__(
        self,
        path: str,
        endpoint: Endpoint,
        *,
        dialect: Dialect,
        shared_with: Dialect | None = None,
        body: type[BaseModel] | None = None,
        answer: type | None = None,
        **options: Any,  # those of FastAPI's routes
    ) -> None:
        self.dialect = dialect
        self.shared_with = shared_with
        self.body = body
        self.answer = answer
        super().__init__(path, _completed(endpoint), response_model=None, **options)

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def serve(request: Request) -> fastapi.Response:
            return await answer(request, self.dialect, handle)

        return serve


class SharedPathRoute(DialectRoute):
    """A route at a path that two dialects have: it takes the requests that `only_if` accepts."""

    def __init__(self, path: str, endpoint: Endpoint, *, only_if: Condition, **options: Any) -> None:  # as above
        self.only_if = only_if
        super().__init__(path, endpoint, **options)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child_scope = super().matches(scope)
        return (Match.NONE, {}) if match is not Match.NONE and not self.only_if(scope) else (match, child_scope)


async def authenticated(request: Request) -> RequestContext:
    """The request's context, once the caller is known and the region in the path, if any, is this stage's."""
    context: RequestContext = request.state.context
    await context.authenticate()
    context.gateway.check_region(context.path_params.get("region"))
    other: Dialect | None = request.scope["route"].shared_with
    if other and context.caller.dialect == other.name:
        context.dialect = other
    return context


Context = Annotated[RequestContext, Depends(authenticated)]


async def answer(request: Request, dialect: Dialect, handle: Handler) -> fastapi.Response:
    """What `handle` makes of the request, or why it failed, in the dialect; counted and logged."""
    started = time.perf_counter()
    context = from_asgi(
        request.scope,
        await request.body(),
        gateway=request.app.state.gateway,
        dialect=dialect,
        request_id=request.state.request_id,
    )
    request.state.context = context
    telemetry.REQUEST_ID.set(context.request_id)
    response = await _handled(context, request, handle)
    _finish_writes(context)
    duration = time.perf_counter() - started
    observe(_outcome(context, response, duration), context.facts, context.known_caller)
    return response


def _completed(endpoint: Endpoint) -> Callable[..., Awaitable[fastapi.Response]]:
    """The endpoint as FastAPI wants it: with a response that needs no encoding."""

    @wraps(endpoint)
    async def respond(context: RequestContext, **dependencies: Any) -> fastapi.Response:  # whatever it depends on
        return _sent(await complete(context, await endpoint(context, **dependencies)))

    return respond


async def _handled(context: RequestContext, request: Request, handle: Handler) -> fastapi.Response:
    try:
        return await handle(request)
    except GatewayError as error:
        return _sent(await complete(context, context.render(error)))
    except Exception:  # noqa: BLE001  (the last resort: beyond here the client would get plain text)
        telemetry.logger().exception("unforeseen", request_id=context.request_id)
        return _sent(await complete(context, context.render(InternalError(_UNFORESEEN))))


def _sent(response: Response) -> fastapi.Response:
    return fastapi.Response(response.body, status_code=response.status, headers=dict(response.headers))


def _finish_writes(context: RequestContext) -> None:
    """The answer is ready: a failure here must not lose it."""
    for finish in context.pending:
        try:
            finish()
        except Exception:  # noqa: BLE001  (stores report their own failures; this one is unexpected)
            telemetry.logger().exception("unforeseen", request_id=context.request_id)


def _outcome(context: RequestContext, response: fastapi.Response, duration: float) -> Outcome:
    return Outcome(
        request_id=context.request_id,
        dialect=context.dialect.name,
        method=context.method,
        status=response.status_code,
        duration=duration,
        bytes_out=len(response.body),
        error=context.error,
    )
