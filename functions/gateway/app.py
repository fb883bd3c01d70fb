"""The FastAPI app: dialects on operations. Whatever falls outside a route is answered in the likeliest dialect."""

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from gateway.core.errors import GatewayError, MethodNotAllowed, ResourceNotFound
from gateway.dialects import openai
from gateway.dialects._exchange import Answer, Dialect, Exchange
from gateway.dialects._router import serve
from gateway.operations.gateway import Gateway

NOT_FOUND, METHOD_NOT_ALLOWED = 404, 405


def create_app(gateway: Gateway) -> FastAPI:
    """The whole HTTP interface on these operations."""
    app = FastAPI(title="Embeddings gateway", openapi_url=None, redirect_slashes=False)
    app.state.gateway = gateway
    app.router.routes.extend(openai.router.routes)
    app.add_exception_handler(NOT_FOUND, _outside)
    app.add_exception_handler(METHOD_NOT_ALLOWED, _outside)
    return app


async def _outside(request: Request, exception: Exception) -> Response:
    """An unknown path or a wrong method."""

    async def refuse(_: Exchange) -> Answer:
        raise _cause(request, exception)

    return await serve(request, _dialect_of(request), refuse)


def _cause(request: Request, exception: Exception) -> GatewayError:
    if isinstance(exception, HTTPException) and exception.status_code == METHOD_NOT_ALLOWED:
        allowed = (exception.headers or {}).get("allow", "").split(", ")
        return MethodNotAllowed(f"{request.method} is not allowed here; {' and '.join(allowed)} is.", allowed=allowed)
    return ResourceNotFound(
        f"There is nothing at {request.method} {request.url.path}. "
        "Embeddings are at POST /v1/embeddings, models at GET /v1/models."
    )


def _dialect_of(_: Request) -> Dialect:
    return openai.DIALECT
