"""The list of models and one model, as OpenAI's clients and those of its neighbours ask for them.

https://platform.openai.com/docs/api-reference/models
"""

from collections.abc import Callable
from typing import Any

import orjson

from gateway.core.catalogue import Model
from gateway.dialects._response import Response
from gateway.dialects._router import Context, DialectRouter

DescribeModel = Callable[[Model], dict[str, Any]]


def model_object(model: Model) -> dict[str, Any]:
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


def add_model_routes(router: DialectRouter, *bases: str, describe: DescribeModel = model_object) -> None:
    """Add `GET {base}/models` and `GET {base}/models/{name}` for each of these bases."""

    @router.endpoint("GET", *(f"{base}/models" for base in bases))
    async def list_models(context: Context) -> Response:
        """Every model this key may use here."""
        models = await context.gateway.models.every(context.caller)
        return Response(body=orjson.dumps({"object": "list", "data": [describe(model) for model in models]}))

    @router.endpoint("GET", *(f"{base}/models/{{name:path}}" for base in bases))
    async def retrieve_model(context: Context) -> Response:
        """One model, by its name or alias."""
        model = await context.gateway.models.one(context.path_params["name"], context.caller)
        return Response(body=orjson.dumps(describe(model)))
