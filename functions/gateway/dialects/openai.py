"""OpenAI's embeddings, as OpenAI, Clovis and Langdock spell them.

https://platform.openai.com/docs/api-reference/embeddings
"""

from gateway.core import errors
from gateway.core.errors import GatewayError
from gateway.dialects import _openai_shape as shape
from gateway.dialects import ctyun
from gateway.dialects._context import Dialect
from gateway.dialects._openai_models import add_model_routes
from gateway.dialects._response import Response
from gateway.dialects._router import Context, DialectRouter

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
    errors.ProviderMisconfigured: (502, "server_error", "provider_misconfigured"),
    errors.ProviderUnavailable: (503, "server_error", "provider_unavailable"),
    errors.ProviderTimeout: (504, "server_error", "provider_timeout"),
    errors.ProviderMisbehaved: (502, "server_error", "provider_misbehaved"),
    errors.StoreUnavailable: (503, "server_error", "temporarily_unavailable"),
    errors.InternalError: (500, "server_error", "internal_error"),
}


def render_error(error: GatewayError) -> Response:
    """OpenAI's error object."""
    return shape.error_response(error, *shape.wire_error(error, WIRE_ERRORS), param=error.param)


DIALECT = Dialect(
    name="openai",
    description="OpenAI, and Clovis and Langdock, who speak its words.",
    wire_errors=WIRE_ERRORS,
    error=shape.OpenAIError,
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

BASE = "/v1"
"""Ctyun's customers share it: their keys say so."""

REGIONAL = ("/openai/{region}/v1", "/api/public/openai/{region}/v1")
"""Langdock's, whatever the key."""


@router.endpoint(
    "POST",
    f"{BASE}/embeddings",
    shared_with=ctyun.DIALECT,
    summary="Embed texts",
    operation_id="createEmbeddings",
    body=shape.EmbeddingsBody,
    answer=shape.Embeddings,
)
@router.endpoint(
    "POST",
    *(f"{base}/embeddings" for base in REGIONAL),
    summary="Embed texts in the region of this address",
    operation_id="createRegionalEmbeddings",
    body=shape.EmbeddingsBody,
    answer=shape.Embeddings,
)
async def embeddings(context: Context) -> Response:
    """One vector per input, in input order."""
    body = context.read(shape.EmbeddingsBody)
    embedded = await context.embed(shape.to_core(body, context.cache_use(), model=body.model))
    return shape.from_core(embedded, body.encoding_format or "float", fields=context.dialect.vector_fields)


add_model_routes(router, BASE)
add_model_routes(router, *REGIONAL, whose="Regional")
