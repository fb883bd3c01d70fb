"""One request and its answer, as a dialect sees them: who calls, the body, what will be sent back."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from gateway.core.caller import Caller
from gateway.core.embedding import CacheUse
from gateway.core.errors import BodyTooLarge, GatewayError, InvalidRequest, WrongContentType
from gateway.core.facts import Record
from gateway.operations.gateway import Gateway

MAX_BODY = 5 * 1024 * 1024
"""Bytes. Lambda takes 6 MB, this body quoted and its headers included; beyond that API Gateway answers, not we."""

TEXTS = {"input", "content", "requests", "title"}
"""Where a body holds what its caller may want nobody else to read."""

Body = TypeVar("Body", bound=BaseModel)

Wording = Callable[[Any], tuple[str, str]]
"""From one of pydantic's error details (a TypedDict of its core) to the path and the message of a problem."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What goes back: `body` is JSON text. `compressible` says that gzip would make it much smaller."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = {}
    compressible: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one kind of client is spoken to when something goes wrong, and what it can cope with.

    `follows_redirects`: whether its clients fetch a large answer from another address without carrying
    their key there. `paths` are what it tells who asked for something that does not exist.
    """

    name: str
    render_error: Callable[[GatewayError], Answer]
    follows_redirects: bool = False
    paths: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class RequestContext:
    """A request under way. `dialect` may change once the key tells who is calling."""

    request: Request
    gateway: Gateway
    record: Record
    dialect: Dialect
    headers: Mapping[str, str] = field(init=False)
    """Names in lower case; of a repeated one the first."""

    def __post_init__(self) -> None:
        # Starlette's own go through all of them for each name.
        pairs = reversed(self.request.scope["headers"])
        self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}

    async def authenticate(self) -> Caller:
        """Who calls; raises `Unauthenticated`, `StoreUnavailable`."""
        self.record.caller = caller = await self.gateway.authenticate(self._credential())
        return caller

    async def read(self, model: type[Body], word: Wording | None = None) -> Body:
        """The body as that wire model; raises `InvalidRequest`, `WrongContentType`.

        `word` tells what is wrong with it, OpenAI's way if none is given.
        """
        check_content_type(self.headers)
        body = await self.request.body()
        if len(body) > MAX_BODY:
            raise BodyTooLarge(f"The body has {len(body)} bytes; at most {MAX_BODY} are taken in one request.")
        try:
            return model.model_validate_json(body)
        except ValidationError as error:
            raise invalid(error, word or _problem) from error

    def cache_use(self) -> CacheUse:
        """What the caller's `Cache-Control` allows."""
        told = self.headers.get("cache-control")
        if told is None:
            return CacheUse()
        directives = {part.strip().lower() for part in told.split(",")}
        store = "no-store" not in directives
        return CacheUse(read=store and "no-cache" not in directives, write=store)

    def _credential(self) -> str | None:
        """The caller's key, wherever its client puts it; one of ours before anything else, if several are sent."""
        found = list(self._credentials())
        if len(found) == 1:
            return found[0]
        return next((text for text in found if text.startswith("egw_")), found[0] if found else None)

    def _credentials(self) -> Iterator[str]:
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            yield token.strip()
        for name in ("api-key", "x-goog-api-key"):
            if self.headers.get(name):
                yield self.headers[name]
        if self.request.scope["query_string"] and self.request.query_params.get("key"):
            yield self.request.query_params["key"]


def check_content_type(headers: Mapping[str, str]) -> None:
    """Raises `WrongContentType` unless the body says it is JSON, or says nothing."""
    kind = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise WrongContentType(f"The body is {kind!r}; send JSON with 'Content-Type: application/json'.")
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise WrongContentType(f"The body is encoded with {encoding!r}; send it as it is.")


def invalid(error: ValidationError, word: Wording) -> InvalidRequest:
    """The first problem as the cause, all of them as its `problems`. Messages repeat no value: it may be private."""
    details = error.errors(include_url=False)
    problems = [word(detail) for detail in details]
    path, message = problems[0]
    unknown = details[0]["type"] == "extra_forbidden"
    return InvalidRequest(message, param=path or None, value=_value(details[0]), problems=problems, unknown=unknown)


def _value(detail: Any) -> Any:  # a pydantic ErrorDetails; JSON as it came
    """The wrong value of a parameter that this dialect has, unless texts stand there."""
    if len(detail["loc"]) != 1 or detail["loc"][0] in TEXTS or detail["type"] in {"extra_forbidden", "missing"}:
        return None
    return detail["input"]


def _problem(detail: Any) -> tuple[str, str]:  # a pydantic ErrorDetails, which is a TypedDict of its core
    path = path_text(detail["loc"])
    match detail["type"]:
        case "json_invalid":
            return "", f"The body is not JSON: {detail['ctx']['error']}."
        case "missing":
            return path, f"Missing required parameter: '{path}'."
        case "extra_forbidden":
            return path, f"Unrecognized request argument supplied: {path}."
        case "model_type":
            return path, "The body must be a JSON object." if not path else f"'{path}' must be an object."
    return path, f"Invalid '{path}': {detail['msg'][:1].lower()}{detail['msg'][1:]}."


def renamed(param: str | None, names: Mapping[str, str]) -> str | None:
    """A parameter as the dialect's clients call it: `names` tells the first part of its path."""
    if param is None:
        return None
    head = param.split("[")[0].split(".")[0]
    return names.get(head, head) + param[len(head) :]


def path_text(location: tuple[int | str, ...]) -> str:
    """`("input", 2)` as `input[2]`, `("content", "parts")` as `content.parts`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
