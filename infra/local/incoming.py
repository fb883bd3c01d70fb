"""How a request reaches the function: what API Gateway refuses at once, and what it adds to the rest."""

import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from infra.local.limits import BODY_LIMIT, EVENT_LIMIT, HEAD_LIMIT, event_size, make_event
from infra.local.places import LOOPBACK

OF_ONE_CONNECTION = {
    "connection", "expect", "host", "keep-alive", "proxy-authenticate", "proxy-authorization",
    "te", "trailer", "transfer-encoding", "upgrade", "content-length",
}  # fmt: skip
"""Headers that are passed on in neither direction."""

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?]*", re.IGNORECASE)


class Refused(Exception):  # says what happened to the request
    """API Gateway does not pass the request on, and answers with that status."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as the function gets it."""

    method: str
    target: str
    """Path and query, percent-encoded as the client did."""
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_too_large(self) -> bool:
        """Whether Lambda would refuse the event that it becomes."""
        # Text at most doubles when it becomes a JSON string, unless it is full of control characters.
        if len(self.body) < EVENT_LIMIT // 6:
            return False
        path, _, query = self.target.partition("?")
        return event_size(self.method, path, query, self.headers, self.body) >= EVENT_LIMIT

    @property
    def event(self) -> dict[str, Any]:
        """The event that it becomes."""
        path, _, query = self.target.partition("?")
        return make_event(self.method, unquote(path), query, self.headers, self.body)


async def read_request(request: web.BaseRequest, port: int) -> Request:
    """The whole of a request that came in at that port; raises `Refused` if API Gateway would not take it."""
    target = _target_of(request)
    headers = _forwarded_headers(request, port)
    if not _is_utf8(target, *headers.values()):  # else it could not be passed on
        raise Refused(HTTPStatus.BAD_REQUEST)
    if len(request.method) + len(target) + sum(map(len, request.headers.values())) > HEAD_LIMIT:
        raise Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    read = Request(method=request.method, target=target, headers=headers, body=await _read_body(request))
    if read.is_too_large:
        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return read


def _target_of(request: web.BaseRequest) -> str:
    """Path and query; clients that use the door as a proxy send the host before them."""
    sent = request.raw_path
    target = _ORIGIN.sub("", sent, count=1) if _ORIGIN.match(sent) else sent
    if target != sent and not target.startswith("/"):
        return f"/{target}"
    if not target.startswith("/"):
        raise Refused(HTTPStatus.BAD_REQUEST)
    return target


def _is_utf8(*values: str) -> bool:
    try:
        "".join(values).encode()
    except UnicodeEncodeError:
        return False
    return True


def _forwarded_headers(request: web.BaseRequest, port: int) -> dict[str, str]:
    """The request's headers in lower case, equal ones joined, and what API Gateway adds."""
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        known = headers.get(key := name.lower())
        headers[key] = f"{known},{value}" if known else value
    forwarded = headers.get("x-forwarded-for")
    peer = request.remote or LOOPBACK
    return {
        **{name: value for name, value in headers.items() if name not in OF_ONE_CONNECTION},
        "x-forwarded-for": f"{forwarded}, {peer}" if forwarded else peer,
        "x-forwarded-port": str(port),
        "x-forwarded-proto": "http",
        "x-amzn-trace-id": f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)}",
    }


async def _read_body(request: web.BaseRequest) -> bytes:
    if (request.content_length or 0) > BODY_LIMIT:
        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    body = bytearray()
    try:
        await _invite_body(request)
        async for chunk in request.content.iter_chunked(1 << 20):
            body += chunk
            if len(body) > BODY_LIMIT:
                raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    except (HttpProcessingError, ConnectionError) as error:  # not HTTP, or a client that hung up: nobody reads this
        raise Refused(HTTPStatus.BAD_REQUEST) from error
    return bytes(body)


async def _invite_body(request: web.BaseRequest) -> None:
    """Answers 100 to a client that waits for it before it sends the body, as curl does above a megabyte."""
    if request.headers.get("expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # it does not count as part of the answer
