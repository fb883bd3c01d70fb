"""Gemini's embeddings, as Google's own clients and everybody else's spell them.

https://ai.google.dev/api/embeddings
Both spellings of every field are taken, `taskType` and `task_type`, as protocol buffers' JSON has it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError
from starlette.types import Scope

from gateway.core import errors
from gateway.core.catalogue import Model
from gateway.core.embedding import EmbeddingRequest, Purpose, Usage
from gateway.core.errors import GatewayError, InvalidRequest, RequestTooLarge
from gateway.core.rate_limit import retry_after
from gateway.core.vectors import to_json
from gateway.dialects._context import Answer, Dialect, RequestContext, path_text, renamed
from gateway.dialects._gemini_parts import text_of
from gateway.dialects._openai_shape import retry_headers
from gateway.dialects._router import DialectRouter
from gateway.operations.embed_each import EmbeddedEach, embed_each

INT32 = 2**31 - 1
DIGITS_OF_INT32 = 10

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

SPELLINGS = {"task_type": "taskType", "output_dimensionality": "outputDimensionality"}

PAGE_PARAMETERS = (("pageSize", "page_size"), ("pageToken", "page_token"))
"""Each in both spellings."""

WIRE_NAMES = {"input": "content", "purpose": "taskType", "dimensions": "outputDimensionality"}
"""What the core calls a parameter → what this dialect's clients call it."""


def _refuse_bool(value: Any) -> Any:
    # JSON as it came. Numbers may come as strings here, so the model is not strict, but true is not 1.
    if isinstance(value, bool):
        raise PydanticCustomError("int_type", "Input should be a valid integer")
    return value


class Content(BaseModel):
    """What is embedded: the text of its parts. Whose turn it was (`role`) counts for nothing."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    role: str | None = None
    parts: list[dict[str, Any]] | None = None  # Any: read by `text_of`, whose messages name the part that is wrong


class EmbedContentRequest(BaseModel):
    """`:embedContent`, and each request of a batch. `null` means absent."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    model: str | None = None
    content: Content | None = None
    task_type: TaskType | None = Field(None, alias="taskType")
    title: str | None = None
    output_dimensionality: Annotated[int, BeforeValidator(_refuse_bool), Field(ge=1, le=INT32)] | None = Field(
        None, alias="outputDimensionality"
    )

    @model_validator(mode="before")
    @classmethod
    def respell(cls, body: Any) -> Any:  # JSON as it came
        """`task_type` is `taskType`; if both are there, one is a name too many."""
        if not isinstance(body, dict):
            return body
        return {SPELLINGS[name] if SPELLINGS.get(name, name) not in body else name: body[name] for name in body}


class BatchEmbedContentsRequest(BaseModel):
    """`:batchEmbedContents`."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    model: str | None = None
    requests: list[EmbedContentRequest] | None = None


def word(detail: Any) -> tuple[str, str]:  # a pydantic ErrorDetails, which is a TypedDict of its core
    """Where a body is wrong and how, in Google's words."""
    path = path_text(detail["loc"])
    match detail["type"]:
        case "json_invalid":
            return "", f"Invalid JSON payload received. {detail['ctx']['error']}."
        case "extra_forbidden":
            parent = path_text(detail["loc"][:-1])
            at = f" at '{parent}'" if parent else ""
            return path, f'Invalid JSON payload received. Unknown name "{detail["loc"][-1]}"{at}: Cannot find field.'
    return path, f"Invalid value at '{path}': {detail['msg'][:1].lower()}{detail['msg'][1:]}."


def to_core(body: EmbedContentRequest, exchange: RequestContext, name: str, place: str = "") -> EmbeddingRequest:
    """The request in our own words; raises `InvalidRequest`. `place` is where it stands in a batch, dot included."""
    _check_model(body.model, name, f"{place}model")
    purpose = PURPOSES[body.task_type or "TASK_TYPE_UNSPECIFIED"]
    title = body.title or None
    if title is not None and purpose is not Purpose.DOCUMENT:
        raise InvalidRequest(
            f"'{place}title' is only for the taskType RETRIEVAL_DOCUMENT.",
            param=f"{place}title",
        )
    return EmbeddingRequest(
        model=name,
        inputs=(_input(body.content, f"{place}content"),),
        dimensions=body.output_dimensionality,
        purpose=purpose,
        title=title,
        cache=exchange.cache_use(),
    )


def _check_model(told: str | None, name: str, path: str) -> None:
    if told is not None and told.removeprefix("models/").removeprefix("tunedModels/") != name:
        raise InvalidRequest(
            f"The model at '{path}' must be the one in the path, 'models/{name}', or none.", param=path
        )


def _input(content: Content | None, path: str) -> str:
    if content is None:
        raise InvalidRequest(f"'{path}' is required.", param=path)
    return text_of(content.parts or (), path)


def single_answer(embedded: EmbeddedEach) -> Answer:
    """The one vector."""
    (vector,) = embedded.vectors
    body = b'{"embedding":{"values":%b},"usageMetadata":%b}' % (to_json(vector), _usage(embedded.usage))
    return Answer(body=body, compressible=True)


def batch_answer(embedded: EmbeddedEach) -> Answer:
    """One vector per request, in order."""
    items = b",".join(b'{"values":%b}' % to_json(vector) for vector in embedded.vectors)
    body = b'{"embeddings":[%b],"usageMetadata":%b}' % (items, _usage(embedded.usage))
    return Answer(body=body, compressible=True)


def _usage(usage: Usage) -> bytes:
    details = [{"modality": "TEXT", "tokenCount": usage.tokens}]
    return orjson.dumps({"promptTokenCount": usage.tokens, "promptTokenDetails": details})


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
    errors.ProviderUnavailable: (503, "UNAVAILABLE"),
    errors.ProviderTimeout: (504, "DEADLINE_EXCEEDED"),
    errors.ProviderMisbehaved: (502, "INTERNAL"),
    errors.StoreUnavailable: (503, "UNAVAILABLE"),
    errors.InternalError: (500, "INTERNAL"),
}


def render_error(error: GatewayError) -> Answer:
    """google.rpc.Status, with the details that its clients show."""
    status, code = WIRE_ERRORS[type(error)]
    message = error.message
    match error:
        case errors.Unauthenticated(missing=True):
            status, code = 403, "PERMISSION_DENIED"  # what Google answers to callers without any key
        case errors.Unauthenticated():
            message = f"API key not valid. Please pass a valid API key. {message}"  # clients look for these words
    told: dict[str, Any] = {"code": status, "message": message, "status": code}
    if details := list(_details(error)):
        told["details"] = details
    return Answer(body=orjson.dumps({"error": told}), status=status, headers=retry_headers(error))


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
    # What is wrong with a body is told in its own names already.
    problems = error.problems or ((renamed(_place(error), WIRE_NAMES) or "", error.message),)
    return [{"field": path, "description": message} for path, message in problems]


def _place(error: InvalidRequest) -> str:
    match error:
        case errors.InputTooLong(index=int(index)) if index:  # the first may be the only one, which has no number
            return f"requests[{index}].content"
    return error.param or ""


def has_googles_credential(scope: Scope) -> bool:
    """Whether a request on a path shared with OpenAI's clients comes from Google's."""
    if any(name == b"x-goog-api-key" for name, _ in scope["headers"]):
        return True
    return any(part.startswith(b"key=") for part in scope["query_string"].split(b"&"))


DIALECT = Dialect(
    name="gemini",
    render_error=render_error,
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


def _under(bases: Sequence[str], *paths: str) -> tuple[str, ...]:
    return tuple(base + path for base in bases for path in paths)


@router.route(
    "POST", *_under((*UNSHARED, SHARED), "/models/{name:path}:embedContent", "/tunedModels/{name:path}:embedContent")
)
async def embed_content(exchange: RequestContext) -> Answer:
    """One vector."""
    caller = await exchange.authenticate()
    body = await exchange.read(EmbedContentRequest, word)
    name = exchange.request.path_params["name"]
    await exchange.gateway.models.find(name)  # an unknown model is the first thing to tell
    request = to_core(body, exchange, name)
    return single_answer(await embed_each(exchange.gateway.embed, [request], caller, exchange.record))


@router.route(
    "POST",
    *_under(
        (*UNSHARED, SHARED), "/models/{name:path}:batchEmbedContents", "/tunedModels/{name:path}:batchEmbedContents"
    ),
)
async def batch_embed_contents(exchange: RequestContext) -> Answer:
    """One vector per request, in order."""
    caller = await exchange.authenticate()
    body = await exchange.read(BatchEmbedContentsRequest, word)
    name = exchange.request.path_params["name"]
    asked = body.requests or ()
    _check_count(asked, await exchange.gateway.models.find(name))
    _check_model(body.model, name, "model")
    requests = [to_core(each, exchange, name, f"requests[{index}].") for index, each in enumerate(asked)]
    return batch_answer(await embed_each(exchange.gateway.embed, requests, caller, exchange.record))


def _check_count(requests: Sequence[EmbedContentRequest], model: Model) -> None:
    if not requests:
        raise InvalidRequest("'requests' is empty: give at least one request.", param="requests")
    if len(requests) > model.max_contents:
        raise RequestTooLarge(
            f"At most {model.max_contents} requests can be in one batch; this one has {len(requests)}.",
            param="requests",
        )


@router.route("GET", f"{SHARED}/models", only_if=has_googles_credential)
@router.route("GET", *_under(UNSHARED, "/models"))
async def list_models(exchange: RequestContext) -> Answer:
    """The models this key may use here, a page at a time."""
    models = await exchange.gateway.models.every(await exchange.authenticate())
    size, token = (_asked_once(exchange, *spellings) for spellings in PAGE_PARAMETERS)
    page, following = _page(models, size, token)
    body: dict[str, Any] = {"models": [model_resource(model) for model in page]}
    # An empty token, or one that leads to an empty page, makes Google's clients fail.
    return Answer(body=orjson.dumps(body | ({"nextPageToken": following} if following else {})))


def _asked_once(exchange: RequestContext, name: str, other_spelling: str) -> str:
    query = exchange.request.query_params
    values = query.getlist(name) + query.getlist(other_spelling)
    if len(values) > 1:
        raise InvalidRequest(f"'{name}' is given {len(values)} times; give it once.", param=name)
    return values[0] if values else ""


def _page(models: Sequence[Model], size: str, token: str) -> tuple[Sequence[Model], str | None]:
    """The models after the one that the token names, and the token of the next page if there is one."""
    most = _number(size)
    rest = [model for model in models if model.name > token]
    page = rest[:most]
    return page, page[-1].name if len(rest) > most else None


def _number(size: str) -> int:
    if size and not (size.isascii() and size.isdecimal() and len(size) <= DIGITS_OF_INT32 and int(size) <= INT32):
        raise InvalidRequest("Invalid value at 'pageSize': it must be a number, 0 or more.", param="pageSize")
    return min(int(size or 0) or 50, 1000)


@router.route("GET", f"{SHARED}/models/{{name:path}}", only_if=has_googles_credential)
@router.route("GET", *_under(UNSHARED, "/models/{name:path}"))
async def get_model(exchange: RequestContext) -> Answer:
    """One model, by its name or alias."""
    caller = await exchange.authenticate()
    model = await exchange.gateway.models.one(exchange.request.path_params["name"], caller)
    return Answer(body=orjson.dumps(model_resource(model)))


def model_resource(model: Model) -> dict[str, Any]:
    """Google's Model."""
    return {
        "name": f"models/{model.name}",
        "version": model.routes[0].revision or "001",
        "displayName": model.name,
        "description": model.description,
        "inputTokenLimit": model.max_tokens,
        "outputTokenLimit": 1,
        "supportedGenerationMethods": ["embedContent", "batchEmbedContents"],
    }
