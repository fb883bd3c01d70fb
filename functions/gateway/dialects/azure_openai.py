"""Azure OpenAI's embeddings: OpenAI's body at Azure's paths, where the deployment in the path is the model.

https://learn.microsoft.com/azure/ai-services/openai/reference (deployment paths), and its `v1` surface without them.
`api-version` may be any date, or missing.
"""

from typing import Literal, TypedDict

from pydantic import ConfigDict, Field

from gateway.core import errors
from gateway.core.catalogue import Model
from gateway.core.errors import GatewayError, InvalidRequest
from gateway.dialects import _openai_models
from gateway.dialects import _openai_shape as shape
from gateway.dialects._context import Dialect
from gateway.dialects._openai_batches import add_batch_routes
from gateway.dialects._openai_files import add_file_routes
from gateway.dialects._response import Response
from gateway.dialects._router import Context, DialectRouter
from gateway.dialects._validation import renamed

WIRE_NAMES = {"purpose": "input_type"}
"""What the core calls a parameter → what this dialect's clients call it."""


PARAMETERS = {"parameters": [shape.API_VERSION]}


class DeploymentBody(shape.EmbeddingsFields):
    """What to embed; the deployment in the path is the model, and `model` counts for nothing."""

    model_config = ConfigDict(title="DeploymentEmbeddingsRequest")

    model: str | None = None
    input_type: Literal["text", "query", "document"] | None = shape.INPUT_TYPE


class EmbeddingsBody(DeploymentBody):
    """What to embed, and how."""

    model_config = ConfigDict(title="AzureEmbeddingsRequest", json_schema_extra={"required": ["model", "input"]})

    model: str | None = Field(None, description="A model's name or alias.", json_schema_extra={"minLength": 1})


WIRE_ERRORS: shape.WireErrors = {
    errors.InvalidRequest: (400, "invalid_request_error", "invalid_value"),
    errors.UnsupportedParameter: (400, "invalid_request_error", "unsupported_value"),
    errors.InputTooLong: (400, "invalid_request_error", "context_length_exceeded"),
    errors.RequestTooLarge: (400, "invalid_request_error", "request_too_large"),
    errors.BodyTooLarge: (413, "invalid_request_error", "413"),
    errors.WrongContentType: (415, "invalid_request_error", "415"),
    errors.Unauthenticated: (401, "invalid_request_error", "401"),
    errors.NotPermitted: (403, "invalid_request_error", "403"),
    errors.WrongRegion: (403, "invalid_request_error", "403"),
    errors.ModelNotFound: (404, "invalid_request_error", "DeploymentNotFound"),
    errors.ResourceNotFound: (404, "invalid_request_error", "404"),
    errors.MethodNotAllowed: (405, "invalid_request_error", "405"),
    errors.AllowanceExhausted: (429, "rate_limit_error", "429"),
    errors.ProviderRefused: (400, "invalid_request_error", "BadRequest"),
    errors.ProviderThrottled: (429, "rate_limit_error", "429"),
    errors.ProviderMisconfigured: (502, "server_error", "502"),
    errors.ProviderUnavailable: (503, "server_error", "503"),
    errors.ProviderTimeout: (504, "server_error", "504"),
    errors.ProviderMisbehaved: (502, "server_error", "502"),
    errors.StoreUnavailable: (503, "server_error", "503"),
    errors.InternalError: (500, "server_error", "InternalServerError"),
}


def render_error(error: GatewayError) -> Response:
    """OpenAI's error object; its code stands in Azure's header too."""
    status, kind, code = shape.wire_error(error, WIRE_ERRORS)
    unknown = isinstance(error, InvalidRequest) and error.unknown  # then it has the caller's own name
    param = error.param if unknown else renamed(error.param, WIRE_NAMES)
    response = shape.error_response(error, status, kind, code, param=param)
    return Response(body=response.body, status=status, headers={**response.headers, **shape.ms_error_code(code)})


DIALECT = Dialect(
    name="azure-openai",
    description="Azure OpenAI: OpenAI's bodies at Azure's paths.",
    wire_errors=WIRE_ERRORS,
    error=shape.OpenAIError,
    render_error=render_error,
    follows_redirects=True,
    paths=(
        "POST /openai/deployments/{deployment}/embeddings",
        "POST /openai/v1/embeddings",
        "POST /openai/embeddings",
        "GET /openai/models",
        "GET /openai/models/{model}",
        "GET /openai/v1/models",
        "GET /openai/v1/models/{model}",
        "/openai/files and /openai/batches, and both below /openai/v1",
    ),
)

router = DialectRouter(DIALECT, "/openai")


@router.endpoint(
    "POST",
    "/deployments/{deployment:path}/embeddings",
    summary="Embed texts with a deployment",
    operation_id="createDeploymentEmbeddings",
    body=DeploymentBody,
    answer=shape.Embeddings,
    openapi_extra=PARAMETERS,
)
@router.endpoint(
    "POST",
    "/v1/embeddings",
    "/embeddings",
    summary="Embed texts",
    operation_id="createAzureEmbeddings",
    body=EmbeddingsBody,
    answer=shape.Embeddings,
    openapi_extra=PARAMETERS,
)
async def embeddings(context: Context) -> Response:
    """One vector per input, in input order."""
    body = context.read(DeploymentBody)
    model = _model(context.path_params.get("deployment"), body)
    purpose = shape.INPUT_TYPES[body.input_type or "text"]
    embedded = await context.embed(shape.to_core(body, context.cache_use(), model=model, purpose=purpose))
    return shape.from_core(embedded, body.encoding_format or "float")


def _model(deployment: str | None, body: DeploymentBody) -> str:
    name = deployment or body.model
    if not name:
        raise InvalidRequest("Missing required parameter: 'model'.", param="model")
    return name


class AzureModel(_openai_models.ModelObject):
    """A model, with what Azure's clients look for."""

    created_at: int
    status: str
    lifecycle_status: str
    capabilities: dict[str, bool]


class AzureModelList(TypedDict):
    """The models that the key may use."""

    object: Literal["list"]
    data: list[AzureModel]


def model_object(model: Model) -> AzureModel:
    """OpenAI's model object with what Azure's clients look for beside it."""
    return {
        **_openai_models.model_object(model),
        "created_at": model.created,
        "status": "succeeded",
        "lifecycle_status": "generally-available",
        "capabilities": {"embeddings": True, "inference": True, "completion": False, "chat_completion": False},
    }


_openai_models.add_model_routes(
    router,
    "",
    "/v1",
    describe=model_object,
    types=(AzureModelList, AzureModel),
    whose="Azure",
    openapi_extra=PARAMETERS,
)
add_file_routes(router, "", "/v1")
add_batch_routes(router, "", "/v1")
