"""What OpenAI, Azure and Ctyun have in common: the body and its `input`, the list of vectors, errors."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import orjson
from msgspec import Meta
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from gateway.core import errors, vectors
from gateway.core.catalogue import NotNegative
from gateway.core.embedding import CacheUse, Embedded, EmbeddingRequest, Input, Item, Purpose, Tokens, Vector
from gateway.core.errors import GatewayError, InvalidRequest
from gateway.dialects._response import Response, retry_headers
from gateway.dialects._validation import DIMENSIONS_SCHEMA, MAX_ELEMENTS, check_count

MAX_TOKEN_ID = 2**31 - 1

INPUT_TYPES: Mapping[str, Purpose | None] = {"text": None, "query": Purpose.QUERY, "document": Purpose.DOCUMENT}
"""Purposes by `input_type`, as Azure's clients write it."""

_FORMS = "a string, an array of strings, an array of token ids, or an array of arrays of token ids"

Encoding = Literal["float", "base64"]

API_VERSION = {
    "name": "api-version",
    "in": "query",
    "description": "Any version, or none.",
    "schema": {"type": "string"},
}
"""The OpenAPI parameter of Microsoft's dialects."""

WireErrors = Mapping[type[GatewayError], tuple[int, str, str]]
"""Cause → HTTP status, `type`, `code`."""


def _refuse_others(value: Any) -> Any:  # JSON as it came
    if isinstance(value, bool | str):
        raise PydanticCustomError("int_type", "Input should be a valid integer")
    return value


WholeNumber = Annotated[int, Field(strict=False), BeforeValidator(_refuse_others)]
"""An integer of a body: 8, and 8.0 too, since JSON has one kind of number; no text, no truth value."""


_TOKENS: dict[str, Any] = {
    "type": "array",
    "minItems": 1,
    "items": {"type": "integer", "minimum": 0, "maximum": MAX_TOKEN_ID},
}

INPUT = Field(
    description="What to embed: a text, texts, token ids, or lists of token ids. Each entry gets one vector.",
    json_schema_extra={
        "anyOf": [
            {"type": "string", "minLength": 1},
            {"type": "array", "minItems": 1, "maxItems": 2048, "items": {"type": "string", "minLength": 1}},
            _TOKENS,
            {"type": "array", "minItems": 1, "maxItems": 2048, "items": _TOKENS},
        ]
    },
)
"""Read by `read_inputs`, whose messages name the wrong element."""

DIMENSIONS = Field(
    None,
    description="How many numbers a vector has, for models that can make shorter ones; see the list of models.",
    json_schema_extra=DIMENSIONS_SCHEMA,
)

INPUT_TYPE = Field(
    None, description="What the vectors are for, for models that make others for a query than for a document."
)

MODEL = Field(min_length=1, description="A model's name or alias; see the list of models.")


class EmbeddingsFields(BaseModel):
    """What all `POST …/embeddings` know. `null` means absent, as several clients send it."""

    model_config = ConfigDict(extra="forbid", strict=True, defer_build=True)

    input: Any = INPUT
    encoding_format: Encoding | None = Field(
        None, description="Numbers, or base64 of little-endian float32, which is smaller. `float` if not given."
    )
    dimensions: Annotated[WholeNumber, Field(ge=1)] | None = DIMENSIONS
    user: str | None = Field(
        None, description="Who is asking, in your own terms; passed on to the provider where it takes it."
    )


class EmbeddingsBody(EmbeddingsFields):
    """What to embed, and how."""

    model_config = ConfigDict(title="EmbeddingsRequest")

    model: str = MODEL


VectorValue = list[float] | Annotated[str, Meta(description="Base64.", extra_json_schema={"contentEncoding": "base64"})]


class Embedding(TypedDict):
    """A vector, and which input it belongs to."""

    object: Literal["embedding"]
    index: NotNegative
    embedding: VectorValue


class CachedTokens(TypedDict):
    """How many of them the cache spared."""

    cached_tokens: NotNegative


class Usage(TypedDict):
    """Tokens of all inputs, whether or not the cache spared them."""

    prompt_tokens: NotNegative
    total_tokens: NotNegative
    prompt_tokens_details: NotRequired[CachedTokens]


class Embeddings(TypedDict):
    """One vector per input, in input order."""

    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: Usage


class ErrorObject(TypedDict):
    """What is wrong, with which parameter."""

    message: str
    type: str
    param: str | None
    code: str


class OpenAIError(TypedDict):
    """OpenAI's error object."""

    error: ErrorObject


def to_core(body: EmbeddingsFields, cache: CacheUse, *, model: str, purpose: Purpose | None = None) -> EmbeddingRequest:
    """The request in our own words; raises `InvalidRequest`."""
    items = items_of(body.input, dimensions=body.dimensions, purpose=purpose)
    return EmbeddingRequest(model=model, items=items, user=body.user, cache=cache)


def items_of(value: Any, *, dimensions: int | None, purpose: Purpose | None) -> tuple[Item, ...]:  # JSON as it came
    """The inputs of a body, in order, each to be embedded in the same way; raises `InvalidRequest`."""
    contents = read_inputs(value)
    return tuple([Item(content=content, dimensions=dimensions, purpose=purpose) for content in contents])


RENDERINGS: Mapping[str, Callable[[Vector], bytes]] = {
    "float": vectors.to_json,
    "base64": vectors.to_base64,
    "int8": vectors.to_int8,
    "uint8": vectors.to_uint8,
    "binary": vectors.to_binary,
    "ubinary": vectors.to_ubinary,
}
"""By `encoding_format`: a vector as a JSON value. OpenAI's own clients know the first two."""


def from_core(
    embedded: Embedded,
    encoding: str,
    *,
    fields: Sequence[bytes] = (b"embedding",),
    identity: str | None = None,
) -> Response:
    """The answer's JSON, written by hand: vectors are already text or nearly so.

    A vector stands under each of `fields`; `identity` becomes the answer's id.
    """
    render = RENDERINGS[encoding]
    pieces = [b'{%b"object":"list","data":[' % (b'"id":%b,' % orjson.dumps(identity) if identity else b"")]
    for index, vector in enumerate(embedded.vectors):
        pieces += _item(index, render(vector), fields)
    pieces.append(b'],"model":%b,"usage":%b}' % (orjson.dumps(embedded.model), orjson.dumps(usage_of(embedded))))
    return Response(body=b"".join(pieces), compressible=encoding != "base64")


def _item(index: int, value: bytes, fields: Sequence[bytes]) -> list[bytes]:
    # In pieces, so that a long answer is copied once.
    named = [piece for field in fields for piece in (b',"%b":' % field, value)]
    return [b'%b{"object":"embedding","index":%d' % (b"," if index else b"", index), *named, b"}"]


def usage_of(embedded: Embedded) -> Usage:
    """Tokens of all inputs, and the cached ones in a field that other OpenAI APIs have."""
    usage: Usage = {"prompt_tokens": embedded.usage.tokens, "total_tokens": embedded.usage.tokens}
    if embedded.usage.cached:
        usage["prompt_tokens_details"] = {"cached_tokens": embedded.usage.cached}
    return usage


def error_response(error: GatewayError, status: int, kind: str, code: str, *, param: str | None) -> Response:
    """OpenAI's error object; headers say when to try again."""
    body: OpenAIError = {"error": {"message": _sentence(error), "type": kind, "param": param, "code": code}}
    return Response(body=orjson.dumps(body), status=status, headers=retry_headers(error))


def _sentence(error: GatewayError) -> str:
    if isinstance(error, errors.Unauthenticated) and not error.missing:
        # litellm knows an authentication error by these words alone, and else calls it a bad request.
        return f"Incorrect API key provided. {error.message}"
    return error.message


def wire_error(error: GatewayError, wire_errors: WireErrors) -> tuple[int, str, str]:
    """HTTP status, `type`, `code`: those of the table, or more telling ones where OpenAI has them."""
    status, kind, code = wire_errors[type(error)]
    match error:
        case InvalidRequest(unknown=True):
            return status, kind, "unknown_parameter"
        case errors.RequestTooLarge(by_tokens=True):
            return status, "max_tokens_per_request", "max_tokens_per_request"
        case errors.ProviderRefused(code=str(vendors)):
            return status, kind, vendors
    return status, kind, code


def ms_error_code(code: str) -> dict[str, str]:
    """The header in which Microsoft's dialects repeat an error's code, unless a vendor's code cannot stand in one."""
    return {"x-ms-error-code": code} if code.isascii() and code.isprintable() else {}


def read_inputs(value: Any) -> tuple[Input, ...]:  # JSON as it came
    """The inputs of a request, in order; raises `InvalidRequest` naming the element that is wrong."""
    if isinstance(value, str):
        return (_text(value, "input"),)
    if not isinstance(value, list):
        raise InvalidRequest(f"Invalid 'input': it must be {_FORMS}.", param="input")
    if not value:
        raise InvalidRequest("Invalid 'input': it is an empty array; give at least one input.", param="input")
    first = value[0]
    if type(first) in {int, float}:
        return (_tokens(value, "input"),)
    check_count(value, MAX_ELEMENTS, "inputs", "input")
    if isinstance(first, str):
        return _texts(value)
    if isinstance(first, list):
        return tuple(_tokens(item, f"input[{index}]") for index, item in enumerate(value))
    raise InvalidRequest(f"Invalid 'input[0]': it must be {_FORMS}.", param="input[0]")


def _texts(values: Sequence[Any]) -> tuple[str, ...]:  # JSON as it came
    if {*map(type, values)} == {str} and "" not in values:
        return tuple(values)
    return tuple(_text(value, f"input[{index}]") for index, value in enumerate(values))  # one of which is wrong


def _text(value: Any, path: str) -> str:  # JSON as it came
    if not isinstance(value, str):
        raise InvalidRequest(f"Invalid '{path}': the other inputs are strings, so it must be one too.", param=path)
    if not value:
        raise InvalidRequest(f"Invalid '{path}': it is an empty string, which has no meaning to embed.", param=path)
    return value


def _tokens(value: Any, path: str) -> Tokens:  # JSON as it came
    if not isinstance(value, list) or not value:
        raise InvalidRequest(f"Invalid '{path}': it must be an array of token ids, not empty.", param=path)
    if not _are_tokens(value):
        index = next(index for index, item in enumerate(value) if not _are_tokens([item]))
        raise InvalidRequest(
            f"Invalid '{path}[{index}]': a token id is an integer from 0 to {MAX_TOKEN_ID}.",
            param=f"{path}[{index}]",
        )
    return tuple(map(int, value))


def _are_tokens(values: list[Any]) -> bool:  # JSON as it came, where 8.0 is 8
    """There may be millions, so nothing here is a step of Python for each."""
    are_numbers = {*map(type, values)} <= {int, float} and min(values) >= 0 and max(values) <= MAX_TOKEN_ID
    return are_numbers and all(map(float.is_integer, map(float, values)))
