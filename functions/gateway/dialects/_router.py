"""FastAPI routes of a dialect: each makes the request's context, and `answer` does the rest."""

from collections.abc import Awaitable, Callable
from typing import Any

import fastapi
from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.routing import Match
from starlette.types import Scope

from gateway.dialects._answer import Endpoint, answer
from gateway.dialects._context import Dialect, RequestContext, from_asgi
from gateway.dialects._response import Response

Condition = Callable[[Scope], bool]
Context = RequestContext
"""What endpoints are given."""


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


def has_needless_slash(path: str) -> bool:
    """Whether a slash stands at the end of the path, or beside another: there is nothing at such a path."""
    return path.endswith("/") or "//" in path


class DialectRoute(APIRoute):
    """FastAPI's route, whose endpoint answers in the dialect, whatever happens.

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
        self.dialect_endpoint = endpoint
        super().__init__(path, _answered(self, endpoint), response_model=None, **options)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child_scope = super().matches(scope)
        # Otherwise `{name:path}` would take the empty name in `/v1/models/`.
        return (
            (Match.NONE, {}) if match is not Match.NONE and has_needless_slash(scope["path"]) else (match, child_scope)
        )


class SharedPathRoute(DialectRoute):
    """A route at a path that two dialects have: it takes the requests that `only_if` accepts."""

    def __init__(self, path: str, endpoint: Endpoint, *, only_if: Condition, **options: Any) -> None:  # as above
        self.only_if = only_if
        super().__init__(path, endpoint, **options)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child_scope = super().matches(scope)
        return (Match.NONE, {}) if match is not Match.NONE and not self.only_if(scope) else (match, child_scope)


async def context_of(request: Request, dialect: Dialect, shared_with: Dialect | None = None) -> RequestContext:
    """The request as a dialect sees it."""
    return from_asgi(
        request.scope,
        await request.body(),
        gateway=request.app.state.gateway,
        dialect=dialect,
        shared_with=shared_with,
        request_id=request.state.request_id,
    )


def to_fastapi(response: Response) -> fastapi.Response:
    """The same as FastAPI sends it: complete, so that it needs no encoding."""
    return fastapi.Response(response.body, status_code=response.status, headers=dict(response.headers))


def _answered(route: DialectRoute, endpoint: Endpoint) -> Callable[[Request], Awaitable[fastapi.Response]]:
    """The dialect's endpoint as one of FastAPI's, which takes the request as it is."""

    async def respond(request: Request) -> fastapi.Response:
        return to_fastapi(await answer(await context_of(request, route.dialect, route.shared_with), endpoint))

    respond.__name__, respond.__doc__ = endpoint.__name__, endpoint.__doc__
    return respond
