"""Examples of answers and errors, made by the functions that make the real ones."""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from gateway.operations.embed_each import EmbeddedEach

from gateway.core.catalogue import Model, Provider, Route
from gateway.core.embedding import Embedded, Usage
from gateway.dialects import _openai_shape as shape
from gateway.dialects import azure_openai, ctyun, gemini
from gateway.dialects._context import Answer, Dialect
from infra.openapi.causes import CAUSES, Cause

Json = dict[str, Any]

AN_ID = "0a1b2c3d4e5f"
"""The request id of every example."""

ROUTE = Route(
    name="openai-eu",
    provider=Provider(name="openai", kind="openai"),
    vendor_model="text-embedding-3-small",
    region="eu",
)

MODEL = Model(
    name="text-embedding-3-small",
    dimensions=1536,
    shortenable=True,
    routes=(ROUTE,),
    price=0.02,
    created=1705948997,
    owner="openai",
    aliases=("small",),
    description="Short texts of many languages.",
)

GEMINI_MODEL = Model(
    name="gemini-embedding-001",
    dimensions=3072,
    shortenable=True,
    routes=(ROUTE,),
    max_tokens=2048,
    description="Texts of many languages.",
)

VECTORS = (struct.pack("<4f", 0.5, -0.5, 0.5, 0.5), struct.pack("<4f", 0, 0, -1, 0))
"""Short ones, so that they can be read."""

EMBEDDED = Embedded(model=MODEL.name, vectors=VECTORS, usage=Usage(tokens=6, cached=2))


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedError:
    """A cause in the words of a dialect; `name` is the example's."""

    name: str
    cause: Cause
    answer: Answer

    @property
    def body(self) -> Json:
        body: Json = json.loads(self.answer.body)
        return body

    @property
    def code(self) -> str:
        """What clients tell errors apart by: Google's is the status."""
        error = self.body["error"]
        return str(error.get("status") or error["code"])

    @property
    def example(self) -> Json:
        return {"summary": self.cause.sentence, "value": self.body}


def error_name(dialect: str) -> str:
    """The schema of a dialect's errors."""
    return "".join(word.capitalize() for word in dialect.split("-")) + "Error"


def errors_of(dialect: Dialect) -> list[RenderedError]:
    """Every cause, as that dialect tells it."""
    return [
        RenderedError(
            name=f"{error_name(dialect.name)}.{cause.name}", cause=cause, answer=dialect.render_error(cause.error)
        )
        for cause in CAUSES
    ]


def example_answers() -> dict[str, Json]:
    """By the name of the answer's schema."""
    return {name: {"summary": summary, "value": json.loads(body)} for name, (summary, body) in _answers().items()}


def _answers() -> Mapping[str, tuple[str, bytes]]:
    return {**_embeddings(), **_models()}


def _embeddings() -> Mapping[str, tuple[str, bytes]]:
    one = EmbeddedEach(vectors=VECTORS[:1], usage=Usage(tokens=3))
    both = EmbeddedEach(vectors=VECTORS, usage=Usage(tokens=6))
    ctyuns = shape.from_core(EMBEDDED, "float", fields=ctyun.VECTOR_FIELDS)
    return {
        "Embeddings": ("Two vectors, one of them from the cache", shape.from_core(EMBEDDED, "float").body),
        "CtyunEmbeddings": ("Two vectors, each under both names", ctyuns.body),
        "InferenceEmbeddings": ("Two vectors of int8", shape.from_core(EMBEDDED, "int8", identity=AN_ID).body),
        "EmbedContentResponse": ("One vector", gemini.single_answer(one).body),
        "BatchEmbedContentsResponse": ("Two vectors", gemini.batch_answer(both).body),
    }


def _models() -> Mapping[str, tuple[str, bytes]]:
    served = {"model_name": MODEL.name, "model_type": "embeddings", "model_provider_name": MODEL.owner}
    googles = gemini.model_resource(GEMINI_MODEL)
    return {
        "Model": ("A model", orjson.dumps(shape.model_object(MODEL))),
        "ModelList": ("The only model", shape.model_list([MODEL], shape.model_object).body),
        "AzureModel": ("A model", orjson.dumps(azure_openai.model_object(MODEL))),
        "AzureModelList": ("The only model", shape.model_list([MODEL], azure_openai.model_object).body),
        "ModelInfo": ("The only model", orjson.dumps(served)),
        "GeminiModel": ("A model", orjson.dumps(googles)),
        "GeminiModelList": ("The only model", orjson.dumps({"models": [googles]})),
    }
