"""Schemas of what is answered. Answers are written by hand, so these are too; golden bodies are held against them."""

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]  # JSON

NUMBERS: Schema = {"type": "array", "items": {"type": "number"}}
BASE64: Schema = {"type": "string", "contentEncoding": "base64", "description": "Little-endian float32."}
VECTOR: Schema = {"anyOf": [NUMBERS, BASE64]}
COUNT: Schema = {"type": "integer", "minimum": 0}
TEXT: Schema = {"type": "string"}


def record(description: str, fields: Mapping[str, Schema], optional: tuple[str, ...] = ()) -> Schema:
    """An object that has these fields, all but the optional ones always."""
    required = [name for name in fields if name not in optional]
    told = {"description": description} if description else {}
    return {"type": "object", **told, "required": required, "properties": dict(fields)}


def list_of(item: Schema) -> Schema:
    """An array of such items."""
    return {"type": "array", "items": item}


def ref(name: str) -> Schema:
    """One of the document's own schemas."""
    return {"$ref": f"#/components/schemas/{name}"}


def embeddings(description: str, first: Mapping[str, Schema], more: Mapping[str, Schema]) -> Schema:
    """A list of vectors in OpenAI's shape; `first` are fields before it, `more` further fields of an item."""
    item = {"object": {"const": "embedding"}, "index": COUNT, "embedding": VECTOR, **more}
    listed = {"object": {"const": "list"}, "data": list_of(record("", item)), "model": TEXT, "usage": ref("Usage")}
    return record(description, {**first, **listed})


USAGE = record(
    "Tokens of all inputs, whether or not the cache spared them.",
    {
        "prompt_tokens": COUNT,
        "total_tokens": COUNT,
        "prompt_tokens_details": record("How many of them the cache spared.", {"cached_tokens": COUNT}),
    },
    optional=("prompt_tokens_details",),
)

MODEL_FIELDS: Mapping[str, Schema] = {
    "id": TEXT,
    "object": {"const": "model"},
    "created": {"type": "integer"},
    "owned_by": TEXT,
    "dimensions": {"type": "integer", "description": "Length of a vector."},
    "shortenable": {"type": "boolean", "description": "Whether shorter vectors may be asked for."},
    "max_input_tokens": COUNT,
    "max_inputs": COUNT,
    "price_per_million_tokens": {"type": ["number", "null"], "description": "US dollars."},
    "aliases": list_of(TEXT),
}

AZURE_MODEL_FIELDS: Mapping[str, Schema] = {
    **MODEL_FIELDS,
    "status": TEXT,
    "capabilities": {"type": "object", "additionalProperties": {"type": "boolean"}},
}

GEMINI_MODEL_FIELDS: Mapping[str, Schema] = {
    "name": TEXT,
    "version": TEXT,
    "displayName": TEXT,
    "description": TEXT,
    "inputTokenLimit": COUNT,
    "outputTokenLimit": COUNT,
    "supportedGenerationMethods": list_of(TEXT),
}

CONTENT_EMBEDDING = record("", {"values": NUMBERS})

USAGE_METADATA = record(
    "Tokens of all inputs.",
    {
        "promptTokenCount": COUNT,
        "promptTokenDetails": list_of(record("", {"modality": TEXT, "tokenCount": COUNT})),
    },
)


def _model_list(description: str, model: str) -> Schema:
    return record(description, {"object": {"const": "list"}, "data": list_of(ref(model))})


ANSWERS: Mapping[str, Schema] = {
    "Usage": USAGE,
    "Embeddings": embeddings("One vector per input, in input order.", {}, {}),
    "CtyunEmbeddings": embeddings(
        "One vector per input, in input order, under both names.", {}, {"embeddings": VECTOR}
    ),
    "InferenceEmbeddings": embeddings("One vector per input, in input order.", {"id": TEXT}, {}),
    "Model": record("A model, with what is known of it.", MODEL_FIELDS),
    "ModelList": _model_list("The models that the key may use.", "Model"),
    "AzureModel": record("A model, with what Azure's clients look for.", AZURE_MODEL_FIELDS),
    "AzureModelList": _model_list("The models that the key may use.", "AzureModel"),
    "ModelInfo": record(
        "What the address serves.",
        {"model_name": TEXT, "model_type": {"const": "embeddings"}, "model_provider_name": TEXT},
    ),
    "EmbedContentResponse": record("One vector.", {"embedding": CONTENT_EMBEDDING, "usageMetadata": USAGE_METADATA}),
    "BatchEmbedContentsResponse": record(
        "One vector per request, in order.",
        {"embeddings": list_of(CONTENT_EMBEDDING), "usageMetadata": USAGE_METADATA},
    ),
    "GeminiModel": record("A model.", GEMINI_MODEL_FIELDS),
    "GeminiModelList": record(
        "A page of models.",
        {"models": list_of(ref("GeminiModel")), "nextPageToken": TEXT},
        optional=("nextPageToken",),
    ),
    "AnyEmbeddings": {
        "description": "One vector per input, in input order; for keys marked as Ctyun's under both names.",
        "anyOf": [ref("Embeddings"), ref("CtyunEmbeddings")],
    },
    "AnyModel": {
        "description": "A model: Gemini's to a Google credential, OpenAI's to any other.",
        "oneOf": [ref("Model"), ref("GeminiModel")],
    },
    "AnyModelList": {
        "description": "The models: Gemini's page to a Google credential, OpenAI's list to any other.",
        "oneOf": [ref("ModelList"), ref("GeminiModelList")],
    },
}


def alternatives(answer: str) -> list[str]:
    """The names of the schemas of which an answer has one: its own, unless it is a choice."""
    choice = ANSWERS[answer].get("oneOf") or ANSWERS[answer].get("anyOf") or [ref(answer)]
    return [each["$ref"].rpartition("/")[2] for each in choice]


OPENAI_ERROR = record(
    "OpenAI's error object.",
    {"error": record("", {"message": TEXT, "type": TEXT, "param": {"type": ["string", "null"]}, "code": TEXT})},
)

INFERENCE_ERROR = record(
    "Both shapes that Microsoft documents: `error` as its SDKs read it, the rest as its reference page prints it.",
    {
        "error": record(
            "",
            {
                "code": TEXT,
                "message": TEXT,
                "target": TEXT,
                "details": list_of(record("", {"code": TEXT, "target": TEXT, "message": TEXT})),
            },
            optional=("target", "details"),
        ),
        "code": TEXT,
        "message": TEXT,
        "status": {"type": "integer"},
        "param": TEXT,
        "details": record("Which parameter, and its value if that is wrong.", {"loc": list_of(TEXT), "value": TEXT}),
    },
    optional=("param", "details"),
)

STATUS = record(
    "google.rpc.Status.",
    {
        "error": record(
            "",
            {
                "code": {"type": "integer"},
                "message": TEXT,
                "status": TEXT,
                "details": list_of(record("", {"@type": TEXT})),
            },
            optional=("details",),
        )
    },
)

ERRORS: Mapping[str, Schema] = {
    "openai": OPENAI_ERROR,
    "azure-openai": OPENAI_ERROR,
    "ctyun": {**OPENAI_ERROR, "description": "OpenAI's error object, its code always digits."},
    "azure": INFERENCE_ERROR,
    "gemini": STATUS,
}
"""By dialect."""
