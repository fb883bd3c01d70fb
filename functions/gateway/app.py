"""The app: dialects on operations. Whatever falls outside a route is answered in the likeliest dialect."""

from collections.abc import Sequence
from functools import lru_cache

from fastapi import FastAPI, Request, Response
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway import openapi
from gateway.core.errors import GatewayError, MethodNotAllowed, ResourceNotFound
from gateway.dialects import azure, azure_openai, ctyun, gemini, openai
from gateway.dialects._context import Answer, Dialect, RequestContext
from gateway.dialects._router import DialectRoute, request_id, serve
from gateway.operations.gateway import Gateway

NOT_FOUND, METHOD_NOT_ALLOWED = 404, 405

# OpenAI's come last: Azure's `/openai/deployments/{deployment}/…` must be tried before its `/openai/{region}/…`, and
# Gemini's, which look at the credential, before its `/v1/models`.
ROUTERS = (gemini.router, azure.router, azure_openai.router, ctyun.router, openai.router)

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
"""For paths that no route has: the first that is the path or, with a slash after it, its beginning.

Before them come `/openai/{region}`, one for each stage, which are Langdock's."""

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
)
"""What a page of a permitted origin may read."""


def create_app(gateway: Gateway, *, cors_origins: Sequence[str] = ()) -> "Dialects | Identify":
    """The whole HTTP interface on these operations, open to web pages of these origins."""
    app = Dialects(Identify(_create_rest(gateway)), gateway)
    # Around it all, as a page's preflight is nobody's else.
    return Identify(_admit_pages(app, cors_origins)) if cors_origins else app


def _create_rest(gateway: Gateway) -> FastAPI:
    """What is behind the dialects: documents, wrong methods, paths that nobody has."""
    app = FastAPI(title="Embeddings gateway", openapi_url=None, redirect_slashes=False)
    app.state.gateway = gateway
    for router in ROUTERS:
        app.router.routes.extend(router.routes)
    app.router.routes.extend(openapi.routes)
    app.add_exception_handler(NOT_FOUND, _outside)
    app.add_exception_handler(METHOD_NOT_ALLOWED, _outside)
    return app


class Dialects:
    """Hands a request to the dialect that has a route for it, and others on.

    FastAPI's own way to a route would be a tenth of what a single text costs.
    """

    def __init__(self, app: ASGIApp, gateway: Gateway) -> None:
        self.app = app
        self.gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        for route in _fitting(scope["path"]) if scope["type"] == "http" else ():
            match, found = route.matches(scope)
            if match is Match.FULL:
                request = Request({**scope, **found}, receive)
                answer = await serve(request, self.gateway, route.dialect, route.endpoint)
                headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
                await send({"type": "http.response.start", "status": answer.status, "headers": headers})
                await send({"type": "http.response.body", "body": answer.body})
                return
        await self.app(scope, receive, send)


@lru_cache(maxsize=256)
def _fitting(path: str) -> tuple[DialectRoute, ...]:
    return tuple(route for router in ROUTERS for route in router.routes if route.fits(path))


class Identify:
    """Gives a request id to the answers that no dialect makes: documents, and what a page asks before it calls."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_identified(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if "x-request-id" not in headers:
                    headers["x-request-id"] = request_id(Request(scope))
            await send(message)

        await self.app(scope, receive, send_identified)


def _admit_pages(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    from starlette.middleware.cors import CORSMiddleware  # noqa: PLC0415  (few stages have pages for callers)

    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=["GET", "POST", "PATCH", "DELETE"],
        allow_headers=["*"],
        expose_headers=EXPOSED_HEADERS,
        max_age=3600,
    )


async def _outside(request: Request, exception: Exception) -> Response:
    """An unknown path or a wrong method."""
    dialect = _dialect_of(request)

    async def refuse(_: RequestContext) -> Answer:
        raise _cause(request, exception, dialect)

    answer = await serve(request, request.app.state.gateway, dialect, refuse)
    return Response(answer.body, status_code=answer.status, headers=answer.headers)


def _cause(request: Request, exception: Exception, dialect: Dialect) -> GatewayError:
    # To POST models/m:verb with an unknown verb is no wrong method, though a model might have that name.
    if (
        isinstance(exception, HTTPException)
        and exception.status_code == METHOD_NOT_ALLOWED
        and not _asks_a_verb(request)
    ):
        allowed = (exception.headers or {}).get("Allow", "").split(", ")
        usual = sorted(set(allowed) - {"HEAD"})
        return MethodNotAllowed(f"{request.method} is not allowed here; use {' or '.join(usual)}.", allowed=allowed)
    return ResourceNotFound(
        f"There is nothing at {request.method} {request.url.path}. There is: {', '.join(dialect.paths)}."
    )


def _asks_a_verb(request: Request) -> bool:
    return request.method == "POST" and ":" in request.url.path.rpartition("/")[2]


def _dialect_of(request: Request) -> Dialect:
    """The dialect whose path it is, or else the one that its beginning suggests, or else the credential."""
    if request.url.path.startswith("/v1/models/") and _asks_a_verb(request):
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
