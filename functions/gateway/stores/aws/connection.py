"""HTTP/1.1 to one endpoint: a request is sent now and its reply read later, so that several are under way at once.

http.client would cost ten times the CPU per reply (it parses headers as e-mail), and cannot bound how long a reply
takes in all. https://datatracker.ietf.org/doc/html/rfc9112
"""

import select
import socket
import ssl
import time
from collections.abc import Mapping
from types import TracebackType
from typing import NamedTuple, Self

CHUNK = 65536
"""Bytes asked of the socket at once."""
SHORTEST_WAIT = 0.001
"""Seconds: what has already arrived is read, however late we come to it."""
_HEAD_ENDS = b"\r\n\r\n"
_NO_BODY = frozenset({204, 304})


class Endpoint(NamedTuple):
    """Where a service listens."""

    secure: bool
    host: str
    port: int

    @property
    def authority(self) -> str:
        """The `Host` header."""
        return self.host if self.port == (443 if self.secure else 80) else f"{self.host}:{self.port}"


class Reply(NamedTuple):
    """What came back; header names are lower-case."""

    status: int
    headers: dict[str, str]
    body: bytes | bytearray


class ClosedByPeer(ConnectionError):
    """The other side hung up before its reply began, as it may on a connection that was kept alive."""


def open_connection(endpoint: Endpoint, context: ssl.SSLContext | None, timeout: float) -> "Connection":
    """Connect within `timeout` seconds; raises `OSError`."""
    connected = socket.create_connection((endpoint.host, endpoint.port), timeout)
    try:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is not None:
            return Connection(context.wrap_socket(connected, server_hostname=endpoint.host))
    except BaseException:
        connected.close()
        raise
    return Connection(connected)


class Connection:
    """One socket, one request at a time. `OSError` and its kinds are left to the client to translate."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self.reused = False
        self.reusable = True
        """Whether another request may follow the reply that was read."""
        self.idle_since = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def interrupt(self) -> None:
        """Wake up a thread that waits for a reply here."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            self._socket.close()  # it was not connected any more

    def is_quiet(self) -> bool:
        """Whether nothing waits to be read: on an idle connection that could only be its end."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0)

    def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes, timeout: float) -> None:
        """Send a whole request; a large body may take up to `timeout` seconds for each part the other side takes."""
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        head = "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode("latin-1")
        self._socket.settimeout(timeout)
        # One packet where it fits: two would wait for each other's acknowledgement.
        self._socket.sendall(head + body if len(body) < CHUNK else head)
        if len(body) >= CHUNK:
            self._socket.sendall(body)

    def receive(self, timeout: float) -> Reply:
        """The whole reply; raises `TimeoutError` if it is not all there within `timeout` seconds from now."""
        incoming = _Incoming(self._socket, time.monotonic() + timeout)
        status, headers = _read_head(incoming.until(_HEAD_ENDS))
        self.reusable = headers.get("connection", "").lower() != "close"
        return Reply(status, headers, self._read_body(incoming, status, headers))

    def _read_body(self, incoming: "_Incoming", status: int, headers: Mapping[str, str]) -> bytes | bytearray:
        if "content-length" in headers:
            return incoming.exactly(int(headers["content-length"]))
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return _read_chunks(incoming)
        if status in _NO_BODY:
            return b""
        self.reusable = False
        return incoming.to_the_end()


def _read_head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return int(first.split(" ", 2)[1]), {name.lower(): value.strip() for name, _, value in pairs}


def _read_chunks(incoming: "_Incoming") -> bytearray:
    body = bytearray()
    while size := int(incoming.until(b"\r\n").partition(b";")[0], 16):
        body += incoming.exactly(size)
        incoming.until(b"\r\n")
    while incoming.until(b"\r\n"):
        pass  # trailers
    return body


class _Incoming:
    """Bytes as they arrive, until the deadline."""

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self._socket = connected
        self._deadline = deadline
        self._arrived = b""
        self._begun = False

    def until(self, end: bytes) -> bytes:
        """What comes before `end`, which is consumed."""
        while end not in self._arrived:
            self._arrived += self._more()
        part, _, self._arrived = self._arrived.partition(end)
        return part

    def exactly(self, size: int) -> bytes | bytearray:
        if len(self._arrived) >= size:
            part, self._arrived = self._arrived[:size], self._arrived[size:]
            return part
        whole, filled = bytearray(size), len(self._arrived)
        view = memoryview(whole)
        view[:filled], self._arrived = self._arrived, b""
        while filled < size:
            self._grant()
            count = self._socket.recv_into(view[filled:])
            if not count:
                raise ConnectionError("The reply broke off.")
            filled += count
        return whole

    def to_the_end(self) -> bytearray:
        whole, self._arrived = bytearray(self._arrived), b""
        while part := self._receive():
            whole += part
        return whole

    def _more(self) -> bytes:
        try:
            part = self._receive()
        except ConnectionError as error:
            if self._begun:
                raise
            raise ClosedByPeer("The connection broke before a reply.") from error
        if not part:
            raise ConnectionError("The reply broke off.") if self._begun else ClosedByPeer("Hung up before a reply.")
        self._begun = True
        return part

    def _receive(self) -> bytes:
        self._grant()
        return self._socket.recv(CHUNK)

    def _grant(self) -> None:
        self._socket.settimeout(max(self._deadline - time.monotonic(), SHORTEST_WAIT))
