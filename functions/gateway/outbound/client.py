"""Connections to vendors: to checked addresses only, kept alive between requests, one call on each at a time.

A frozen Lambda function does not see its connections die, so a kept one is looked at before it is used, and a call
that dies on it before any reply began is sent once more on a new one.
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache, cached_property, lru_cache
from ipaddress import ip_address
from threading import Lock
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from gateway.connection import Connection, open_connection, seconds_until
from gateway.http1 import BadHeader, HttpReply, Unanswered, write_head
from gateway.outbound.addresses import (
    AddressRefused,
    Resolve,
    check_url,
    is_local_name,
    literal_address,
    public_addresses,
    resolve_by_system,
)

CONNECT_TIMEOUT = 3.0
"""Seconds for the name's address, a connection to it, and TLS."""
MAX_IDLE = 16
"""Connections kept per origin: more than one request's calls at a time are never needed."""
MAX_IDLE_TIME = 240.0
"""Seconds. A NAT gateway forgets connections after 350, and says so only to the next call."""
MAX_SIDE_BY_SIDE = 32
"""Calls at once that are not alone; more wait for their turn."""
MAX_NAMES = 4
"""Names looked up at once."""

DEFAULT_PORTS = {"https": 443, "http": 80}
FRAMING = frozenset({"content-length", "transfer-encoding"})


class HttpCall(msgspec.Struct, frozen=True, kw_only=True):
    """What to send. `headers` do not repeat what the address and the body tell: host, content-length."""

    url: str
    body: bytes
    headers: Mapping[str, str] = {}
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
        resolve: Resolve = resolve_by_system,
        connect_timeout: float = CONNECT_TIMEOUT,
    ) -> None:
        self._allow_loopback = allow_loopback
        self._ssl_context = ssl_context
        self._resolve = resolve
        self._connect_timeout = connect_timeout
        self._idle: dict[Origin, list[Connection]] = {}
        self._lock = Lock()

    async def send(self, call: HttpCall, *, limit: int, timeout: float, alone: bool = False) -> HttpReply:  # noqa: ASYNC109
        """The reply to one call, of at most `limit` bytes, within `timeout` seconds; a redirect is a reply, too.

        A call that is `alone` is waited for here; others in a thread each, so that all of them go on.

        Raises `AddressRefused`, `BadHeader`, `MalformedReply`, and `OSError`: `TimeoutError`, `ConnectionEnded`, TLS
        and DNS errors.
        """
        deadline = time.monotonic() + timeout
        if alone:
            return self._send(call, limit, deadline)
        return await asyncio.wrap_future(self._threads.submit(self._send, call, limit, deadline))

    def close(self) -> None:
        """Close what is kept."""
        for origin in list(self._idle):
            self._close_idle(origin)

    def _send(self, call: HttpCall, limit: int, deadline: float) -> HttpReply:
        origin, begin = _prepared(call.method, call.url, tuple(call.headers.items()), self._allow_loopback)
        head = b"%bcontent-length: %d\r\n\r\n" % (begin, len(call.body))
        message = _Message(head, call.body, limit, deadline)
        if time.monotonic() >= deadline:
            raise TimeoutError  # to ask without waiting for the answer would be paid all the same
        kept = self._take(origin)
        if kept:
            try:
                return self._exchange(origin, kept, message)
            except Unanswered:
                self._close_idle(origin)  # they are as old as this one
        return self._exchange(origin, self._connect(origin, deadline), message)

    def _exchange(self, origin: Origin, connection: Connection, message: "_Message") -> HttpReply:
        try:
            with suppress(ConnectionError):  # who hangs up on a long call may have said why
                connection.send(message.head, message.body, seconds_until(message.deadline))
            reply = connection.receive(seconds_until(message.deadline), message.limit)
        except BaseException:
            connection.close()  # a reply that comes too late is nobody's
            raise
        self._keep(origin, connection)
        return reply

    def _connect(self, origin: Origin, deadline: float) -> Connection:
        deadline = min(deadline, time.monotonic() + self._connect_timeout)

        def resolve(host: str, port: int) -> list[str]:
            # The system's own patience would outlast every request.
            return self._names.submit(self._resolve, host, port).result(seconds_until(deadline))

        addresses = public_addresses(
            origin.host, origin.port, allow_loopback=self._may_be_loopback(origin), resolve=resolve
        )
        _check_plain_http(origin, addresses)
        return self._connect_to_first(addresses, origin, deadline)

    def _may_be_loopback(self, origin: Origin) -> bool:
        # A public name that leads to this machine is a trap even where this machine itself may be named.
        literal = literal_address(origin.host)
        named = literal.is_loopback if literal else is_local_name(origin.host)
        return self._allow_loopback and named

    def _connect_to_first(self, addresses: list[str], origin: Origin, deadline: float) -> Connection:
        """A connection to the first address that takes one."""
        failure: OSError = ConnectionError("the name leads to no address")
        tls = self._ssl_context() if origin.scheme == "https" else None
        for address in addresses:
            try:
                # The certificate is the name's, not the address's.
                return open_connection(
                    address, origin.port, seconds_until(deadline), tls, name=origin.host, deadline=deadline
                )
            except ssl.SSLError:
                raise  # another address would hardly have another certificate
            except OSError as error:
                failure = error
        raise failure

    def _take(self, origin: Origin) -> Connection | None:
        with self._lock:
            idle = self._idle.get(origin)
            while idle:
                connection = idle.pop()
                if time.time() - connection.idle_since < MAX_IDLE_TIME and connection.is_quiet():
                    return connection
                connection.close()
        return None

    def _keep(self, origin: Origin, connection: Connection) -> None:
        connection.idle_since = time.time()
        with self._lock:
            idle = self._idle.setdefault(origin, [])
            if connection.reusable and len(idle) < MAX_IDLE:
                idle.append(connection)
                return
        connection.close()

    def _close_idle(self, origin: Origin) -> None:
        with self._lock:
            for connection in self._idle.pop(origin, []):
                connection.close()

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(MAX_SIDE_BY_SIDE, thread_name_prefix="vendor")

    @cached_property
    def _names(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(MAX_NAMES, thread_name_prefix="name")


class _Message(NamedTuple):
    """A call as it is sent; `limit` is the longest reply in bytes, `deadline` on the monotonic clock."""

    head: bytes
    body: bytes
    limit: int
    deadline: float


def _check_plain_http(origin: Origin, addresses: list[str]) -> None:
    """Keys and texts do not leave this machine in the open, whatever its resolver takes `localhost` for."""
    if origin.scheme == "http" and not all(ip_address(address).is_loopback for address in addresses):
        raise AddressRefused(f"{origin.host} is not this machine; http:// is permitted to nowhere else.")


@lru_cache(maxsize=64)
def _prepared(
    method: str,
    url: str,
    headers: tuple[tuple[str, str], ...],
    allow_loopback: bool,  # noqa: FBT001
) -> tuple[Origin, bytes]:
    """Whom calls of this kind go to, and the head they begin with; raises `AddressRefused`, `BadHeader`."""
    if any(name.lower() in FRAMING for name, _ in headers):
        raise BadHeader("The length of a call is for the gateway to tell.")
    check_url(url.partition("?")[0], allow_loopback=allow_loopback)
    parts = urlsplit(url)
    origin = Origin(parts.scheme, parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme])
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return origin, write_head(method, target, {"host": parts.netloc, **dict(headers)}).removesuffix(b"\r\n")
