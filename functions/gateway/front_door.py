"""What stands at the address itself: `/` says what there is, `/health` whether it works."""

from string import Template
from typing import Any

import orjson
from fastapi import Request, Response
from starlette.routing import Route

from gateway import openapi
from gateway.dialects import azure, azure_openai, ctyun, gemini, openai
from gateway.dialects._answer import answer
from gateway.dialects._context import RequestContext
from gateway.dialects._response import Response as DialectResponse
from gateway.dialects._router import context_of, to_fastapi
from gateway.operations.gateway import Gateway

NAME, VERSION = "embeddings-gateway", "0.1.0"

DIALECTS = (openai.DIALECT, azure_openai.DIALECT, azure.DIALECT, gemini.DIALECT, ctyun.DIALECT)

HEADERS = {**openapi.HEADERS, "vary": "accept"}


async def welcome(request: Request) -> Response:
    """What there is: a page for a browser, JSON for a program."""
    gateway: Gateway = request.app.state.gateway
    if "text/html" in request.headers.get("accept", ""):
        from html import escape  # noqa: PLC0415  (brings a table of all entities)

        page = Template((openapi.FOLDER / "welcome.html").read_text("utf-8"))
        shown = {name: escape(value) for name, value in _about(gateway).items()}
        return Response(page.substitute(shown), headers=HEADERS, media_type="text/html; charset=utf-8")
    listed = {
        **_about(gateway),
        "documents": {"openapi": "/openapi.json", "page": "/docs", "health": "/health"},
        "paths": {dialect.name: dialect.paths for dialect in DIALECTS},
    }
    return _json(listed, headers=HEADERS)


async def show_health(request: Request) -> Response:
    """That this function answers, which asks no store; with `?deep=1` and a key, whether the stores do."""
    if request.query_params.get("deep", "0") == "0":
        return _json({"status": "ok"}, headers={"cache-control": "no-store"})
    return to_fastapi(await answer(await context_of(request, openai.DIALECT), _ask_stores))


async def _ask_stores(context: RequestContext) -> DialectResponse:
    stores = context.gateway.health()
    works = all(state == "ok" for state in stores.values())
    body = {"status": "ok" if works else "degraded", "stores": stores}
    return DialectResponse(body=orjson.dumps(body), status=200 if works else 503)


def _about(gateway: Gateway) -> dict[str, str]:
    return {"name": NAME, "version": VERSION, "stage": gateway.region, "region": gateway.aws_region}


def _json(document: Any, *, headers: dict[str, str]) -> Response:  # whatever is JSON
    return Response(orjson.dumps(document), headers=headers, media_type="application/json")


routes = [
    Route("/", welcome, methods=["GET"], include_in_schema=False),
    Route("/health", show_health, methods=["GET"], include_in_schema=False),
]
