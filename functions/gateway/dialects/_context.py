"""One request as dialects see it: our own type, filled from ASGI here, from a Lambda event in `_lambda_event.py`."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qs
from uuid import uuid4

from pydantic import BaseModel

from gateway.core.caller import Caller
from gateway.core.embedding import CacheUse, Embedded, EmbeddingRequest
from gateway.core.errors import GatewayError, InternalError
from gateway.core.facts import NOTHING_DONE, Facts
from gateway.core.ports import PendingWrite
from gateway.dialects._response import Response
from gateway.dialects._validation import DescribeProblem, describe_problem, read_body
from gateway.operations.gateway import Gateway

Body = TypeVar("Body", bound=BaseModel)

RENDERING_TIME = 1.5
"""Seconds that are kept for the answer, or the error, before Lambda ends the invocation."""


UNFORESEEN = "The gateway failed. Try again; if it stays, give its operator the request id."

READING = {"GET", "HEAD", "OPTIONS"}
"""Methods that embed nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How errors are written for one kind of client, and what it supports.

    `description` is for readers of the OpenAPI document. A row of `wire_errors` is the HTTP status of a cause, then
    its names on the wire, the last of them its code; `error` is the type of the body. `key_in_query`: whether its
    clients may put the key into the address, which histories and logs of proxies keep. `follows_redirects`: whether
    its clients fetch a large answer from another address without carrying their key there. `base64`: whether they can
    ask for it. `paths` is the list for a caller who asked for something that does not exist. `vector_fields` are the
    names under which a vector stands in OpenAI-like answers.
    """

    name: str
    description: str
    wire_errors: Mapping[type[GatewayError], tuple[int, *tuple[str, ...]]]
    error: type
    render_error: Callable[[GatewayError], Response]
    follows_redirects: bool = False
    key_in_query: bool = False
    base64: bool = True
    paths: tuple[str, ...] = ()
    vector_fields: tuple[bytes, ...] = (b"embedding",)
    last_words: Response = field(init=False)
    """What is sent when not even an error can be rendered."""

    def __post_init__(self) -> None:
        """Render the last words now, while everything works."""
        object.__setattr__(self, "last_words", self.render_error(InternalError(UNFORESEEN)))


@dataclass(slots=True, kw_only=True)
class RequestContext:
    """A request under way. `dialect` becomes `shared_with` if the key shows that its client is one of these.

    Names of `headers` are in lower case; of a repeated header the first counts.
    """

    gateway: Gateway
    dialect: Dialect
    request_id: str
    method: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, Sequence[str]] = field(default_factory=dict)
    body: bytes = b""
    came_as_text: bool = False
    """Whether Lambda was handed the body as text, in which bytes that are not UTF-8 are lost."""
    path_params: Mapping[str, str] = field(default_factory=dict)
    shared_with: Dialect | None = None
    known_caller: Caller | None = None
    facts: Facts = NOTHING_DONE
    error: str | None = None
    """The name of the cause for which it failed."""
    pending: list[PendingWrite] = field(default_factory=list)
    deadline: float = math.inf
    """When the invocation ends, on the monotonic clock."""

    @property
    def caller(self) -> Caller:
        """Who asks. Known after `authenticate`, which `answer` calls."""
        if self.known_caller is None:
            raise RuntimeError("The caller was not authenticated.")
        return self.known_caller

    async def authenticate(self) -> None:
        """Find out who asks, and whether the region in the path, if any, is this stage's.

        Raises `Unauthenticated`, `StoreUnavailable`, `WrongRegion`, `ResourceNotFound`, and `AllowanceExhausted` for
        who reads too much.
        """
        self.known_caller = await self.gateway.authenticate(self._credential())
        if self.method in READING:
            self.gateway.reads.take(self.known_caller.workspace.name)
        self.gateway.check_region(self.path_params.get("region"))
        if self.shared_with and self.known_caller.dialect == self.shared_with.name:
            self.dialect = self.shared_with

    def read(self, model: type[Body], describe: DescribeProblem = describe_problem, *, most: int | None = None) -> Body:
        """The body as that wire model; raises `InvalidRequest`, `WrongContentType`.

        `describe` words what is wrong with it, OpenAI's way if none is given. `most` is how many elements its list may
        have.
        """
        return read_body(self.headers, self.body, model, describe, most, came_as_text=self.came_as_text)

    async def embed(self, request: EmbeddingRequest) -> Embedded:
        """The vectors; adds what was done to `facts`, and writes not yet finished to `pending`."""
        seconds_left = self.deadline - time.monotonic() - RENDERING_TIME
        served = await self.gateway.embed(request, self.caller, self.pending, seconds_left=seconds_left)
        self.facts += served.facts
        return served.embedded

    async def count_refused(self) -> None:
        """Count a request that was refused before it was counted; raises `AllowanceExhausted`.

        Who is not known has nothing to count against, and reading is limited apart.
        """
        if self.known_caller and self.method not in READING and self.facts.allowance is None:
            self.facts += Facts(allowance=await self.gateway.count_request(self.known_caller))

    def render(self, error: GatewayError) -> Response:
        """The error in the words of the dialect; what was done until then is added to `facts`."""
        self.facts += error.facts
        self.error = type(error).__name__
        return self.dialect.render_error(error)

    def query_value(self, name: str) -> str | None:
        """The parameter of the query, the last if it is repeated; `None` if it is not there."""
        values = self.query.get(name)
        return values[-1] if values else None

    def cache_use(self) -> CacheUse:
        """What the caller's `Cache-Control` allows."""
        header = self.headers.get("cache-control")
        if header is None:
            return CacheUse()
        directives = {part.strip().lower() for part in header.split(",")}
        store = "no-store" not in directives
        return CacheUse(read=store and "no-cache" not in directives, write=store)

    def _credential(self) -> str | None:
        """The caller's key, wherever its client puts it; if there are several, one of ours goes before the others."""
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
        if self.dialect.key_in_query and (key := self.query_value("key")):
            yield key


def from_asgi(
    scope: Mapping[str, Any],
    body: bytes,
    *,
    gateway: Gateway,
    dialect: Dialect,
    shared_with: Dialect | None = None,
    request_id: str,
) -> RequestContext:
    """The context of an ASGI request: https://asgi.readthedocs.io/en/latest/specs/www.html."""
    return RequestContext(
        gateway=gateway,
        dialect=dialect,
        shared_with=shared_with,
        request_id=request_id,
        method=scope["method"],
        path=scope["path"],
        headers={name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(scope["headers"])},
        query=_query(scope["query_string"].decode("latin-1")),
        body=body,
        came_as_text="aws.event" in scope and not scope["aws.event"].get("isBase64Encoded"),
        path_params=scope.get("path_params", {}),
        deadline=deadline_of(scope.get("aws.context")),
    )


def deadline_of(invocation: object) -> float:
    """When Lambda ends the invocation with that context, on the monotonic clock."""
    remaining = getattr(invocation, "get_remaining_time_in_millis", None)
    return time.monotonic() + remaining() / 1000 if remaining else math.inf


def request_id_of(invocation: object) -> str:
    """The invocation's id, so that a caller's complaint leads to its log line."""
    return str(getattr(invocation, "aws_request_id", "")) or uuid4().hex


def _query(text: str) -> Mapping[str, Sequence[str]]:
    return parse_qs(text, keep_blank_values=True) if text else {}
