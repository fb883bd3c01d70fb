"""Gemini's embeddings, as Google's own clients and everybody else's spell them.

https://ai.google.dev/api/embeddings
Both spellings of every field are taken, `taskType` and `task_type`, as protocol buffers' JSON has it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import orjson
from msgspec import Meta
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError
from starlette.types import Scope

from gateway.core import errors
from gateway.core.catalogue import NotNegative
from gateway.core.embedding import CacheUse, Embedded, EmbeddingRequest, Item, Purpose, Usage
from gateway.core.errors import GatewayError, InvalidRequest, UnsupportedParameter
from gateway.core.rate_limit import retry_after
from gateway.core.shown import shown
from gateway.core.vectors import to_json
from gateway.dialects._body_text import path_text
from gateway.dialects._context import Dialect
from gateway.dialects._response import Response, retry_headers
from gateway.dialects._router import Context, DialectRouter
from gateway.dialects._validation import DIMENSIONS_SCHEMA, check_count, renamed

INT32 = 2**31 - 1

TaskType = Literal[
    "TASK_TYPE_UNSPECIFIED",
    "RETRIEVAL_QUERY",
    "RETRIEVAL_DOCUMENT",
    "SEMANTIC_SIMILARITY",
    "CLASSIFICATION",
    "CLUSTERING",
    "QUESTION_ANSWERING",
    "FACT_VERIFICATION",
    "CODE_RETRIEVAL_QUERY",
]

PURPOSES: dict[TaskType, Purpose | None] = {
    "TASK_TYPE_UNSPECIFIED": None,
    "RETRIEVAL_QUERY": Purpose.QUERY,
    "RETRIEVAL_DOCUMENT": Purpose.DOCUMENT,
    "SEMANTIC_SIMILARITY": Purpose.SIMILARITY,
    "CLASSIFICATION": Purpose.CLASSIFICATION,
    "CLUSTERING": Purpose.CLUSTERING,
    "QUESTION_ANSWERING": Purpose.QUESTION_ANSWERING,
    "FACT_VERIFICATION": Purpose.FACT_VERIFICATION,
    "CODE_RETRIEVAL_QUERY": Purpose.CODE_QUERY,
}

TASK_TYPES = tuple(PURPOSES)
"""By number, which ProtoJSON takes for a name."""

SPELLINGS = {
    "task_type": "taskType",
    "output_dimensionality": "outputDimensionality",
    "embed_content_config": "embedContentConfig",
    "auto_truncate": "autoTruncate",
    "document_ocr": "documentOcr",
    "audio_track_extraction": "audioTrackExtraction",
}

GIVEN_TWICE = {"task_type": "taskType", "title": "title", "output_dimensionality": "outputDimensionality"}
"""Options that a request has itself and in its `embedContentConfig`."""

NOT_DONE = {
    "auto_truncate": "autoTruncate",
    "document_ocr": "documentOcr",
    "audio_track_extraction": "audioTrackExtraction",
}
"""Options that are refused: a text is embedded as it is, or not at all."""

Part = Mapping[str, Any]
"""JSON as it came."""

OTHER_PARTS = {
    "inlineData": "inline media",
    "inline_data": "inline media",
    "fileData": "files",
    "file_data": "files",
    "functionCall": "function calls",
    "function_call": "function calls",
    "functionResponse": "function responses",
    "function_response": "function responses",
    "executableCode": "executable code",
    "executable_code": "executable code",
    "codeExecutionResult": "results of code",
    "code_execution_result": "results of code",
}
"""What a part may hold instead of text."""

BESIDE_TEXT = {"thought", "thoughtSignature", "thought_signature", "videoMetadata", "video_metadata"}
"""Fields that describe a part and hold no content."""

KNOWN = OTHER_PARTS.keys() | BESIDE_TEXT | {"text"}

WIRE_NAMES = {"input": "content", "purpose": "taskType", "dimensions": "outputDimensionality"}
"""What the core calls a parameter → what this dialect's clients call it."""


def _named(value: Any) -> Any:  # JSON as it came
    """A number of the enum as its name."""
    is_number = type(value) in {int, float} and value in range(len(TASK_TYPES))
    return TASK_TYPES[int(value)] if is_number else value


def _refuse_bool(value: Any) -> Any:
    # JSON as it came. Numbers may come as strings here, so the model is not strict, but true is not 1.
    if isinstance(value, bool):
        raise PydanticCustomError("int_type", "Input should be a valid integer")
    return value


_TEXT_PARTS: dict[str, Any] = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "required": ["text"],
        "properties": {"text": {"type": "string", "minLength": 1}},
        "additionalProperties": False,
    },
}

_TITLE_NEEDS_DOCUMENT: dict[str, Any] = {
    "if": {"required": ["title"], "properties": {"title": {"type": "string", "minLength": 1}}},
    "then": {"required": ["taskType"], "properties": {"taskType": {"enum": ["RETRIEVAL_DOCUMENT", 2]}}},
}

_OPTIONS_ONCE: dict[str, Any] = {
    "if": {"required": ["embedContentConfig"], "properties": {"embedContentConfig": {"type": "object"}}},
    "then": {"properties": {name: {"type": "null"} for name in GIVEN_TWICE.values()}},
}
"""More than is asked: the document cannot say that two values must be equal."""

_TASK_TYPE_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"enum": list(TASK_TYPES)},
        {"type": "integer", "minimum": 0, "maximum": len(TASK_TYPES) - 1},
        {"type": "null"},
    ]
}


class Content(BaseModel):
    """A text, in parts."""

    model_config = ConfigDict(extra="forbid", defer_build=True, json_schema_extra={"required": ["parts"]})

    role: str | None = Field(None, description="Whose turn it was; counts for nothing.")
    parts: list[dict[str, Any]] | None = Field(  # Any: read by `text_of`, whose messages name the part that is wrong
        None,
        fail_fast=True,
        description="Together they are one input, a line each. Only text is embedded.",
        json_schema_extra={"anyOf": [_TEXT_PARTS, {"type": "null"}]},
    )


def _not_done(name: str) -> Any:  # a field of pydantic's
    return Field(None, alias=name, description="Not supported.", json_schema_extra={"type": "null"})


MODEL = Field(None, description="`models/` and the name in the path, or nothing.")


class EmbedOptions(BaseModel):
    """How to embed a content."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    task_type: Annotated[TaskType | None, BeforeValidator(_named)] = Field(
        None,
        alias="taskType",
        description="What the vector is for, by name or by number. Also spelled `task_type`.",
        json_schema_extra=_TASK_TYPE_SCHEMA,
    )
    title: str | None = Field(
        None,
        description="The text's title; only with the taskType RETRIEVAL_DOCUMENT, and for models that take one.",
    )
    output_dimensionality: Annotated[int, BeforeValidator(_refuse_bool), Field(ge=1, le=INT32)] | None = Field(
        None,
        alias="outputDimensionality",
        description="How many numbers the vector has; shortened ones have length one. Also `output_dimensionality`.",
        json_schema_extra=DIMENSIONS_SCHEMA,
    )

    @model_validator(mode="before")
    @classmethod
    def respell(cls, body: Any) -> Any:  # JSON as it came
        """`task_type` becomes `taskType`; if both are there, it is refused."""
        if not isinstance(body, dict):
            return body
        return {SPELLINGS[name] if SPELLINGS.get(name, name) not in body else name: body[name] for name in body}


class EmbedContentConfig(EmbedOptions):
    """The options, where Google has them now."""

    model_config = ConfigDict(json_schema_extra=_TITLE_NEEDS_DOCUMENT)

    auto_truncate: Any = _not_done("autoTruncate")
    document_ocr: Any = _not_done("documentOcr")
    audio_track_extraction: Any = _not_done("audioTrackExtraction")


class EmbedContentRequest(EmbedOptions):
    """One content to embed, and how."""

    model_config = ConfigDict(
        json_schema_extra={"required": ["content"], "allOf": [_TITLE_NEEDS_DOCUMENT, _OPTIONS_ONCE]}
    )

    model: str | None = MODEL
    content: Content | None = None
    embed_content_config: EmbedContentConfig | None = Field(
        None,
        alias="embedContentConfig",
        description="The options once more; one that is given in both places must be the same. Also snake_case.",
    )


def _few_enough(requests: Any, info: ValidationInfo) -> Any:  # JSON as it came
    """The requests, none of which was looked at; `info.context` is how many the model takes."""
    if info.context is not None:
        check_count(requests, info.context, "requests", "requests")
    return requests


class BatchEmbedContentsRequest(BaseModel):
    """Contents to embed, each in its own way."""

    model_config = ConfigDict(extra="forbid", defer_build=True, json_schema_extra={"required": ["requests"]})

    model: str | None = MODEL
    requests: Annotated[list[EmbedContentRequest] | None, BeforeValidator(_few_enough)] = Field(
        None,
        fail_fast=True,
        description="One vector each. As many as Google takes, 100, unless the model takes more.",
        json_schema_extra={"minItems": 1, "maxItems": 100},
    )


def describe_problem(detail: Any) -> tuple[str, str]:  # a pydantic ErrorDetails, which is a TypedDict of its core
    """Where a body is wrong and how, in Google's words."""
    path = path_text(detail["loc"])
    match detail["type"]:
        case "json_invalid":
            return "", f"Invalid JSON payload received. {detail['ctx']['error']}."
        case "extra_forbidden":
            parent = path_text(detail["loc"][:-1])
            at = f" at '{parent}'" if parent else ""
            name = shown(str(detail["loc"][-1]))
            return path, f'Invalid JSON payload received. Unknown name "{name}"{at}: Cannot find field.'
    return path, f"Invalid value at '{path}': {detail['msg'][:1].lower()}{detail['msg'][1:]}."


def to_core(bodies: Sequence[EmbedContentRequest], name: str, cache: CacheUse, place: str = "") -> EmbeddingRequest:
    """The request in our own words; raises `InvalidRequest`.

    `place` is where the bodies stand in a batch, such as `requests[{}].`, with braces for the number.
    """
    items = tuple(_item(body, name, place.format(number)) for number, body in enumerate(bodies))
    return EmbeddingRequest(model=name, items=items, cache=cache)


def _item(body: EmbedContentRequest, name: str, place: str) -> Item:
    _check_model(body.model, name, f"{place}model")
    options = _options(body, place)
    purpose = PURPOSES[options.task_type or "TASK_TYPE_UNSPECIFIED"]
    if options.title and purpose is not Purpose.DOCUMENT:
        raise InvalidRequest(f"'{place}title' is only for the taskType RETRIEVAL_DOCUMENT.", param=f"{place}title")
    return Item(
        content=_content(body.content, f"{place}content"),
        dimensions=options.output_dimensionality,
        purpose=purpose,
        title=options.title or None,
    )


def _options(body: EmbedContentRequest, place: str) -> EmbedOptions:
    """The options of a request, wherever it has them; raises `InvalidRequest`, `UnsupportedParameter`."""
    config = body.embed_content_config
    if config is None:
        return body
    for field, name in NOT_DONE.items():
        if getattr(config, field) is not None:
            path = f"{place}embedContentConfig.{name}"
            raise UnsupportedParameter(f"'{path}' is not supported: a text is embedded as it is.", param=path)
    for field, name in GIVEN_TWICE.items():
        given = {value for value in (getattr(body, field), getattr(config, field)) if value is not None}
        if len(given) > 1:
            path = f"{place}embedContentConfig.{name}"
            raise InvalidRequest(f"'{path}' is not the same as '{place}{name}'; give it once.", param=path)
    return EmbedOptions.model_construct(
        **{field: getattr(config if getattr(body, field) is None else body, field) for field in GIVEN_TWICE}
    )


def _check_model(given: str | None, name: str, path: str) -> None:
    if given is not None and given.removeprefix("models/").removeprefix("tunedModels/") != name:
        raise InvalidRequest(
            f"The model at '{path}' must be the one in the path, 'models/{name}', or none.", param=path
        )


def _content(content: Content | None, path: str) -> str:
    if content is None:
        raise InvalidRequest(f"'{path}' is required.", param=path)
    return text_of(content.parts or (), path)


def text_of(parts: Sequence[Part], path: str) -> str:
    """The text of a content: its parts are one input, a line each; raises `InvalidRequest`."""
    text = "\n".join(_part_text(part, f"{path}.parts[{index}]") for index, part in enumerate(parts))
    if not text:
        raise InvalidRequest(f"'{path}' has no text: give it at least one part with text.", param=path)
    return text


def _part_text(part: Part, path: str) -> str:
    for field, value in part.items():
        _check_field(field, value, path)
    text = part.get("text")
    if not isinstance(text, str) or not text:
        raise InvalidRequest(f"'{path}.text' must be a string, not empty.", param=f"{path}.text")
    return text


def _check_field(field: str, value: object, path: str) -> None:
    if value is None:
        return  # null means absent
    if field not in KNOWN:
        raise InvalidRequest(
            f"Invalid JSON payload received. Unknown name \"{shown(field)}\" at '{path}': Cannot find field.",
            param=f"{path}.{shown(field)}",
            unknown=True,
        )
    if field in OTHER_PARTS:
        raise UnsupportedParameter(f"'{path}.{field}': only text is embedded, not {OTHER_PARTS[field]}.", param=path)


class ContentEmbedding(TypedDict):
    """A vector."""

    values: list[float]


class ModalityTokens(TypedDict):
    """Tokens of one kind of input."""

    modality: str
    tokenCount: NotNegative


class UsageMetadata(TypedDict):
    """Tokens of all inputs."""

    promptTokenCount: NotNegative
    promptTokenDetails: list[ModalityTokens]


class EmbedContentResponse(TypedDict):
    """One vector."""

    embedding: ContentEmbedding
    usageMetadata: UsageMetadata


class BatchEmbedContentsResponse(TypedDict):
    """One vector per request, in order."""

    embeddings: list[ContentEmbedding]
    usageMetadata: UsageMetadata


def single_response(embedded: Embedded) -> Response:
    """The one vector."""
    (vector,) = embedded.vectors
    body = b'{"embedding":{"values":%b},"usageMetadata":%b}' % (to_json(vector), _usage(embedded.usage))
    return Response(body=body, compressible=True)


def batch_response(embedded: Embedded) -> Response:
    """One vector per request, in order."""
    items = b",".join(b'{"values":%b}' % to_json(vector) for vector in embedded.vectors)
    body = b'{"embeddings":[%b],"usageMetadata":%b}' % (items, _usage(embedded.usage))
    return Response(body=body, compressible=True)


def _usage(usage: Usage) -> bytes:
    metadata: UsageMetadata = {
        "promptTokenCount": usage.tokens,
        "promptTokenDetails": [{"modality": "TEXT", "tokenCount": usage.tokens}],
    }
    return orjson.dumps(metadata)


WIRE_ERRORS: Mapping[type[GatewayError], tuple[int, str]] = {
    # cause: HTTP status, google.rpc.Code
    errors.InvalidRequest: (400, "INVALID_ARGUMENT"),
    errors.UnsupportedParameter: (400, "INVALID_ARGUMENT"),
    errors.InputTooLong: (400, "INVALID_ARGUMENT"),
    errors.RequestTooLarge: (400, "INVALID_ARGUMENT"),
    errors.BodyTooLarge: (413, "INVALID_ARGUMENT"),
    errors.WrongContentType: (415, "INVALID_ARGUMENT"),
    errors.Unauthenticated: (400, "INVALID_ARGUMENT"),
    errors.NotPermitted: (403, "PERMISSION_DENIED"),
    errors.WrongRegion: (403, "PERMISSION_DENIED"),
    errors.ModelNotFound: (404, "NOT_FOUND"),
    errors.ResourceNotFound: (404, "NOT_FOUND"),
    errors.MethodNotAllowed: (405, "UNIMPLEMENTED"),
    errors.AllowanceExhausted: (429, "RESOURCE_EXHAUSTED"),
    errors.ProviderRefused: (400, "FAILED_PRECONDITION"),
    errors.ProviderThrottled: (429, "RESOURCE_EXHAUSTED"),
    errors.ProviderMisconfigured: (502, "UNAVAILABLE"),
    errors.ProviderUnavailable: (503, "UNAVAILABLE"),
    errors.ProviderTimeout: (504, "DEADLINE_EXCEEDED"),
    errors.ProviderMisbehaved: (502, "INTERNAL"),
    errors.StoreUnavailable: (503, "UNAVAILABLE"),
    errors.InternalError: (500, "INTERNAL"),
}


Detail = Annotated[
    dict[str, Any],  # JSON of the kind that `@type` names
    Meta(extra_json_schema={"required": ["@type"], "properties": {"@type": {"type": "string"}}}),
]


class StatusObject(TypedDict):
    """What is wrong."""

    code: int
    message: str
    status: str
    details: NotRequired[list[Detail]]


class Status(TypedDict):
    """google.rpc.Status."""

    error: StatusObject


def render_error(error: GatewayError) -> Response:
    """google.rpc.Status, with the details that its clients show."""
    status, code = WIRE_ERRORS[type(error)]
    message = error.message
    match error:
        case errors.Unauthenticated(missing=True):
            status, code = 403, "PERMISSION_DENIED"  # what Google answers to callers without any key
        case errors.Unauthenticated():
            message = f"API key not valid. Please pass a valid API key. {message}"  # clients look for these words
    shown: StatusObject = {"code": status, "message": message, "status": code}
    if details := list(_details(error)):
        shown["details"] = details
    body: Status = {"error": shown}
    return Response(body=orjson.dumps(body), status=status, headers=retry_headers(error))


def _details(error: GatewayError) -> Iterator[dict[str, Any]]:
    match error:
        case errors.Unauthenticated(missing=False):
            yield _detail("ErrorInfo", reason="API_KEY_INVALID", domain="googleapis.com")
        case InvalidRequest(param=str()) | InvalidRequest(problems=[_, *_]):
            yield _detail("BadRequest", fieldViolations=_violations(error))
        case errors.AllowanceExhausted(limited_by=limited_by, retry_after=seconds):
            quota = {"quotaId": f"EmbedContent{limited_by.capitalize()}PerMinute", "description": error.message}
            yield _detail("QuotaFailure", violations=[quota])
            yield _detail("RetryInfo", retryDelay=f"{retry_after(seconds)}s")
        case errors.ProviderThrottled(retry_after=seconds):
            yield _detail("RetryInfo", retryDelay=f"{retry_after(seconds or 1)}s")


def _detail(kind: str, **fields: Any) -> dict[str, Any]:  # Any: JSON
    return {"@type": f"type.googleapis.com/google.rpc.{kind}", **fields}


def _violations(error: InvalidRequest) -> list[dict[str, str]]:
    # Problems of a body already use the names of the body.
    problems = error.problems or ((renamed(_place(error), WIRE_NAMES) or "", error.message),)
    return [{"field": path, "description": message} for path, message in problems]


def _place(error: InvalidRequest) -> str:
    match error:
        case errors.InputTooLong(index=int(index)) if index:  # input 0 may be the only one, and has no number
            return f"requests[{index}].content"
    return error.param or ""


def has_googles_credential(scope: Scope) -> bool:
    """Whether a request on a path shared with OpenAI's clients comes from Google's."""
    if any(name == b"x-goog-api-key" for name, _ in scope["headers"]):
        return True
    return any(part.startswith(b"key=") for part in scope["query_string"].split(b"&"))


DIALECT = Dialect(
    name="gemini",
    description="Gemini. Every field may be spelled in camelCase or in snake_case.",
    wire_errors=WIRE_ERRORS,
    error=Status,
    render_error=render_error,
    base64=False,
    key_in_query=True,
    paths=(
        "POST /v1beta/models/{model}:embedContent",
        "POST /v1beta/models/{model}:batchEmbedContents",
        "GET /v1beta/models",
        "GET /v1beta/models/{model}",
        "with tunedModels for models in the first two",
        "and the same under /v1, /gemini/v1beta and /gemini/v1",
    ),
)

router = DialectRouter(DIALECT)

UNSHARED = ("/v1beta", "/gemini/v1beta", "/gemini/v1", "/gemini")
"""Where nobody but Google's clients asks."""

SHARED = "/v1"

KINDS = ("models", "tunedModels")


def _verb_paths(verb: str) -> Iterator[str]:
    return (f"{base}/{kind}/{{name:path}}:{verb}" for base in (*UNSHARED, SHARED) for kind in KINDS)


@router.endpoint(
    "POST",
    *_verb_paths("embedContent"),
    summary="Embed one content",
    operation_id="embedContent",
    body=EmbedContentRequest,
    answer=EmbedContentResponse,
)
async def embed_content(context: Context) -> Response:
    """One vector."""
    body = context.read(EmbedContentRequest, describe_problem)
    name = context.path_params["name"]
    await context.gateway.models.find(name)  # an unknown model is reported before a content that cannot be embedded
    return single_response(await context.embed(to_core([body], name, context.cache_use())))


@router.endpoint(
    "POST",
    *_verb_paths("batchEmbedContents"),
    summary="Embed several contents",
    operation_id="batchEmbedContents",
    body=BatchEmbedContentsRequest,
    answer=BatchEmbedContentsResponse,
)
async def batch_embed_contents(context: Context) -> Response:
    """One vector per request, in order."""
    name = context.path_params["name"]
    model = await context.gateway.models.find(name)  # it says how many requests are worth reading
    body = context.read(BatchEmbedContentsRequest, describe_problem, most=model.max_contents)
    if not body.requests:
        raise InvalidRequest("'requests' is empty: give at least one request.", param="requests")
    _check_model(body.model, name, "model")
    return batch_response(await context.embed(to_core(body.requests, name, context.cache_use(), "requests[{}].")))
