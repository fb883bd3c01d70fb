"""Schemas of what is sent: the wire models' own, with what these leave to code or to the reader put into words."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from gateway.dialects import _openai_shape, azure, azure_openai, gemini

Schema = dict[str, Any]  # JSON

LONGEST = 8192
"""Dimensions: no model known makes more."""

TOKENS: Schema = {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}}

INPUT: Schema = {
    "description": "What to embed: a text, texts, token ids, or lists of token ids. Each entry gets one vector.",
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "minItems": 1, "maxItems": 2048, "items": {"type": "string", "minLength": 1}},
        TOKENS,
        {"type": "array", "minItems": 1, "maxItems": 2048, "items": TOKENS},
    ],
}

DIMENSIONS: Schema = {
    "description": "How many numbers a vector has, for models that can make shorter ones; see the list of models.",
    "anyOf": [{"type": "integer", "minimum": 1, "maximum": LONGEST}, {"type": "null"}],
}

USER: Schema = {"description": "Who is asking, in your own terms; passed on to the provider where it takes it."}

OPENAI_FIELDS: Mapping[str, Schema] = {
    "model": {"description": "A model's name or alias; see the list of models."},
    "input": INPUT,
    "encoding_format": {
        "description": "Numbers, or base64 of little-endian float32, which is smaller. `float` if not given."
    },
    "dimensions": DIMENSIONS,
    "user": USER,
}

INPUT_TYPE: Schema = {
    "description": "What the vectors are for, for models that make others for a query than for a document.",
    "anyOf": [{"enum": list(azure.PURPOSES)}, {"type": "null"}],
}

AZURE_FIELDS: Mapping[str, Schema] = {
    "model": {"description": "A model's name or alias. May be left out by keys that are permitted one model only."},
    "input": INPUT,
    "encoding_format": {
        "description": (
            "`float` if not given. `base64` is little-endian float32. `int8` scales a vector so that its largest "
            "component is 127 (compare by cosine); `uint8` is that plus 128. `ubinary` has a bit per dimension, the "
            "first the highest, one where a component is greater than zero; `binary` is that less 128."
        ),
        "anyOf": [{"enum": list(_openai_shape.RENDERINGS)}, {"type": "null"}],
    },
    "dimensions": DIMENSIONS,
    "input_type": INPUT_TYPE,
}

GEMINI_FIELDS: Mapping[str, Schema] = {
    "model": {"description": "`models/` and the name in the path, or nothing."},
    "content": {"$ref": "#/components/schemas/Content", "anyOf": None},
    "taskType": {"description": "What the vector is for. Also spelled `task_type`."},
    "title": {
        "description": "The text's title; only with the taskType RETRIEVAL_DOCUMENT, and for models that take one."
    },
    "outputDimensionality": {
        "description": "How many numbers the vector has; shortened ones have length one. Also `output_dimensionality`.",
        "anyOf": [{"type": "integer", "minimum": 1, "maximum": LONGEST}, {"type": "null"}],
    },
}

TITLE_NEEDS_DOCUMENT: Schema = {
    "if": {"required": ["title"], "properties": {"title": {"type": "string", "minLength": 1}}},
    "then": {"required": ["taskType"], "properties": {"taskType": {"const": "RETRIEVAL_DOCUMENT"}}},
}

CONTENT_FIELDS: Mapping[str, Schema] = {
    "role": {"description": "Whose turn it was; counts for nothing."},
    "parts": {
        "description": "Together they are one input, a line each. Only text is embedded.",
        "type": "array",
        "minItems": 1,
        "anyOf": None,
        "items": {
            "type": "object",
            "required": ["text"],
            "properties": {"text": {"type": "string", "minLength": 1}},
            "additionalProperties": False,
        },
    },
}

BATCH_FIELDS: Mapping[str, Schema] = {
    "model": GEMINI_FIELDS["model"],
    "requests": {
        "description": "One vector each. As many as Google takes, 100, unless the model takes more.",
        "type": "array",
        "minItems": 1,
        "maxItems": 100,
        "anyOf": None,
        "items": {"$ref": "#/components/schemas/EmbedContentRequest"},
    },
}

REQUESTS: Mapping[str, Schema] = {
    "AzureEmbeddingsRequest": {
        "model": "text-embedding-3-small",
        "input": ["How do I grow tomatoes?", "Tomatoes need sun."],
    },
}
"""Examples of bodies of which no golden one was written down."""

REQUIRED_MODEL: Schema = {"type": "string", "minLength": 1, "anyOf": None, "description": "A model's name or alias."}


def body_schemas() -> dict[str, Schema]:
    """By name, as `components/schemas` holds them."""
    azure_fields = {**OPENAI_FIELDS, "input_type": INPUT_TYPE}
    return {
        "EmbeddingsRequest": described(_openai_shape.EmbeddingsBody, "What to embed, and how.", OPENAI_FIELDS),
        "DeploymentEmbeddingsRequest": described(
            azure_openai.EmbeddingsBody, "What to embed; the deployment in the path is the model.", azure_fields
        ),
        "AzureEmbeddingsRequest": described(
            azure_openai.EmbeddingsBody, "What to embed, and how.", {**azure_fields, "model": REQUIRED_MODEL}
        )
        | {"required": ["model", "input"]},
        "InferenceEmbeddingsRequest": described(
            azure.EmbeddingsBody,
            "What to embed, and how. The header `extra-parameters` tells what becomes of further fields.",
            AZURE_FIELDS,
        )
        | {"additionalProperties": False},
        "Content": described(gemini.Content, "A text, in parts.", CONTENT_FIELDS) | {"required": ["parts"]},
        "EmbedContentRequest": described(gemini.EmbedContentRequest, "One content to embed, and how.", GEMINI_FIELDS)
        | {"required": ["content"], **TITLE_NEEDS_DOCUMENT},
        "BatchEmbedContentsRequest": described(
            gemini.BatchEmbedContentsRequest, "Contents to embed, each in its own way.", BATCH_FIELDS
        )
        | {"required": ["requests"]},
    }


def described(model: type[BaseModel], description: str, fields: Mapping[str, Schema]) -> Schema:
    """The model's schema, each field overlaid by its entry in `fields`; `None` there takes a keyword away."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    schema.pop("title", None)
    schema["description"] = description  # the model's own is for those who read the code
    schema["properties"] = {name: _overlaid(schema["properties"][name], fields[name]) for name in schema["properties"]}
    return schema


def _overlaid(generated: Schema, overlay: Schema) -> Schema:
    both = {**generated, **overlay}
    dropped = {"title", "default"}
    return {name: value for name, value in both.items() if value is not None and name not in dropped}
