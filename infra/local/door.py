"""The front door of the local stack: a proxy that does to requests and answers what AWS would do.

The emulator runs API Gateway and Lambda, but with no limits of size and time, and tells clients why a function crashed.
"""

import asyncio
import contextlib
import io
import json
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web
from multidict import CIMultiDict
from yarl import URL

from infra.local.limits import ANSWER_LIMIT, BODY_LIMIT, EVENT_LIMIT, PATIENCE, answer_size, event_size
from infra.local.places import LOOPBACK

_OF_ONE_CONNECTION = {
    "connection", "expect", "host", "keep-alive", "proxy-authenticate", "proxy-authorization",
    "te", "trailer", "transfer-encoding", "upgrade", "content-length",
}  # fmt: skip
_CLIENT_ADDS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
_CRASH = {"errorMessage", "errorType"}


@contextlib.asynccontextmanager
async def open_door(port: int, emulator: str, api_host: str) -> AsyncIterator[None]:
    """Lets requests in at a loopback port while the context lasts.

    emulator: its address; api_host: the host name by which it knows the API.
    """
    async with _client() as client:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", Door(client, emulator, api_host).answer)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, LOOPBACK, port).start()
            yield
        finally:
            await runner.cleanup()


def _client() -> ClientSession:
    return ClientSession(
        auto_decompress=False,
        connector=TCPConnector(limit=0),
        cookie_jar=DummyCookieJar(),
        skip_auto_headers=_CLIENT_ADDS,
        timeout=ClientTimeout(total=None),
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """What the function answered, or the emulator in its place."""

    status: int
    headers: CIMultiDict[str]
    body: bytes

    @property
    def is_crash(self) -> bool:
        """Whether the function raised or ran out of time, which the emulator tells in detail."""
        if self.status != HTTPStatus.BAD_GATEWAY:
            return False
        try:
            return set(json.loads(self.body)) >= _CRASH
        except (ValueError, TypeError):
            return False

    @property
    def is_too_large(self) -> bool:
        """Whether Lambda would have refused to hand it on."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        return len(self.body) > ANSWER_LIMIT // 2 and answer_size(self.status, headers, self.body) > ANSWER_LIMIT


@dataclass(frozen=True, slots=True)
class Door:
    """Answers one request as API Gateway would."""

    client: ClientSession
    emulator: str
    api_host: str

    async def answer(self, request: web.Request) -> web.Response:
        """Hands the request on, unless AWS would not."""
        body = await _read_body(request)
        headers = _forwarded_headers(request)
        if body is None or _makes_too_large_an_event(request, headers, body):
            return _refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Request Entity Too Large")
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await self._ask(request, headers, body)
        except TimeoutError:
            return _refuse(HTTPStatus.SERVICE_UNAVAILABLE)
        except ClientError:
            return _refuse(HTTPStatus.INTERNAL_SERVER_ERROR)
        if answer.is_crash or answer.is_too_large:
            return _refuse(HTTPStatus.INTERNAL_SERVER_ERROR)
        return web.Response(status=answer.status, headers=_own_headers(answer.headers), body=answer.body)

    async def _ask(self, request: web.Request, headers: Mapping[str, str], body: bytes) -> Answer:
        # raw_path and encoded=True: percent-encoding is the client's own, and stays so.
        address = URL(f"{self.emulator}{request.raw_path}", encoded=True)
        sent = {**headers, "host": self.api_host}
        async with self.client.request(
            request.method, address, headers=sent, data=io.BytesIO(body) if body else None, allow_redirects=False
        ) as reply:
            return Answer(reply.status, CIMultiDict(reply.headers), await reply.read())


async def _read_body(request: web.Request) -> bytes | None:
    """The body, or None if it is larger than API Gateway takes."""
    if (request.content_length or 0) > BODY_LIMIT:
        return None
    body = bytearray()
    async for chunk in request.content.iter_chunked(1 << 20):
        body += chunk
        if len(body) > BODY_LIMIT:
            return None
    return bytes(body)


def _forwarded_headers(request: web.Request) -> dict[str, str]:
    """The request's headers in lower case, equal ones joined, and what API Gateway adds."""
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        known = headers.get(key := name.lower())
        headers[key] = f"{known},{value}" if known else value
    forwarded = headers.get("x-forwarded-for")
    peer = request.remote or LOOPBACK
    return {
        **{name: value for name, value in headers.items() if name not in _OF_ONE_CONNECTION},
        "x-forwarded-for": f"{forwarded}, {peer}" if forwarded else peer,
        "x-forwarded-port": str(request.url.port),
        "x-forwarded-proto": "http",
        "x-amzn-trace-id": f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)}",
    }


def _makes_too_large_an_event(request: web.Request, headers: Mapping[str, str], body: bytes) -> bool:
    # Text at most doubles when it becomes a JSON string, unless it is full of control characters.
    if len(body) < EVENT_LIMIT // 6:
        return False
    url = request.rel_url
    return event_size(request.method, url.raw_path, url.raw_query_string, headers, body) >= EVENT_LIMIT


def _own_headers(headers: CIMultiDict[str]) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in _OF_ONE_CONNECTION)


def _refuse(status: HTTPStatus, message: str | None = None) -> web.Response:
    return web.json_response({"message": message or status.phrase}, status=status)
