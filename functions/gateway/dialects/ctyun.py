"""Ctyun's embeddings: OpenAI's, but each vector stands under `embeddings` too, and error codes are strings of digits.

The vendor's page of the interface, `wishub-x1.ctyun.cn/v1/embeddings`, names one error: 500001 INVOKE_MODEL_ERROR.
The other rows are ours, HTTP status first.
"""

import orjson

from gateway.core import errors
from gateway.core.caller import Caller
from gateway.core.errors import GatewayError
from gateway.dialects import _openai_shape as shape
from gateway.dialects._context import Answer, Dialect, RequestContext
from gateway.dialects._router import DialectRouter

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
    errors.ProviderUnavailable: (503, "MODEL_UNAVAILABLE", "503001"),
    errors.StoreUnavailable: (503, "TEMPORARILY_UNAVAILABLE", "503002"),
    errors.ProviderTimeout: (504, "MODEL_TIMEOUT", "504001"),
}


def render_error(error: GatewayError) -> Answer:
    """OpenAI's error object, its code always digits."""
    return shape.error_answer(error, *WIRE_ERRORS[type(error)], param=error.param)


DIALECT = Dialect(
    name="ctyun",
    render_error=render_error,
    follows_redirects=True,
    paths=("POST /ctyun/v1/embeddings", "GET /ctyun/v1/models", "GET /ctyun/v1/models/{model}"),
)

router = DialectRouter(DIALECT, "/ctyun")


@router.route("POST", "/v1/embeddings")
async def embeddings(exchange: RequestContext) -> Answer:
    """One vector per input, in input order."""
    return await embed(exchange, await exchange.authenticate())


async def embed(exchange: RequestContext, caller: Caller) -> Answer:
    """The same on a path shared with OpenAI's clients, once the key has told who is calling."""
    exchange.dialect = DIALECT
    body = await exchange.read(shape.EmbeddingsBody)
    request = shape.to_core(body, exchange.cache_use(), model=body.model)
    embedded = await exchange.gateway.embed(request, caller, exchange.record)
    return shape.from_core(embedded, body.encoding_format or "float", fields=VECTOR_FIELDS)


@router.route("GET", "/v1/models")
async def list_models(exchange: RequestContext) -> Answer:
    """Every model this key may use here."""
    models = await exchange.gateway.models.every(await exchange.authenticate())
    return shape.model_list(models, shape.model_object)


@router.route("GET", "/v1/models/{name:path}")
async def retrieve_model(exchange: RequestContext) -> Answer:
    """One model, by its name or alias."""
    caller = await exchange.authenticate()
    model = await exchange.gateway.models.one(exchange.request.path_params["name"], caller)
    return Answer(body=orjson.dumps(shape.model_object(model)))
