"""OpenAI's embeddings, as OpenAI, Clovis and Langdock spell them.

https://platform.openai.com/docs/api-reference/embeddings
"""

from collections.abc import Sequence

import orjson

from gateway.core import errors
from gateway.core.errors import GatewayError, WrongRegion
from gateway.dialects import _openai_shape as shape
from gateway.dialects import ctyun
from gateway.dialects._context import Answer, Dialect, RequestContext
from gateway.dialects._router import DialectRouter

WIRE_ERRORS: shape.WireErrors = {
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
    errors.StoreUnavailable: (503, "server_error", "temporarily_unavailable"),
    errors.InternalError: (500, "server_error", "internal_error"),
}


def render_error(error: GatewayError) -> Answer:
    """OpenAI's error object."""
    return shape.error_answer(error, *shape.told(error, WIRE_ERRORS), param=error.param)


DIALECT = Dialect(
    name="openai",
    render_error=render_error,
    follows_redirects=True,
    paths=(
        "POST /v1/embeddings",
        "GET /v1/models",
        "GET /v1/models/{model}",
        "and the same under /openai/{region}/v1 and /api/public/openai/{region}/v1",
    ),
)

router = DialectRouter(DIALECT)


@router.route(
    "POST",
    "/v1/embeddings",
    "/openai/{region}/v1/embeddings",
    "/api/public/openai/{region}/v1/embeddings",
)
async def embeddings(exchange: RequestContext) -> Answer:
    """One vector per input, in input order; also for the keys of Ctyun's customers, who share `/v1`."""
    caller = await exchange.authenticate()
    check_region(exchange)
    # Who names a region in the path speaks as Langdock does, whatever the key says.
    if caller.dialect == ctyun.DIALECT.name and "region" not in exchange.request.path_params:
        return await ctyun.embed(exchange, caller)
    body = await exchange.read(shape.EmbeddingsBody)
    request = shape.to_core(body, exchange.cache_use(), model=body.model)
    embedded = await exchange.gateway.embed(request, caller, exchange.record)
    return shape.from_core(embedded, body.encoding_format or "float")


@router.route("GET", "/v1/models", "/openai/{region}/v1/models", "/api/public/openai/{region}/v1/models")
async def list_models(exchange: RequestContext) -> Answer:
    """Every model this key may use here."""
    caller = await exchange.authenticate()
    check_region(exchange)
    return shape.model_list(await exchange.gateway.models.every(caller), shape.model_object)


@router.route(
    "GET",
    "/v1/models/{name:path}",
    "/openai/{region}/v1/models/{name:path}",
    "/api/public/openai/{region}/v1/models/{name:path}",
)
async def retrieve_model(exchange: RequestContext) -> Answer:
    """One model, by its name or alias."""
    caller = await exchange.authenticate()
    check_region(exchange)
    model = await exchange.gateway.models.one(exchange.request.path_params["name"], caller)
    return Answer(body=orjson.dumps(shape.model_object(model)))


def check_region(exchange: RequestContext) -> None:
    """The region in the path, if there is one, must be this stage's; raises `WrongRegion`, `ResourceNotFound`."""
    wanted, here, stages = exchange.request.path_params.get("region"), exchange.gateway.region, exchange.gateway.stages
    if wanted is None or wanted == here:
        return
    if wanted not in stages:
        raise unknown_region(wanted, list(stages))
    raise wrong_region(wanted, here=here, address=stages[wanted])


def unknown_region(wanted: str, regions: Sequence[str]) -> errors.ResourceNotFound:
    """The error of a path with a region that no stage has."""
    known = " and ".join(filter(None, (", ".join(regions[:-1]), regions[-1])))
    return errors.ResourceNotFound(f"There is no region {wanted!r}: the regions are {known}.", param="region")


def wrong_region(wanted: str, *, here: str, address: str | None) -> WrongRegion:
    """The error of a path with the region of another stage, whose address may not be known."""
    where = f"ask {address} instead" if address else "ask the operator for that region's address"
    return WrongRegion(
        f"This address computes vectors in {here!r} only, and nothing crosses regions: for {wanted!r} {where}.",
        param="region",
    )
