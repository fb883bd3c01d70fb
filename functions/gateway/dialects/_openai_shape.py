"""What OpenAI, Azure OpenAI and Ctyun have in common: the body, the list of vectors, the models, when to try again."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from gateway.core import errors, vectors
from gateway.core.catalogue import Model
from gateway.core.embedding import CacheUse, Embedded, EmbeddingRequest, Purpose, Vector
from gateway.core.errors import GatewayError, InvalidRequest
from gateway.core.rate_limit import retry_after
from gateway.dialects._context import Answer
from gateway.dialects._inputs import WholeNumber, read_inputs

Encoding = Literal["float", "base64"]

WireErrors = Mapping[type[GatewayError], tuple[int, str, str]]
"""Cause → HTTP status, `type`, `code`."""


class EmbeddingsFields(BaseModel):
    """What all `POST …/embeddings` know. `null` means absent, as several clients send it."""

    model_config = ConfigDict(extra="forbid", strict=True, defer_build=True)

    input: Any  # read by `read_inputs`, whose messages name the element that is wrong
    encoding_format: Encoding | None = None
    dimensions: Annotated[WholeNumber, Field(ge=1)] | None = None
    user: str | None = None


class EmbeddingsBody(EmbeddingsFields):
    """OpenAI's own."""

    model: str = Field(min_length=1)


def to_core(body: EmbeddingsFields, cache: CacheUse, *, model: str, purpose: Purpose | None = None) -> EmbeddingRequest:
    """The request in our own words; raises `InvalidRequest`."""
    return EmbeddingRequest(
        model=model,
        inputs=read_inputs(body.input),
        dimensions=body.dimensions,
        purpose=purpose,
        user=body.user,
        cache=cache,
    )


def render_base64(vector: Vector) -> bytes:
    """A JSON string of base64."""
    return b'"%b"' % vectors.to_base64(vector)


RENDERINGS: Mapping[str, Callable[[Vector], bytes]] = {
    "float": vectors.to_json,
    "base64": render_base64,
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
) -> Answer:
    """The answer's JSON, written by hand: vectors are already text or nearly so.

    A vector stands under each of `fields`; `identity` becomes the answer's id.
    """
    render = RENDERINGS[encoding]
    pieces = [b'{%b"object":"list","data":[' % (b'"id":%b,' % orjson.dumps(identity) if identity else b"")]
    for index, vector in enumerate(embedded.vectors):
        pieces += _item(index, render(vector), fields)
    pieces.append(b'],"model":%b,"usage":%b}' % (orjson.dumps(embedded.model), orjson.dumps(usage_of(embedded))))
    return Answer(body=b"".join(pieces), compressible=encoding != "base64")


def _item(index: int, value: bytes, fields: Sequence[bytes]) -> Iterator[bytes]:
    # In pieces, so that a long answer is copied once.
    yield b'%b{"object":"embedding","index":%d' % (b"," if index else b"", index)
    for field in fields:
        yield b',"%b":' % field
        yield value
    yield b"}"


def usage_of(embedded: Embedded) -> dict[str, Any]:
    """Tokens of all inputs; where the cache spared some, how many, as OpenAI tells it elsewhere."""
    usage: dict[str, Any] = {"prompt_tokens": embedded.usage.tokens, "total_tokens": embedded.usage.tokens}
    if embedded.usage.cached:
        usage["prompt_tokens_details"] = {"cached_tokens": embedded.usage.cached}
    return usage


def error_answer(error: GatewayError, status: int, kind: str, code: str, *, param: str | None) -> Answer:
    """OpenAI's error object; headers tell when to try again."""
    body = {"message": _sentence(error), "type": kind, "param": param, "code": code}
    return Answer(body=orjson.dumps({"error": body}), status=status, headers=retry_headers(error))


def _sentence(error: GatewayError) -> str:
    if isinstance(error, errors.Unauthenticated) and not error.missing:
        # litellm knows an authentication error by these words alone, and else calls it a bad request.
        return f"Incorrect API key provided. {error.message}"
    return error.message


def told(error: GatewayError, wire_errors: WireErrors) -> tuple[int, str, str]:
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


def retry_headers(error: GatewayError) -> dict[str, str]:
    """When to try again, for the causes that waiting mends: whole seconds, and milliseconds for who reads them."""
    match error:
        case errors.AllowanceExhausted(retry_after=seconds):
            return {"retry-after": str(retry_after(seconds)), "retry-after-ms": str(max(1, round(seconds * 1000)))}
        case errors.ProviderThrottled(retry_after=None) | errors.StoreUnavailable():
            return {"retry-after": "1"}
        case errors.ProviderThrottled(retry_after=float() | int() as seconds):
            return {"retry-after": str(retry_after(seconds))}
        case errors.MethodNotAllowed(allowed=allowed):
            return {"allow": ", ".join(allowed)}
    return {}


def ms_error_code(code: str) -> dict[str, str]:
    """The header in which Microsoft's dialects repeat an error's code, unless a vendor's code cannot stand in one."""
    return {"x-ms-error-code": code} if code.isascii() and code.isprintable() else {}


def model_list(models: Sequence[Model], describe: Callable[[Model], dict[str, Any]]) -> Answer:
    """OpenAI's list of models."""
    return Answer(body=orjson.dumps({"object": "list", "data": [describe(model) for model in models]}))


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
