"""Connections for httpx, to addresses that were checked.

It is a network backend of httpcore (https://www.encode.io/httpcore/network-backends/), which httpx uses. httpcore's
own backend has two faults: it loses a reply that arrives before the whole call is sent (a 413 to a long body), and
its connections work in one event loop only.
"""

# ruff: noqa: ASYNC109, ARG002  (these are httpcore's signatures; the time limit is `asyncio.timeout` around the call)

import asyncio
import select
import socket
import ssl
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import httpcore

from gateway.outbound.addresses import Resolve, check_addresses, literal_address
from gateway.outbound.messages import ConnectionEnded

LOOK_UPS = 4
"""Names looked up at once for one host."""
READ_SIZE = 128 * 1024
"""Bytes received at once. httpcore asks for half of it, but every part of a long reply passes all its layers."""
READS_IN_A_ROW = 2
"""If data is always there, sock_recv never waits. After so many reads others get their turn: deadlines among them."""

_Result = TypeVar("_Result")


@dataclass(slots=True)
class Progress:
    """How far a call has got: its streams record it, and the client decides by it whether to send the call again.

    With `wants_new`, connections that were kept from earlier calls are not used.
    """

    wants_new: bool = False
    connected: bool = False
    """A connection was made for this call."""
    heard: bool = False
    """At least one byte of a reply arrived."""
    ended: bool = False
    """The other side closed the connection."""


PROGRESS: ContextVar[Progress] = ContextVar("PROGRESS")
"""Of the call under way in this task."""


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Looks a host up, checks every address, and connects to the first that answers."""

    def __init__(self, *, resolve: Resolve, allow_loopback: bool, connect_timeout: float) -> None:
        self._look_up = LookUp(resolve)
        self._allow_loopback = allow_loopback
        self._connect_timeout = connect_timeout

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,  # Any: httpcore does not export their type
    ) -> "Stream":
        """Raises `AddressRefused`, `TimeoutError` and other kinds of `OSError`."""
        PROGRESS.get().connected = True
        connect_by = asyncio.get_running_loop().time() + self._connect_timeout
        async with asyncio.timeout_at(connect_by):
            addresses = [host] if literal_address(host) else await self._look_up(host, port)
            check_addresses(host, addresses, allow_loopback=self._allow_loopback)
            return Stream(await _connect_to_first(addresses, port), connect_by)


class LookUp:
    """Looks names up in threads, because the system's own function blocks, and may do so for minutes.

    Each host has threads of its own: a name server that hangs holds up calls to its own host only.
    """

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._threads = defaultdict[str, ThreadPoolExecutor](partial(ThreadPoolExecutor, LOOK_UPS, "name"))

    async def __call__(self, host: str, port: int) -> list[str]:
        return await asyncio.get_running_loop().run_in_executor(self._threads[host], self._resolve, host, port)


class Stream(httpcore.AsyncNetworkStream):
    """One connection. Failures are kinds of `OSError`, which pass through httpcore and httpx unchanged."""

    def __init__(self, connected: socket.socket, connect_by: float) -> None:
        self._socket = connected
        self._connect_by = connect_by
        self._tls: ssl.SSLObject | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._reads = 0
        self.spoiled = False
        """Whether no further call may use this connection."""

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> "Stream":
        self._tls = ssl_context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_hostname)
        try:
            async with asyncio.timeout_at(self._connect_by):
                await self._encrypted(self._tls.do_handshake)
        except BaseException:
            self._socket.close()
            raise
        return self

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        progress = PROGRESS.get()
        try:
            data = await (self._encrypted(self._tls.read, max_bytes) if self._tls else self._receive())
        except ssl.SSLEOFError:
            data = b""  # many hang up without TLS's goodbye
        except ConnectionError as error:
            raise ConnectionEnded("the connection was reset") from error
        progress.heard |= bool(data)
        progress.ended = not data
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if not buffer:
            return
        try:
            await (self._encrypted(self._tls.write, buffer) if self._tls else self._send(buffer))
        except ConnectionError as error:
            # httpcore goes on to read: a vendor that hangs up on a long call may have said why.
            raise httpcore.WriteError(str(error)) from error

    async def aclose(self) -> None:
        self._socket.close()

    def get_extra_info(self, info: str) -> Any:  # as httpcore has it
        """If `is_readable` is true, httpcore does not use an idle connection again."""
        if info == "is_readable":
            return self.spoiled or PROGRESS.get().wants_new or self._has_more()
        return self._tls if info == "ssl_object" else None

    def _has_more(self) -> bool:
        """Whether something waits to be read: on an idle connection, its end or a reply to no call."""
        if self._tls and self._has_decrypted(self._tls):
            return True
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    def _has_decrypted(self, tls: ssl.SSLObject) -> bool:
        try:
            tls.read(1)
        except ssl.SSLError as error:
            return not isinstance(error, ssl.SSLWantReadError)
        return True

    async def _encrypted(self, step: Callable[..., _Result], *arguments: object) -> _Result:
        """Run a step of TLS: send what it writes, receive what it needs, and return its result."""
        while True:
            try:
                result = step(*arguments)
            except ssl.SSLWantReadError:
                await self._send(self._outgoing.read())
                await self._feed()
            else:
                await self._send(self._outgoing.read())
                return result

    async def _feed(self) -> None:
        data = await self._receive()
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    async def _send(self, data: bytes) -> None:
        if data:
            await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def _receive(self) -> bytes:
        self._reads += 1
        if self._reads % READS_IN_A_ROW == 0:
            await asyncio.sleep(0)
        return await asyncio.get_running_loop().sock_recv(self._socket, READ_SIZE)


async def _connect_to_first(addresses: list[str], port: int) -> socket.socket:
    """A connection to the first address that takes one."""
    failure: OSError = ConnectionError("the name leads to no address")
    for address in addresses:
        try:
            return await _connect(address, port)
        except OSError as error:
            failure = error
    raise failure


async def _connect(address: str, port: int) -> socket.socket:
    connected = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        connected.settimeout(0)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(connected, (address, port))
    except BaseException:
        connected.close()
        raise
    return connected
