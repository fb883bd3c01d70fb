"""Ctyun's embeddings: OpenAI's, but each vector stands under `embeddings` too, and error codes are strings of digits.

The vendor's page of the interface, `wishub-x1.ctyun.cn/v1/embeddings`, names one error: 500001 INVOKE_MODEL_ERROR.
The other rows are ours, HTTP status first.
"""

from typing import Literal, TypedDict

from gateway.core import errors
from gateway.core.errors import GatewayError
from gateway.dialects import _openai_shape as shape
from gateway.dialects._context import Dialect
from gateway.dialects._openai_models import add_model_routes
from gateway.dialects._response import Response
from gateway.dialects._router import Context, DialectRouter

VECTOR_FIELDS = (b"embedding", b"embeddings")
"""The vendor's table and sample read the second; clients made for OpenAI read the first."""

WIRE_ERRORS: shape.WireErrors = {
    errors.InvalidRequest: (400, "INVALID_PARAMETER", "400001"),
    errors.UnsupportedParameter: (400, "UNSUPPORTED_PARAMETER", "400002"),
    errors.InputTooLong: (400, "INPUT_TOO_LONG", "400003"),
    errors.RequestTooLarge: (400, "REQUEST_TOO_LARGE", "400004"),
    errors.ProviderRefused: (400, "MODEL_REFUSED", "400005"),
    errors.Unauthenticated: (401, "INVALID_APP_KEY", "401001"),
    errors.NotPermitted: (403, "NO_PERMISSION", "403001"),
    errors.WrongRegion: (403, "WRONG_REGION", "403002"),
    errors.ModelNotFound: (404, "MODEL_NOT_FOUND", "404001"),
    errors.ResourceNotFound: (404, "NOT_FOUND", "404002"),
    errors.MethodNotAllowed: (405, "METHOD_NOT_ALLOWED", "405001"),
    errors.BodyTooLarge: (413, "BODY_TOO_LARGE", "413001"),
    errors.WrongContentType: (415, "UNSUPPORTED_CONTENT_TYPE", "415001"),
    errors.AllowanceExhausted: (429, "RATE_LIMIT_EXCEEDED", "429001"),
    errors.ProviderThrottled: (429, "MODEL_RATE_LIMIT_EXCEEDED", "429002"),
    errors.ProviderMisbehaved: (500, "INVOKE_MODEL_ERROR", "500001"),
    errors.InternalError: (500, "INTERNAL_ERROR", "500002"),
    errors.ProviderMisconfigured: (502, "MODEL_MISCONFIGURED", "502001"),
    errors.ProviderUnavailable: (503, "MODEL_UNAVAILABLE", "503001"),
    errors.StoreUnavailable: (503, "TEMPORARILY_UNAVAILABLE", "503002"),
    errors.ProviderTimeout: (504, "MODEL_TIMEOUT", "504001"),
}


class CtyunEmbedding(shape.Embedding):
    """A vector, under both names."""

    embeddings: shape.VectorValue


class CtyunEmbeddings(TypedDict):
    """One vector per input, in input order, under both names."""

    object: Literal["list"]
    data: list[CtyunEmbedding]
    model: str
    usage: shape.Usage


class CtyunError(shape.OpenAIError):
    """OpenAI's error object, its code always digits."""


def render_error(error: GatewayError) -> Response:
    """OpenAI's error object, its code always digits."""
    return shape.error_response(error, *WIRE_ERRORS[type(error)], param=error.param)


DIALECT = Dialect(
    name="ctyun",
    description="Ctyun: OpenAI's bodies, each vector under two names, errors with codes of digits.",
    wire_errors=WIRE_ERRORS,
    error=CtyunError,
    render_error=render_error,
    follows_redirects=True,
    paths=("POST /ctyun/v1/embeddings", "GET /ctyun/v1/models", "GET /ctyun/v1/models/{model}"),
    vector_fields=VECTOR_FIELDS,
)

router = DialectRouter(DIALECT, "/ctyun")


@router.endpoint(
    "POST",
    "/v1/embeddings",
    summary="Embed texts",
    operation_id="createCtyunEmbeddings",
    body=shape.EmbeddingsBody,
    answer=CtyunEmbeddings,
)
async def embeddings(context: Context) -> Response:
    """One vector per input, in input order."""
    body = context.read(shape.EmbeddingsBody)
    embedded = await context.embed(shape.to_core(body, context.cache_use(), model=body.model))
    return shape.from_core(embedded, body.encoding_format or "float", fields=VECTOR_FIELDS)


add_model_routes(router, "/v1", whose="Ctyun")
