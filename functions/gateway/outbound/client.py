"""Calls to hosts that an operator named: vendors, and documents of identity providers. One httpx client for all.

httpx's own transport takes no network backend, so `_Transport` is a short copy of it over httpcore's connection pool
and `network.py`. This module imports httpx (25 ms), so it is imported at the first call.
"""

import asyncio
import ssl
import zlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from functools import lru_cache, partial

import httpcore
import httpx

from gateway.outbound.addresses import AddressRefused, Resolve, check_url, resolve_by_system
from gateway.outbound.authorities import shared_ssl_context
from gateway.outbound.messages import (
    BadHeader,
    ConnectionEnded,
    HttpCall,
    HttpReply,
    MalformedReply,
    ReplyTooLarge,
    encode_headers,
)
from gateway.outbound.network import PROGRESS, CheckedNetwork, Progress, Stream

CONNECT_TIMEOUT = 3.0
"""Seconds for the name's address, a connection to it, and TLS."""
MAX_CONNECTIONS = 32
"""Under way at once to one host; more calls wait for their turn."""
MAX_IDLE = 16
"""Idle connections kept per host: enough for the calls of one request."""
MAX_IDLE_TIME = 240.0
"""Seconds. A NAT gateway forgets connections after 350, and says so only to the next call."""

# Digits and base64 shrink little: decompressing would cost more than the bytes it saves.
HEADERS = {"accept": "*/*", "accept-encoding": "identity", "user-agent": "embeddings-gateway"}

_GZIP_OR_ZLIB = 32
"""zlib's number for finding out which of the two a body has."""


class HttpClient:
    """Sends calls. One object for all hosts; `allow_loopback` is for the local stack and tests."""

    def __init__(
        self,
        *,
        allow_loopback: bool = False,
        ssl_context: ssl.SSLContext | None = None,
        resolve: Resolve = resolve_by_system,
        connect_timeout: float = CONNECT_TIMEOUT,
    ) -> None:
        self._allow_loopback = allow_loopback
        new_pool = partial(
            httpcore.AsyncConnectionPool,
            ssl_context=ssl_context or shared_ssl_context(),
            max_connections=MAX_CONNECTIONS,
            max_keepalive_connections=MAX_IDLE,
            keepalive_expiry=MAX_IDLE_TIME,
            network_backend=CheckedNetwork(
                resolve=resolve, allow_loopback=allow_loopback, connect_timeout=connect_timeout
            ),
        )
        self._client = _Client(
            transport=_Transport(new_pool),
            timeout=None,  # asyncio.timeout is around the whole call
            trust_env=False,
        )

    async def send(self, call: HttpCall, *, limit: int, timeout: float) -> HttpReply:  # noqa: ASYNC109
        """The reply to one call, of at most `limit` bytes, within `timeout` seconds; a redirect is a reply, too.

        Raises `AddressRefused`, `BadHeader`, `MalformedReply`, and `OSError`: `TimeoutError`, `ConnectionEnded`, TLS
        and DNS errors.
        """
        request = self._request(call)
        if timeout <= 0:
            raise TimeoutError  # a call whose reply nobody waits for would be paid all the same
        async with asyncio.timeout(timeout):
            try:
                return await self._exchange(request, limit, progress := Progress())
            except ConnectionEnded:
                # A kept connection may have ended unseen. Where no byte of a reply came, the call is sent once more.
                if progress.connected or progress.heard:
                    raise
            return await self._exchange(request, limit, Progress(wants_new=True))

    async def aclose(self) -> None:
        """Close what is kept."""
        await self._client.aclose()

    def _request(self, call: HttpCall) -> httpx.Request:
        url, headers = _checked(call.url, tuple(call.headers.items()), allow_loopback=self._allow_loopback)
        return httpx.Request(call.method, url, headers=headers, content=call.body)

    async def _exchange(self, request: httpx.Request, limit: int, progress: Progress) -> HttpReply:
        """One request and its reply; httpcore's errors become ours here."""
        PROGRESS.set(progress)
        try:
            async with aclosing(await self._client.send(request, stream=True)) as response:
                return HttpReply(response.status_code, await _read(response, limit), response.headers)
        except httpcore.RemoteProtocolError as error:
            if progress.ended:
                raise ConnectionEnded(
                    f"the connection ended {'within' if progress.heard else 'before'} the reply"
                ) from error
            raise MalformedReply("it is not HTTP/1.1") from error
        except httpcore.LocalProtocolError:
            raise BadHeader("h11 cannot send this call.") from None  # its message repeats a header's value


async def _read(response: httpx.Response, limit: int) -> bytes:
    """The body, of at most `limit` bytes; proxies compress it though asked not to."""
    expand = _expander(response.headers.get("content-encoding", "identity").strip().lower())
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_raw():
        try:
            parts.append(expand(part, limit + 1 - size))
        except zlib.error as error:
            raise MalformedReply("its compression is broken") from error
        size += len(parts[-1])
        if size > limit:
            raise ReplyTooLarge(f"it is longer than {limit} bytes")
    return b"".join(parts)


def _expander(encoding: str) -> Callable[[bytes, int], bytes]:
    """From a part of a body, and the most bytes that it may become, to what it stands for."""
    if encoding in {"", "identity"}:
        return lambda part, _: part
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise MalformedReply(f"it is compressed ({encoding}), which was not asked for")
    return zlib.decompressobj(zlib.MAX_WBITS + _GZIP_OR_ZLIB).decompress


@lru_cache(maxsize=64)
def _checked(
    url: str, headers: tuple[tuple[str, str], ...], *, allow_loopback: bool
) -> tuple[httpx.URL, list[tuple[bytes, bytes]]]:
    """Where calls of this kind go, and their headers; raises `AddressRefused`, `BadHeader`."""
    check_url(url.partition("?")[0], allow_loopback=allow_loopback)
    try:
        return httpx.URL(url), encode_headers(HEADERS | dict(headers))
    except httpx.InvalidURL as error:
        raise AddressRefused(f"{url!r} is not a URL: {error}.") from error


class _NoCookies(httpx.Cookies):
    """Keeps none. To find out that there is none, httpx would read the headers of each call and reply again."""

    def extract_cookies(self, response: httpx.Response) -> None:
        """Leave them where they are."""


class _Client(httpx.AsyncClient):
    cookies = _NoCookies()  # type: ignore[override]  # a property there, as constant as this


class _Transport(httpx.AsyncBaseTransport):
    """`httpx.AsyncHTTPTransport` over pools that are made elsewhere.

    Each host has a pool of its own: calls to one that does not answer fill no other's.
    """

    def __init__(self, new_pool: Callable[[], httpcore.AsyncConnectionPool]) -> None:
        self._pools = defaultdict[bytes, httpcore.AsyncConnectionPool](new_pool)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        reply = await self._pools[url.netloc].handle_async_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(reply.status, headers=reply.headers, stream=_Body(reply), extensions=reply.extensions)

    async def aclose(self) -> None:
        for pool in self._pools.values():
            await pool.aclose()


class _Body(httpx.AsyncByteStream):
    """A reply's body. Once it is closed, its connection may carry the next call, unless more than the reply arrived."""

    def __init__(self, reply: httpcore.Response) -> None:
        self._reply = reply

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._reply.aiter_stream():
            yield part

    async def aclose(self) -> None:
        stream = self._reply.extensions["network_stream"]
        if isinstance(stream, Stream):
            stream.spoiled = bool(_beyond(self._reply))
        await self._reply.aclose()


def _beyond(reply: httpcore.Response) -> bytes:
    """Bytes that arrived after the end of a reply.

    httpcore keeps them, and would read them as the reply to the next call. Only its private parts show them.
    """
    beyond: bytes = reply.stream._stream._connection._h11_state.trailing_data[0]  # type: ignore[union-attr]  # noqa: SLF001
    return beyond
