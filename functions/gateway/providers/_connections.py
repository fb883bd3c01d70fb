"""Connections to vendors: to checked addresses only, kept alive between requests, one call on each at a time.

A frozen Lambda function does not see its connections die, so a kept one is looked at before it is used, and a call
that dies on it before any reply began is sent once more on a new one.
"""

import asyncio
import select
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from ipaddress import ip_address
from typing import NamedTuple, cast
from urllib.parse import urlsplit

from gateway.http1 import ConnectionEnded, HttpReply, MalformedReply, ReplyReader, Unanswered, write_head
from gateway.providers.addresses import (
    AddressRefused,
    Resolve,
    check_url,
    is_local_name,
    literal_address,
    public_addresses,
)

CONNECT_TIMEOUT = 3.0
"""Seconds for name, connection and TLS together."""
MAX_IDLE = 16
"""Connections kept per origin: more than one request's calls at a time are never needed."""
MAX_IDLE_TIME = 240.0
"""Seconds. A NAT gateway forgets connections after 350, and says so only to the next call."""

DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCall:
    """What to send. `headers` do not repeat what the address and the body tell: host, content-length."""

    url: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"


class Origin(NamedTuple):
    """Whom a connection leads to."""

    scheme: str
    host: str
    port: int


@cache
def shared_ssl_context() -> ssl.SSLContext:
    """The system's certificate authorities, loaded once (20 ms); those of certifi where the system has none."""
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"]:
        import certifi  # noqa: PLC0415  (a system without authorities is rare)

        context.load_verify_locations(certifi.where())
    return context


class Connections:
    """Sends calls. One object for all vendors; `allow_loopback` is for the local stack and tests."""

    def __init__(
        self,
        *,
        allow_loopback: bool = False,
        ssl_context: Callable[[], ssl.SSLContext] = shared_ssl_context,
        resolve: Resolve | None = None,
        connect_timeout: float = CONNECT_TIMEOUT,
    ) -> None:
        self._allow_loopback = allow_loopback
        self._ssl_context = ssl_context
        self._resolve = resolve
        self._connect_timeout = connect_timeout
        self._idle: dict[Origin, list[_Connection]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    async def send(self, call: HttpCall, *, limit: int) -> HttpReply:
        """The reply to one call, of at most `limit` bytes; redirects are replies like any other.

        Raises `AddressRefused`, `BadHeader`, `MalformedReply`, and `OSError`: `TimeoutError` where connecting took
        too long, `ConnectionEnded`, TLS and DNS errors.
        """
        origin, host, target = _read_url(call.url, allow_loopback=self._allow_loopback)
        told = {"host": host, "content-length": str(len(call.body)), **call.headers}
        message = write_head(call.method, target, told) + call.body
        kept = self._take(origin)
        if kept:
            try:
                return await self._exchange(origin, kept, message, limit)
            except Unanswered:
                self._close_idle(origin)  # they are as old as this one
        return await self._exchange(origin, await self._connect(origin), message, limit)

    def close(self) -> None:
        """Close what is kept."""
        for origin in list(self._idle):
            self._close_idle(origin)

    async def _exchange(self, origin: Origin, connection: "_Connection", message: bytes, limit: int) -> HttpReply:
        try:
            reply = await connection.exchange(message, limit)
        except BaseException:  # a cancelled call, too, leaves a reply that nobody will read
            connection.close()
            raise
        self._keep(origin, connection)
        return reply

    async def _connect(self, origin: Origin) -> "_Connection":
        async with asyncio.timeout(self._connect_timeout):
            addresses = await public_addresses(
                origin.host, origin.port, allow_loopback=self._may_be_loopback(origin), resolve=self._resolve
            )
            _check_plain_http(origin, addresses)
            return await self._connect_to_first(addresses, origin)

    def _may_be_loopback(self, origin: Origin) -> bool:
        # A public name that leads to this machine is a trap even where this machine itself may be named.
        literal = literal_address(origin.host)
        named = literal.is_loopback if literal else is_local_name(origin.host)
        return self._allow_loopback and named

    async def _connect_to_first(self, addresses: list[str], origin: Origin) -> "_Connection":
        """A connection to the first address that takes one."""
        failure: OSError = ConnectionError("the name leads to no address")
        for address in addresses:
            try:
                return await self._connect_to(address, origin)
            except ssl.SSLError:
                raise  # another address would hardly have another certificate
            except OSError as error:
                failure = error
        raise failure

    async def _connect_to(self, address: str, origin: Origin) -> "_Connection":
        secure = origin.scheme == "https"
        _, connection = await asyncio.get_running_loop().create_connection(
            _Connection,
            address,
            origin.port,
            ssl=self._ssl_context() if secure else None,
            server_hostname=origin.host if secure else None,  # the certificate is the name's, not the address's
        )
        return connection

    def _take(self, origin: Origin) -> "_Connection | None":
        self._forget_other_loops()
        idle = self._idle.get(origin, [])
        while idle:
            connection = idle.pop()
            if connection.is_usable():
                return connection
            connection.close()
        return None

    def _keep(self, origin: Origin, connection: "_Connection") -> None:
        idle = self._idle.setdefault(origin, [])
        if connection.reusable and len(idle) < MAX_IDLE:
            idle.append(connection)
        else:
            connection.close()

    def _close_idle(self, origin: Origin) -> None:
        for connection in self._idle.pop(origin, []):
            connection.close()

    def _forget_other_loops(self) -> None:
        """A connection belongs to the event loop that made it; a closed loop's are gone."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._idle.clear()
            self._loop = loop


def _check_plain_http(origin: Origin, addresses: list[str]) -> None:
    """Keys and texts do not leave this machine in the open, whatever its resolver takes `localhost` for."""
    if origin.scheme == "http" and not all(ip_address(address).is_loopback for address in addresses):
        raise AddressRefused(f"{origin.host} is not this machine; http:// is permitted to nowhere else.")


@lru_cache(maxsize=256)
def _read_url(url: str, *, allow_loopback: bool) -> tuple[Origin, str, str]:
    """Origin, host header and request target; raises `AddressRefused`."""
    check_url(url.partition("?")[0], allow_loopback=allow_loopback)
    parts = urlsplit(url)
    origin = Origin(parts.scheme, parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme])
    return origin, parts.netloc, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


class _Connection(asyncio.BufferedProtocol):
    """One connection, carrying one call at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._reader: ReplyReader | None = None
        self._reply: asyncio.Future[HttpReply] | None = None
        self._idle_since = 0.0
        self.reusable = False

    async def exchange(self, message: bytes, limit: int) -> HttpReply:
        """Send a message, read its reply."""
        if self._transport is None or self._transport.is_closing():
            raise Unanswered("the connection ended before the call")
        self._reader = ReplyReader(limit)
        self._reply = self._loop.create_future()
        self._transport.write(message)
        reply = await self._reply
        self._reader = self._reply = None  # they hold the body, and an idle connection may live for minutes
        self._idle_since = self._loop.time()
        return reply

    def is_usable(self) -> bool:
        """Whether an idle connection still seems to lead somewhere."""
        if self._transport is None or self._transport.is_closing():
            return False
        return self._loop.time() - self._idle_since < MAX_IDLE_TIME and not self._has_something_to_say()

    def close(self) -> None:
        if self._transport:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def get_buffer(self, sizehint: int) -> memoryview | bytearray:  # noqa: ARG002  (the reader knows what it waits for)
        return self._reader.room() if self._reader else bytearray(1)

    def buffer_updated(self, nbytes: int) -> None:
        if self._reply is None or self._reply.done():
            self.close()  # an answer to no question
            return
        self._advance(lambda reader: reader.took(nbytes))

    def connection_lost(self, exc: Exception | None) -> None:
        self.reusable, self._transport = False, None
        self._advance(lambda reader: reader.end(broken=exc is not None))

    def _advance(self, step: Callable[[ReplyReader], None]) -> None:
        reader, waiting = self._reader, self._reply
        if reader is None or waiting is None or waiting.done():
            return
        try:
            step(reader)
        except (MalformedReply, ConnectionEnded) as error:
            waiting.set_exception(error)
            return
        if reader.reply:
            self.reusable = reader.reusable and self._transport is not None
            waiting.set_result(reader.reply)

    def _has_something_to_say(self) -> bool:
        """Whether the other side spoke, or hung up, while we were frozen and the event loop did not look."""
        descriptor = self._transport.get_extra_info("socket").fileno() if self._transport else -1
        if descriptor < 0:
            return True
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(0))
