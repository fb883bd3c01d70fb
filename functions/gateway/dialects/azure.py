"""Azure AI model inference: embeddings of any model at one address, in six formats, and what the address serves.

https://learn.microsoft.com/azure/ai-foundry/model-inference/reference/reference-model-inference-embeddings
`api-version` may be any date, or missing. An error has both shapes that Microsoft documents at once, so that its SDK
and readers of the reference page each find message, code and details.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, TypedDict, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field

from gateway.core import errors
from gateway.core.catalogue import Model
from gateway.core.embedding import EmbeddingRequest
from gateway.core.errors import GatewayError, InvalidRequest, ModelNotFound, UnsupportedParameter
from gateway.core.shown import listed, quoted, shown
from gateway.dialects import _openai_shape as shape
from gateway.dialects._context import Dialect, RequestContext
from gateway.dialects._openai_shape import WholeNumber
from gateway.dialects._response import Response, retry_headers
from gateway.dialects._router import Context, DialectRouter
from gateway.dialects._validation import renamed

Value = TypeVar("Value")

WIRE_NAMES = {"purpose": "input_type", "deployment": "azureml-model-deployment"}
"""What the core calls a parameter → what this dialect's clients call it."""

IN_HEADERS = {"azureml-model-deployment", "extra-parameters"}

QUERY = "?"
"""Stands before a parameter's name where it is the query's, not the body's of the same name."""

POLICIES = ("error", "ignore", "drop", "pass-through", "allow")
"""What the header `extra-parameters` may say; it is `error` if absent."""

MAX_SHOWN = 64
"""Characters of a wrong value that an error repeats."""

MOST_MODELS = 10
"""Models that are named to who names none."""


class EmbeddingsBody(BaseModel):
    """What to embed, and how. The header `extra-parameters` says what becomes of further fields."""

    model_config = ConfigDict(
        extra="allow",
        strict=True,
        defer_build=True,
        title="InferenceEmbeddingsRequest",
        json_schema_extra={"additionalProperties": False},  # as long as that header is not sent
    )

    model: str | None = Field(
        None, description="A model's name or alias. May be left out by keys that are permitted one model only."
    )
    input: Any = shape.INPUT
    dimensions: WholeNumber | None = shape.DIMENSIONS
    encoding_format: str | None = Field(
        None,
        description=(
            "`float` if not given. `base64` is little-endian float32. `int8` scales a vector so that its largest "
            "component is 127 (compare by cosine); `uint8` is that plus 128. `ubinary` has a bit per dimension, the "
            "first the highest, one where a component is greater than zero; `binary` is that less 128."
        ),
        json_schema_extra={"enum": [*shape.RENDERINGS, None]},
    )
    input_type: str | None = Field(
        None,
        description="What the vectors are for, for models that make others for a query than for a document.",
        json_schema_extra={"enum": [*shape.INPUT_TYPES, None]},
    )


def to_core(body: EmbeddingsBody, context: RequestContext, model: str) -> EmbeddingRequest:
    """The request in our own words; raises `InvalidRequest`, `UnsupportedParameter`."""
    headers = context.headers
    extra = extra_of(body.model_extra or {}, headers.get("extra-parameters") or "error")
    purpose = one_of(shape.INPUT_TYPES, body.input_type or "text", "input_type")
    return EmbeddingRequest(
        model=model,
        items=shape.items_of(body.input, dimensions=body.dimensions, purpose=purpose),
        user=_user(extra),
        deployment=headers.get("azureml-model-deployment") or None,
        extra={name: value for name, value in extra.items() if name != "user"},
        cache=context.cache_use(),
    )


def one_of(choices: Mapping[str, Value], value: str, param: str) -> Value:
    """What the value stands for; raises `UnsupportedParameter` for one that stands for nothing."""
    if value not in choices:
        raise UnsupportedParameter(f"'{param}' must be one of {', '.join(choices)}.", param=param, value=value)
    return choices[value]


def extra_of(extra: Mapping[str, Any], policy: str) -> Mapping[str, Any]:
    """The unknown parameters to pass on; raises `InvalidRequest` if the policy refuses them."""
    given = {name: value for name, value in extra.items() if value is not None}  # null means absent
    match policy.strip().lower():
        case "pass-through" | "allow":
            return given
        case "ignore" | "drop":
            return {}
        case "error":
            if given:
                raise InvalidRequest(_about_unknown(given), param=next(iter(given)), unknown=True)
            return {}
    raise InvalidRequest(
        f"'extra-parameters' must be one of {', '.join(POLICIES)}.", param="extra-parameters", value=policy
    )


def _about_unknown(extra: Mapping[str, Any]) -> str:
    return (
        f"Extra parameters {listed(extra, as_shown=quoted)} are not allowed: remove them, or send the header "
        "'extra-parameters: ignore' to have them dropped or 'pass-through' to hand them to the model."
    )


def _user(extra: Mapping[str, Any]) -> str | None:
    # Among the extra ones it would be part of every cache key.
    user = extra.get("user")
    if user is not None and not isinstance(user, str):
        raise InvalidRequest("Invalid 'user': it must be a string.", param="user", value=user)
    return user


WIRE_ERRORS: Mapping[type[GatewayError], tuple[int, str]] = {
    # cause: HTTP status, code
    errors.InvalidRequest: (400, "invalid_request"),
    errors.UnsupportedParameter: (422, "unsupported_parameter"),
    errors.InputTooLong: (400, "context_length_exceeded"),
    errors.RequestTooLarge: (400, "request_too_large"),
    errors.BodyTooLarge: (413, "body_too_large"),
    errors.WrongContentType: (415, "unsupported_media_type"),
    errors.Unauthenticated: (401, "Unauthorized"),
    errors.NotPermitted: (403, "Forbidden"),
    errors.WrongRegion: (403, "wrong_region"),
    errors.ModelNotFound: (404, "model_not_found"),
    errors.ResourceNotFound: (404, "NotFound"),
    errors.MethodNotAllowed: (405, "method_not_allowed"),
    errors.AllowanceExhausted: (429, "too_many_requests"),
    errors.ProviderRefused: (400, "model_refused"),
    errors.ProviderThrottled: (429, "model_too_many_requests"),
    errors.ProviderMisconfigured: (502, "model_misconfigured"),
    errors.ProviderUnavailable: (503, "model_unavailable"),
    errors.ProviderTimeout: (504, "model_timeout"),
    errors.ProviderMisbehaved: (502, "model_misbehaved"),
    errors.StoreUnavailable: (503, "temporarily_unavailable"),
    errors.InternalError: (500, "internal_error"),
}


class InferenceEmbeddings(TypedDict):
    """One vector per input, in input order."""

    id: str
    object: Literal["list"]
    data: list[shape.Embedding]
    model: str
    usage: shape.Usage


class ModelInfo(TypedDict):
    """What the address serves."""

    model_name: str
    model_type: Literal["embeddings"]
    model_provider_name: str


class ErrorDetail(TypedDict):
    """What is wrong with one parameter."""

    code: str
    target: str
    message: str


class NestedError(TypedDict):
    """The error as Microsoft's SDKs read it."""

    code: str
    message: str
    target: NotRequired[str]
    details: NotRequired[list[ErrorDetail]]


class ErrorPlace(TypedDict):
    """Which parameter, and its value if that is wrong."""

    loc: list[str]
    value: str


class InferenceError(TypedDict):
    """Both shapes that Microsoft documents: `error` as its SDKs read it, the rest as its reference page prints it."""

    error: NestedError
    code: str
    message: str
    status: int
    param: NotRequired[str]
    details: NotRequired[ErrorPlace]


def render_error(error: GatewayError) -> Response:
    """The same facts twice: nested as Microsoft's SDKs read them, flat as its reference page prints them."""
    status, usual = WIRE_ERRORS[type(error)]
    code = _code(error) or usual
    nested: NestedError = {"code": code, "message": error.message}
    body: InferenceError = {"error": nested, "code": code, "message": error.message, "status": status}
    if location := _location(error):
        param = _name(error)
        nested |= {"target": param, "details": [{"code": code, "target": param, "message": error.message}]}
        body |= {"param": param, "details": {"loc": location, "value": _value(error)}}
    headers = {**retry_headers(error), **shape.ms_error_code(code)}
    return Response(body=orjson.dumps(body), status=status, headers=headers)


def _code(error: GatewayError) -> str | None:
    """A more telling code than the cause's own, where there is one."""
    match error:
        case InvalidRequest(unknown=True):
            return "extra_parameters_not_allowed"
        case errors.ProviderRefused(code=str(code)):
            return code
    return None


def _name(error: GatewayError) -> str:
    if isinstance(error, InvalidRequest) and error.unknown:
        return error.param or ""  # the caller's own name, whatever it looks like
    return (renamed(error.param, WIRE_NAMES) or "").removeprefix(QUERY)


def _location(error: GatewayError) -> list[str]:
    """Where the parameter stands, outermost first; none if the error is about no parameter."""
    match error:
        case GatewayError(param=None):
            return []
        case InvalidRequest(unknown=True):
            return ["body", _name(error)]
        case GatewayError(param=str(param)) if param.startswith(QUERY):
            return ["query", _name(error)]
    name = _name(error)
    return ["header", name] if name in IN_HEADERS else ["body", *name.replace("]", "").split("[")]


def _value(error: GatewayError) -> str:
    """The wrong value as text, if it is short; never a text to embed, which may be private."""
    match error:
        case InvalidRequest(value=value) if value is not None:
            return _shown(value)
        case ModelNotFound(model=name):
            return _shown(name)
    return ""


def _shown(value: object) -> str:
    if not isinstance(value, str | int | float):
        return ""
    text = value if isinstance(value, str) else json.dumps(value)
    return shown(text) if len(text) <= MAX_SHOWN else ""


DIALECT = Dialect(
    name="azure",
    description="Azure AI model inference: any model, in six formats.",
    wire_errors=WIRE_ERRORS,
    error=InferenceError,
    render_error=render_error,
    paths=("POST /embeddings", "POST /models/embeddings", "GET /info", "GET /models/info"),
)

router = DialectRouter(DIALECT)


EXTRA_PARAMETERS = {
    "name": "extra-parameters",
    "in": "header",
    "description": (
        "What happens to parameters that this API does not know: refused (`error`, also when not given), "
        "dropped (`ignore`, `drop`) or handed to the model (`pass-through`, `allow`)."
    ),
    "schema": {"enum": list(POLICIES)},
}

DEPLOYMENT = {
    "name": "azureml-model-deployment",
    "in": "header",
    "description": "The name of one of the model's routes.",
    "schema": {"type": "string"},
}


@router.endpoint(
    "POST",
    "/embeddings",
    "/models/embeddings",
    summary="Embed texts, in any of six formats",
    operation_id="createInferenceEmbeddings",
    body=EmbeddingsBody,
    answer=InferenceEmbeddings,
    openapi_extra={"parameters": [shape.API_VERSION, EXTRA_PARAMETERS, DEPLOYMENT]},
)
async def embeddings(context: Context) -> Response:
    """One vector per input, in input order."""
    body = context.read(EmbeddingsBody)
    encoding = body.encoding_format or "float"
    one_of(shape.RENDERINGS, encoding, "encoding_format")
    request = to_core(body, context, body.model or sole_model(await context.gateway.models.every(context.caller)).name)
    try:
        embedded = await context.embed(request)
    except ModelNotFound as error:
        if error.param == "deployment":
            raise _about(error, "deployment", request.deployment) from error
        raise
    return shape.from_core(embedded, encoding, identity=context.request_id)


def _about(error: ModelNotFound, param: str, name: str | None) -> ModelNotFound:
    """The same error, about the parameter that named the model or the route."""
    again = ModelNotFound(error.message, model=name or "", param=param)
    again.facts = error.facts
    return again


def sole_model(models: Sequence[Model]) -> Model:
    """The one model there is to choose; raises `ModelNotFound` if there are several, or none."""
    if len(models) == 1:
        return models[0]
    names = listed([model.name for model in models], MOST_MODELS) or "none that this key may use"
    raise ModelNotFound(f"No model is named. Add 'model' to the body; there is: {names}.", model="")


MODEL = {"name": "model", "in": "query", "description": "The model asked about.", "schema": {"type": "string"}}


@router.endpoint(
    "GET",
    "/info",
    "/models/info",
    summary="Show what the address serves",
    operation_id="getModelInfo",
    answer=ModelInfo,
    openapi_extra={"parameters": [shape.API_VERSION, MODEL]},
)
async def info(context: Context) -> Response:
    """The model named by the query's `model`; without a name the only one, or else the gateway as a whole."""
    name = context.query_value("model")
    models = [await _named(context, name)] if name else await context.gateway.models.every(context.caller)
    shown = (models[0].name, models[0].owner) if len(models) == 1 else ("embeddings-gateway", "embeddings-gateway")
    body: ModelInfo = {"model_name": shown[0], "model_type": "embeddings", "model_provider_name": shown[1]}
    return Response(body=orjson.dumps(body))


async def _named(context: RequestContext, name: str) -> Model:
    try:
        return await context.gateway.models.one(name, context.caller)
    except ModelNotFound as error:
        raise _about(error, f"{QUERY}model", name) from error
