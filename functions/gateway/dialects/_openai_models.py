"""The list of models and one model, as OpenAI's clients and those of its neighbours ask for them.

https://platform.openai.com/docs/api-reference/models
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypedDict

import orjson
from msgspec import Meta

from gateway.core.catalogue import Model, NotNegative
from gateway.dialects._response import Response
from gateway.dialects._router import Context, DialectRouter

DescribeModel = Callable[[Model], Mapping[str, object]]


class ModelObject(TypedDict):
    """A model, with what is known of it."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    dimensions: Annotated[int, Meta(description="Length of a vector.")]
    shortenable: Annotated[bool, Meta(description="Whether shorter vectors may be asked for.")]
    max_input_tokens: NotNegative
    max_inputs: NotNegative
    price_per_million_tokens: Annotated[float | None, Meta(description="US dollars.")]
    aliases: list[str]


class ModelList(TypedDict):
    """The models that the key may use."""

    object: Literal["list"]
    data: list[ModelObject]


def model_object(model: Model) -> ModelObject:
    """OpenAI's model object; what else is known of an embeddings model stands beside its own fields."""
    return {
        "id": model.name,
        "object": "model",
        "created": model.created,
        "owned_by": model.owner,
        "dimensions": model.dimensions,
        "shortenable": model.shortenable,
        "max_input_tokens": model.max_tokens,
        "max_inputs": model.max_inputs,
        "price_per_million_tokens": model.price,
        "aliases": list(model.aliases),
    }


def add_model_routes(
    router: DialectRouter,
    *bases: str,
    describe: DescribeModel = model_object,
    types: tuple[type, type] = (ModelList, ModelObject),
    whose: str = "",
    **options: Any,  # those of FastAPI's routes
) -> None:
    """Add `GET {base}/models` and `GET {base}/models/{name}` for each of these bases.

    `types` are those of a list and of what `describe` returns; `whose` makes the operations' names in the OpenAPI
    document differ from those of other calls.
    """

    @router.endpoint(
        "GET",
        *(f"{base}/models" for base in bases),
        summary="List models",
        operation_id=f"list{whose}Models",
        answer=types[0],
        **options,
    )
    async def list_models(context: Context) -> Response:
        """Every model this key may use here."""
        models = await context.gateway.models.every(context.caller)
        return Response(body=orjson.dumps({"object": "list", "data": [describe(model) for model in models]}))

    @router.endpoint(
        "GET",
        *(f"{base}/models/{{name:path}}" for base in bases),
        summary="Show a model",
        operation_id=f"retrieve{whose}Model",
        answer=types[1],
        **options,
    )
    async def retrieve_model(context: Context) -> Response:
        """One model, by its name or alias."""
        model = await context.gateway.models.one(context.path_params["name"], context.caller)
        return Response(body=orjson.dumps(describe(model)))
