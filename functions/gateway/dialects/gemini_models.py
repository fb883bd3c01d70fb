"""Gemini's list of models, page by page, and one model.

https://ai.google.dev/api/models
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NotRequired, TypedDict

import orjson

from gateway.core.catalogue import Model, NotNegative
from gateway.core.errors import InvalidRequest
from gateway.dialects._context import RequestContext
from gateway.dialects._response import Response
from gateway.dialects._router import Context, DialectRouter
from gateway.dialects.gemini import DIALECT, INT32, SHARED, UNSHARED, has_googles_credential

DIGITS_OF_INT32 = 10

PAGE_PARAMETERS = (("pageSize", "page_size"), ("pageToken", "page_token"))
"""Each in both spellings."""

PAGING: dict[str, Any] = {
    "parameters": [
        {
            "name": "pageSize",
            "in": "query",
            "description": "Models on a page: 50 if not given, or empty; 1,000 at most. What is no number is a 400.",
            "schema": {"anyOf": [{"type": "integer", "minimum": 0, "maximum": INT32}, {"const": ""}]},
        },
        {
            "name": "pageToken",
            "in": "query",
            "description": "The nextPageToken of the page before.",
            "schema": {"type": "string"},
        },
    ]
}

router = DialectRouter(DIALECT)


class GeminiModel(TypedDict):
    """A model."""

    name: str
    version: str
    displayName: str
    description: str
    inputTokenLimit: NotNegative
    outputTokenLimit: NotNegative
    supportedGenerationMethods: list[str]


class GeminiModelList(TypedDict):
    """A page of models."""

    models: list[GeminiModel]
    nextPageToken: NotRequired[str]


_listing = partial(
    router.endpoint,
    "GET",
    summary="List models",
    operation_id="listGeminiModels",
    answer=GeminiModelList,
    openapi_extra=PAGING,
)


@_listing(f"{SHARED}/models", only_if=has_googles_credential)
@_listing(*(f"{base}/models" for base in UNSHARED))
async def list_models(context: Context) -> Response:
    """The models this key may use here, a page at a time."""
    models = await context.gateway.models.every(context.caller)
    size, token = (_asked_once(context, *spellings) for spellings in PAGE_PARAMETERS)
    page, following = _page(models, size, token)
    body: GeminiModelList = {"models": [model_resource(model) for model in page]}
    if following:  # an empty token, or one that leads to an empty page, makes Google's clients fail
        body["nextPageToken"] = following
    return Response(body=orjson.dumps(body))


def _asked_once(context: RequestContext, name: str, other_spelling: str) -> str:
    values = [*context.query.get(name, ()), *context.query.get(other_spelling, ())]
    if len(values) > 1:
        raise InvalidRequest(f"'{name}' is given {len(values)} times; give it once.", param=name)
    return values[0] if values else ""


def _page(models: Sequence[Model], size: str, token: str) -> tuple[Sequence[Model], str | None]:
    """The models after the one that the token names, and the token of the next page if there is one."""
    most = _number(size)
    rest = [model for model in models if model.name > token]
    page = rest[:most]
    return page, page[-1].name if len(rest) > most else None


def _number(size: str) -> int:
    if size and not (size.isascii() and size.isdecimal() and len(size) <= DIGITS_OF_INT32 and int(size) <= INT32):
        raise InvalidRequest("Invalid value at 'pageSize': it must be a number, 0 or more.", param="pageSize")
    return min(int(size or 0) or 50, 1000)


_getting = partial(router.endpoint, "GET", summary="Show a model", operation_id="getGeminiModel", answer=GeminiModel)


@_getting(f"{SHARED}/models/{{name:path}}", only_if=has_googles_credential)
@_getting(*(f"{base}/models/{{name:path}}" for base in UNSHARED))
async def get_model(context: Context) -> Response:
    """One model, by its name or alias."""
    model = await context.gateway.models.one(context.path_params["name"], context.caller)
    return Response(body=orjson.dumps(model_resource(model)))


def model_resource(model: Model) -> GeminiModel:
    """Google's Model."""
    return {
        "name": f"models/{model.name}",
        "version": model.routes[0].revision or "001",
        "displayName": model.name,
        "description": model.description,
        "inputTokenLimit": model.max_tokens,
        "outputTokenLimit": 1,
        "supportedGenerationMethods": ["embedContent", "batchEmbedContents"],
    }
