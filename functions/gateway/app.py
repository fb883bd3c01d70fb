"""The whole HTTP interface. Layers that a request passes, outermost first:

1. `functions/api.py`: Mangum makes an ASGI request of API Gateway's event.
2. `OutermostMiddleware`: the request gets its id, every answer carries it, and no failure goes unanswered.
3. CORS, where pages of other origins are allowed: it answers preflight requests, which belong to no dialect.
4. FastAPI's routes: the dialects in the order of `ROUTERS`, then the OpenAPI page, `/` and `/health`.
5. `dialects/_router.py`: every route makes the request's context, which knows no FastAPI.
6. `dialects/_answer.py`: who asks, and whether the region in the path is here; renders failures, writes the log line.
7. The dialect's endpoint: wire model → core → operation → wire; then headers, gzip, size (`dialects/_response.py`).

What no route takes (`unmatched`: unknown paths, wrong methods) is answered in the likeliest dialect.
"""

import re
from collections.abc import Sequence
from typing import NoReturn

from fastapi import FastAPI, Request, Response
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway import front_door, openapi
from gateway.core.errors import GatewayError, MethodNotAllowed, ResourceNotFound
from gateway.core.shown import shown
from gateway.dialects import azure, azure_openai, ctyun, gemini, gemini_models, openai
from gateway.dialects._answer import answer, answer_unforeseen
from gateway.dialects._context import Dialect, RequestContext, request_id_of
from gateway.dialects._response import Response as DialectResponse
from gateway.dialects._router import DialectRoute, context_of, to_fastapi
from gateway.operations.gateway import Gateway

_NEEDLESS_SLASHES = re.compile(r"/(?=/|$)")

NOT_FOUND, METHOD_NOT_ALLOWED = 404, 405

# OpenAI's come last: Azure's `/openai/deployments/{deployment}/…` must be tried before its `/openai/{region}/…`, and
# Gemini's, which look at the credential, before its `/v1/models`.
ROUTERS = (gemini.router, gemini_models.router, azure.router, azure_openai.router, ctyun.router, openai.router)

DIALECT_BY_PREFIX: tuple[tuple[str, Dialect], ...] = (
    ("/v1beta", gemini.DIALECT),
    ("/v1/tunedModels", gemini.DIALECT),
    ("/gemini", gemini.DIALECT),
    ("/upload", gemini.DIALECT),
    ("/ctyun", ctyun.DIALECT),
    ("/v1/embeddings", openai.DIALECT),
    ("/api/public/openai", openai.DIALECT),
    ("/openai", azure_openai.DIALECT),
    ("/embeddings", azure.DIALECT),
    ("/images", azure.DIALECT),
    ("/models", azure.DIALECT),
    ("/info", azure.DIALECT),
)
"""For paths that no route has: the first prefix that matches whole segments of the path.

Langdock's `/openai/{region}`, one for each stage, are tried before these."""

EXPOSED_HEADERS = (
    "retry-after",
    "retry-after-ms",
    "x-gateway-cache-hits",
    "x-gateway-cache-misses",
    "x-gateway-route",
    "x-gateway-tokens-billed",
    "x-gateway-tokens-estimated",
    "x-ms-error-code",
    "x-ratelimit-limit-requests",
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-requests",
    "x-ratelimit-reset-tokens",
    "x-request-id",
    "x-should-retry",
)
"""What a page of an allowed origin may read."""


def create_app(gateway: Gateway, *, cors_origins: Sequence[str] = ()) -> FastAPI:
    """The whole HTTP interface on these operations, open to web pages of these origins."""
    app = FastAPI(title="Embeddings gateway", openapi_url=None, redirect_slashes=False)
    app.state.gateway = gateway
    for router in ROUTERS:
        # `include_router` would make, and analyse, every route a second time.
        app.router.routes.extend(router.routes)
    app.router.routes.sort(key=_rank)
    app.router.routes.extend([*openapi.routes, *front_door.routes])
    app.add_exception_handler(NOT_FOUND, unmatched)
    app.add_exception_handler(METHOD_NOT_ALLOWED, unmatched)
    if cors_origins:
        add_cors(app, cors_origins)
    app.add_middleware(OutermostMiddleware)
    return app


def _rank(route: BaseRoute) -> tuple[bool, bool]:
    """Fixed paths first: they are faster to find, and no template may match one. Lists are asked for seldom."""
    if not isinstance(route, DialectRoute):
        return False, False
    return "{" in route.path, "GET" in (route.methods or ())


def add_cors(app: FastAPI, origins: Sequence[str]) -> None:
    """Let web pages of these origins call."""
    from starlette.middleware.cors import CORSMiddleware  # noqa: PLC0415  (few stages have pages for callers)

    app.add_middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["GET", "POST", "PATCH", "DELETE"],
        allow_headers=["*"],
        expose_headers=EXPOSED_HEADERS,
        max_age=3600,
    )


class OutermostMiddleware:
    """Gives every request an id, `request.state.request_id`, and every answer the header `x-request-id`.

    Whatever is raised below it, the client gets an answer that it can read.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = request_id_of(scope.get("aws.context"))
        scope.setdefault("state", {})["request_id"] = request_id
        has_begun = False

        async def send_with_id(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                MutableHeaders(scope=message).setdefault("x-request-id", request_id)
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except Exception:
            if has_begun:
                raise
            await to_fastapi(_last_resort(scope, request_id))(scope, receive, send_with_id)


def _last_resort(scope: Scope, request_id: str) -> DialectResponse:
    """The answer to what was raised outside the dialects' routes; to be called where it is caught."""
    try:
        dialect = _dialect_of(Request(scope))
    except Exception:  # noqa: BLE001  (it may be this very thing that fails)
        dialect = openai.DIALECT
    return answer_unforeseen(dialect, request_id, scope["method"])


async def unmatched(request: Request, exception: Exception) -> Response:
    """The answer to an unknown path or a wrong method."""
    dialect = _dialect_of(request)

    async def refuse(_: RequestContext) -> NoReturn:
        raise _cause(request, exception, dialect)

    return to_fastapi(await answer(await context_of(request, dialect), refuse, to_anybody=True))


def _cause(request: Request, exception: Exception, dialect: Dialect) -> GatewayError:
    method = shown(request.method)
    # An unknown verb in POST models/m:verb is a 404, not a 405, although a model may have that name.
    if isinstance(exception, HTTPException) and exception.status_code == METHOD_NOT_ALLOWED and not _has_verb(request):
        allowed = sorted((exception.headers or {}).get("Allow", "").split(", "))
        usual = [method for method in allowed if method != "HEAD"]
        return MethodNotAllowed(f"{method} is not allowed here; use {' or '.join(usual)}.", allowed=allowed)
    path = shown(request.scope["path"])
    return ResourceNotFound(f"There is nothing at {method} {path}. There is: {', '.join(dialect.paths)}.")


def _has_verb(request: Request) -> bool:
    return request.method == "POST" and ":" in request.url.path.rpartition("/")[2]


def _dialect_of(request: Request) -> Dialect:
    """The dialect that owns the path, or else the one that its prefix or the credential suggests.

    Slashes too many say nothing about who asks.
    """
    request = Request({**request.scope, "path": _NEEDLESS_SLASHES.sub("", request.scope["path"]) or "/"})
    if request.url.path.startswith("/v1/models/") and _has_verb(request):
        return gemini.DIALECT
    return _owner(request) or _suggested(request) or _likeliest(request)


def _owner(request: Request) -> Dialect | None:
    for router in ROUTERS:
        if any(route.matches(request.scope)[0] is not Match.NONE for route in router.routes):
            return router.dialect
    return None


def _suggested(request: Request) -> Dialect | None:
    path, regions = request.url.path, request.app.state.gateway.stages
    for prefix, dialect in (*((f"/openai/{region}", openai.DIALECT) for region in regions), *DIALECT_BY_PREFIX):
        if path == prefix or path.startswith(f"{prefix}/"):
            return dialect
    return None


def _likeliest(request: Request) -> Dialect:
    if gemini.has_googles_credential(request.scope):
        return gemini.DIALECT
    return azure.DIALECT if "api-key" in request.headers else openai.DIALECT
