"""Fakes of vendors that almost speak OpenAI: each takes its own words, and refuses the others'."""

import struct
from collections.abc import Callable, Mapping
from typing import Any

import pybase64

from tests.fakes.openai_vendor import count_tokens, vector
from tests.fakes.vendors import Asked, Refusal, Speech, Spoken, check_fields

NATIVE = {
    "voyage-4": 1024,
    "voyage-4-large": 1024,
    "voyage-4-lite": 1024,
    "voyage-code-4": 1024,
    "mistral-embed": 1024,
    "codestral-embed": 1536,
    "jina-embeddings-v5-text-small": 1024,
    "jina-embeddings-v5-text-nano": 768,
    "jina-embeddings-v4": 2048,
    "jina-embeddings-v3": 1024,
    "text-embedding-3-small": 1536,
    "text-embedding-3-large": 3072,
    "text-embedding-ada-002": 1536,
}
"""The length of a model's vectors where no other is asked for."""
FIXED = frozenset({"mistral-embed", "text-embedding-ada-002"})
"""Models that make no other length."""
UNSCALED = frozenset({"codestral-embed", "jina-embeddings-v4"})
"""Models whose vectors have another length than one, whatever is asked."""


def _detail(status: int, message: str) -> Refusal:
    return Refusal(status, {"detail": message})


def _flat(status: int, message: str) -> Refusal:
    error = {"object": "error", "message": message, "type": "invalid_request_error", "param": None, "code": None}
    return Refusal(status, error)


def _nested(status: int, message: str) -> Refusal:
    return Refusal(status, {"error": {"message": message, "type": "invalid_request_error", "code": str(status)}})


def _like(fields: str, size_field: str, most: int, refuse: Callable[[int, str], Refusal], words: Any = None) -> Speech:
    """A vendor with these fields, of which one is the length; `words` are those it knows for purposes, by field."""

    def speak(asked: Asked) -> Any:
        check_fields(asked.body, fields, refuse, 422)
        texts, model = asked.body["input"], _model(asked)
        if model not in NATIVE:
            raise refuse(404, f"There is no model {model}.")
        if len(texts) > most:
            raise refuse(400, f"There are {len(texts)} texts, and at most {most} may be.")
        for field, known in (words or {}).items():
            if asked.body.get(field) not in {None, *known(model)}:
                raise refuse(422, f"{field} cannot be {asked.body[field]!r}.")
        if model in FIXED and size_field in asked.body:
            raise refuse(400, f"{model} has one length.")
        as_base64 = "base64" in {asked.body.get("encoding_format"), asked.body.get("embedding_type")}
        size, scale = asked.body.get(size_field) or NATIVE[model], _scale(model, asked.body)
        return _answer(model, texts, size, scale=scale, as_base64=as_base64)

    return speak


def _model(asked: Asked) -> str:
    """The model in the body, or the deployment in Azure's path."""
    return str(asked.body.get("model") or asked.path.split("/deployments/")[-1].split("/")[0])


def _scale(model: str, body: Mapping[str, Any]) -> float:
    unasked = model.startswith("jina") and not body.get("normalized")
    return 3 if unasked or model in UNSCALED else 1


def _answer(model: str, texts: list[str], size: int, *, scale: float, as_base64: bool) -> dict[str, Any]:
    vectors = {text: [scale * number for number in vector(text, size)] for text in set(texts)}
    shown = {text: _base64(found) if as_base64 else found for text, found in vectors.items()}
    items = [{"object": "embedding", "index": at, "embedding": shown[text]} for at, text in enumerate(texts)]
    usage = {"total_tokens": sum(map(count_tokens, texts))}
    return {"object": "list", "data": items, "model": model, "usage": usage}


def _base64(numbers: list[float]) -> str:
    return pybase64.b64encode_as_string(struct.pack(f"<{len(numbers)}f", *numbers))


def _jina_tasks(model: str) -> set[str]:
    """Words for purposes belong to a generation of Jina's models."""
    shared = {"retrieval.query", "retrieval.passage", "text-matching"}
    if model.endswith("v4"):
        return shared | {"code.query", "code.passage"}
    return shared | {"classification", "separation" if model.endswith("v3") else "clustering"}


def _jina(asked: Asked) -> Any:
    fourth = asked.body.get("model") == "jina-embeddings-v4"
    fields = "model! input! task dimensions embedding_type truncate" + ("" if fourth else " normalized")
    return _like(fields, "dimensions", 512, _detail, {"task": _jina_tasks})(asked)


SPOKEN: Mapping[str, Spoken] = {
    "azure": Spoken(
        _like("model input! dimensions encoding_format user", "dimensions", 2048, _nested),
        "/embeddings?api-version=2024-10-21",
        _nested,
        "api-key",
        "",
    ),
    "jina": Spoken(_jina, "/v1/embeddings", _detail),
    "mistral": Spoken(
        _like("model! input! metadata output_dimension output_dtype encoding_format", "output_dimension", 32, _flat),
        "/v1/embeddings",
        _flat,
    ),
    "voyage": Spoken(
        _like(
            "model! input! input_type truncation output_dimension output_dtype encoding_format",
            "output_dimension",
            1000,
            _detail,
            {"input_type": lambda _: ("query", "document")},
        ),
        "/v1/embeddings",
        _detail,
    ),
}
"""By the name of the vendor's file in infra/catalogue/vendors."""
