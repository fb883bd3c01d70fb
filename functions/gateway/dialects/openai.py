"""OpenAI's embeddings, as OpenAI, Clovis and Langdock spell them.

https://platform.openai.com/docs/api-reference/embeddings
"""

from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from gateway.core import errors
from gateway.core.allowance import retry_after
from gateway.core.catalogue import Model
from gateway.core.embedding import CacheUse, Embedded, EmbeddingRequest
from gateway.core.errors import GatewayError, InvalidRequest, WrongRegion
from gateway.core.vectors import to_base64, to_json
from gateway.dialects._exchange import Answer, Dialect, Exchange
from gateway.dialects._inputs import read_inputs
from gateway.dialects._router import DialectRouter

Encoding = Literal["float", "base64"]


class EmbeddingsBody(BaseModel):
    """`POST /v1/embeddings`. `null` means absent, as several clients send it."""

    model_config = ConfigDict(extra="forbid", strict=True, defer_build=True)

    model: str = Field(min_length=1)
    input: Any  # read by `read_inputs`, whose messages name the element that is wrong
    encoding_format: Encoding | None = None
    dimensions: int | None = Field(None, ge=1)
    user: str | None = None


def to_core(body: EmbeddingsBody, cache: CacheUse) -> EmbeddingRequest:
    """The request in our own words; raises `InvalidRequest`."""
    return EmbeddingRequest(
        model=body.model,
        inputs=read_inputs(body.input),
        dimensions=body.dimensions,
        user=body.user,
        cache=cache,
    )


def from_core(embedded: Embedded, encoding: Encoding) -> Answer:
    """The answer's JSON, written by hand: vectors are already text or nearly so."""
    items = b",".join(
        b'{"object":"embedding","index":%d,"embedding":%b}' % (index, render_vector(vector, encoding))
        for index, vector in enumerate(embedded.vectors)
    )
    body = b'{"object":"list","data":[%b],"model":%b,"usage":%b}' % (
        items,
        orjson.dumps(embedded.model),
        orjson.dumps(usage_of(embedded)),
    )
    return Answer(body=body, compressible=encoding == "float")


def render_vector(vector: bytes | memoryview, encoding: Encoding) -> bytes:
    """A JSON value: numbers, or a string of base64."""
    return to_json(vector) if encoding == "float" else b'"%b"' % to_base64(vector)


def usage_of(embedded: Embedded) -> dict[str, Any]:
    """Tokens of all inputs; where the cache spared some, how many, as OpenAI tells it elsewhere."""
    usage: dict[str, Any] = {"prompt_tokens": embedded.usage.tokens, "total_tokens": embedded.usage.tokens}
    if embedded.usage.cached:
        usage["prompt_tokens_details"] = {"cached_tokens": embedded.usage.cached}
    return usage


WIRE_ERRORS: dict[type[GatewayError], tuple[int, str, str | None]] = {
    # cause: HTTP status, `type`, `code`
    errors.InvalidRequest: (400, "invalid_request_error", "invalid_value"),
    errors.UnsupportedParameter: (400, "invalid_request_error", "unsupported_value"),
    errors.InputTooLong: (400, "invalid_request_error", "context_length_exceeded"),
    errors.RequestTooLarge: (400, "invalid_request_error", "request_too_large"),
    errors.BodyTooLarge: (413, "invalid_request_error", "body_too_large"),
    errors.WrongContentType: (415, "invalid_request_error", "unsupported_content_type"),
    errors.Unauthenticated: (401, "invalid_request_error", "invalid_api_key"),
    errors.NotPermitted: (403, "invalid_request_error", "model_not_permitted"),
    errors.WrongRegion: (403, "invalid_request_error", "wrong_region"),
    errors.ModelNotFound: (404, "invalid_request_error", "model_not_found"),
    errors.ResourceNotFound: (404, "invalid_request_error", "not_found"),
    errors.MethodNotAllowed: (405, "invalid_request_error", "method_not_allowed"),
    errors.AllowanceExhausted: (429, "rate_limit_error", "rate_limit_exceeded"),
    errors.ProviderRefused: (400, "invalid_request_error", "provider_refused"),
    errors.ProviderThrottled: (429, "rate_limit_error", "provider_rate_limit_exceeded"),
    errors.ProviderUnavailable: (503, "server_error", "provider_unavailable"),
    errors.ProviderTimeout: (504, "server_error", "provider_timeout"),
    errors.ProviderMisbehaved: (502, "server_error", "provider_misbehaved"),
    errors.KeysUnavailable: (503, "server_error", "keys_unavailable"),
    errors.InternalError: (500, "server_error", "internal_error"),
}


def render_error(error: GatewayError) -> Answer:
    """OpenAI's error object; headers tell when to try again."""
    status, kind, code = WIRE_ERRORS[type(error)]
    body = {"error": {"message": error.message, "type": kind, "param": error.param, "code": _code(error) or code}}
    return Answer(body=orjson.dumps(body), status=status, headers=retry_headers(error))


def _code(error: GatewayError) -> str | None:
    """A more telling code than the cause's own, where there is one."""
    match error:
        case InvalidRequest(unknown=True):
            return "unknown_parameter"
        case errors.AllowanceExhausted(limited_by="tokens"):
            return "rate_limit_exceeded"
        case errors.ProviderRefused(code=str(code)):
            return code
    return None


def retry_headers(error: GatewayError) -> dict[str, str]:
    """When to try again, for the causes that waiting mends: whole seconds, and milliseconds for who reads them."""
    match error:
        case errors.AllowanceExhausted(retry_after=seconds):
            return {"retry-after": str(retry_after(seconds)), "retry-after-ms": str(max(1, round(seconds * 1000)))}
        case errors.ProviderThrottled(retry_after=None):
            return {"retry-after": "1"}
        case errors.ProviderThrottled(retry_after=float() | int() as seconds):
            return {"retry-after": str(retry_after(seconds))}
        case errors.MethodNotAllowed(allowed=allowed):
            return {"allow": ", ".join(allowed)}
    return {}


DIALECT = Dialect(name="openai", render_error=render_error, follows_redirects=True)

router = DialectRouter(DIALECT)


@router.route(
    "POST",
    "/v1/embeddings",
    "/openai/{region}/v1/embeddings",
    "/api/public/openai/{region}/v1/embeddings",
)
async def embeddings(exchange: Exchange) -> Answer:
    """One vector per input, in input order."""
    caller = await exchange.authenticate()
    check_region(exchange)
    body = await exchange.read(EmbeddingsBody)
    embedded = await exchange.gateway.embed(to_core(body, exchange.cache_use()), caller, exchange.record)
    return from_core(embedded, body.encoding_format or "float")


@router.route("GET", "/v1/models")
async def list_models(exchange: Exchange) -> Answer:
    """Every model this key may use here."""
    models = await exchange.gateway.models.every(await exchange.authenticate())
    return Answer(body=orjson.dumps({"object": "list", "data": [model_object(model) for model in models]}))


@router.route("GET", "/v1/models/{name:path}")
async def retrieve_model(exchange: Exchange) -> Answer:
    """One model, by its name or alias."""
    caller = await exchange.authenticate()
    model = await exchange.gateway.models.one(exchange.request.path_params["name"], caller)
    return Answer(body=orjson.dumps(model_object(model)))


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


def check_region(exchange: Exchange) -> None:
    """The region in the path, if there is one, must be this stage's; raises `WrongRegion`, `ResourceNotFound`."""
    wanted, here = exchange.request.path_params.get("region"), exchange.gateway.region
    if wanted is None or wanted == here:
        return
    if wanted not in {"eu", "us"}:
        raise errors.ResourceNotFound(f"There is no region {wanted!r}: the regions are eu and us.", param="region")
    elsewhere = exchange.gateway.other_stages.get(wanted)
    where = f"ask {elsewhere} instead" if elsewhere else "ask the operator for that region's address"
    raise WrongRegion(
        f"This address computes vectors in {here!r} only, and nothing crosses regions: for {wanted!r} {where}.",
        param="region",
    )
