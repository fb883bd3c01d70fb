"""Kept-alive connections, whose replies are read by the standard library's http.client, with what that leaves to us:

- A deadline for the whole reply: http.client's timeout restarts with each piece. Only the head is still read with
  that timeout; AWS sends it in one piece.
- A limit on reply size.
- Whether a connection ended before its reply or within it: only in the first case may the call be sent again.
"""

import re
import select
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from http.client import HTTPException, HTTPMessage, HTTPResponse, IncompleteRead
from threading import Lock
from typing import Final, NamedTuple

from gateway.aws.errors import AwsUnavailable

MAX_IDLE_TIME: Final = 60.0
"""Seconds after which an idle connection is closed: a router on the way may have forgotten it."""
PIECE_SIZE: Final = 256 * 1024
"""Bytes of a reply that are read at once; the deadline is checked after each piece."""
MAX_JOINED: Final = 64 * 1024
"""Bytes of a call below which its head and its body are sent together."""
MIN_WAIT: Final = 0.001
"""Seconds: the shortest wait for a reply, so that one that has already arrived is read."""

_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class Unanswered(ConnectionError):
    """The connection ended before anything of a reply had arrived, as an idle one may at any time."""


class Endpoint(NamedTuple):
    """The address of a service."""

    secure: bool
    host: str
    port: int

    @property
    def authority(self) -> str:
        """The `Host` header."""
        return self.host if self.port == (443 if self.secure else 80) else f"{self.host}:{self.port}"


class AwsReply(NamedTuple):
    """One HTTP reply. Its `headers` are found whatever the case of their names."""

    status: int
    headers: HTTPMessage
    body: bytes


class Connection:
    """One connection, for one call at a time.

    The methods raise `OSError`, `HTTPException` and `ValueError`, as http.client does, after closing the connection.
    """

    def __init__(self, endpoint: Endpoint, timeout: float, tls: ssl.SSLContext | None) -> None:
        """Connect within `timeout` seconds, and again as many for the handshake of TLS."""
        self.endpoint = endpoint
        self.is_reused = False
        self.is_reusable = False
        """Whether another call may follow the reply that was read."""
        self.idle_since = 0.0
        self._socket = _connect(endpoint, timeout, tls)
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)

    def close(self) -> None:
        self._socket.close()

    def is_quiet(self) -> bool:
        """Whether nothing can be read: on an idle connection that would be its end, or a reply to no call of ours."""
        if isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
            return False  # bytes that are decrypted already, which `poll` does not see
        return not self._poll.poll(0)

    def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes, timeout: float) -> None:
        """Send a whole request; its head and its body may take `timeout` seconds each."""
        try:
            self._socket.settimeout(timeout)
            head = _head(method, path, headers, len(body))
            # Together, if joining them does not copy much: a system call is a tenth of a small call's cost.
            for part in [head + body] if len(body) < MAX_JOINED else [head, body]:
                self._socket.sendall(part)
        except BaseException:
            self.close()
            raise

    def receive(self, timeout: float, *, max_bytes: int) -> AwsReply:
        """The whole reply, with a body of at most `max_bytes`.

        Raises `TimeoutError` if it has not arrived within `timeout` seconds, and `Unanswered`.
        """
        deadline = time.monotonic() + max(timeout, MIN_WAIT)
        try:
            self._wait_until(deadline)
            with _Response(self._socket) as response:
                response.begin()
                return self._read(response, deadline, max_bytes)
        except BaseException:
            self.close()
            raise

    def _read(self, response: HTTPResponse, deadline: float, max_bytes: int) -> AwsReply:
        _check_length(response, max_bytes)
        self._wait_until(deadline)
        self.is_reusable = not (response.will_close or _has_surplus(response))
        body = b"".join(self._pieces(response, deadline, max_bytes))
        return AwsReply(response.status, response.headers, body)

    def _pieces(self, response: HTTPResponse, deadline: float, max_bytes: int) -> list[bytes]:
        pieces: list[bytes] = []
        size = 0
        while response.length != 0 and (piece := response.read1(PIECE_SIZE)):
            pieces.append(piece)
            size += len(piece)
            _check_size(size, max_bytes)
            if response.length != 0:
                self._wait_until(deadline)
        if response.length:
            raise IncompleteRead(b"", response.length)
        return pieces

    def _wait_until(self, deadline: float) -> None:
        """Give the socket the time that is left; raises `TimeoutError` if there is none."""
        seconds = deadline - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("The reply is not complete in time.")
        self._socket.settimeout(seconds)


class ConnectionPool:
    """Opens connections, and keeps idle ones for the next call to the same endpoint.

    Several threads may use it at once: a lock guards the lists of idle connections, and a connection is in no list
    while a call uses it.
    """

    def __init__(
        self, *, connect_timeout: float, ssl_context: Callable[[], ssl.SSLContext], clock: Callable[[], float]
    ) -> None:
        """`ssl_context` returns one shared context and is called when it is first needed; `clock` is Unix time."""
        self._connect_timeout = connect_timeout
        self._ssl_context = ssl_context
        self._clock = clock
        self._idle: dict[Endpoint, list[Connection]] = {}
        self._lock = Lock()

    def open(self, endpoint: Endpoint) -> Connection:
        """A new connection; raises what `Connection` raises."""
        return Connection(endpoint, self._connect_timeout, self._ssl_context() if endpoint.secure else None)

    def take(self, endpoint: Endpoint) -> Connection | None:
        """An idle connection that is still open, as far as can be seen from here; `None` if there is none."""
        while connection := self._pop(endpoint):
            if self._clock() - connection.idle_since < MAX_IDLE_TIME and connection.is_quiet():
                connection.is_reused = True
                return connection
            connection.close()
        return None

    def keep(self, connection: Connection) -> None:
        """Take back a connection whose reply was read to its end."""
        if not connection.is_reusable:
            connection.close()
            return
        connection.idle_since = self._clock()
        with self._lock:
            self._idle.setdefault(connection.endpoint, []).append(connection)

    def close(self) -> None:
        """Close the idle connections."""
        for endpoint in list(self._idle):
            while connection := self._pop(endpoint):
                connection.close()

    def _pop(self, endpoint: Endpoint) -> Connection | None:
        with self._lock:
            idle = self._idle.get(endpoint)
            return idle.pop() if idle else None


def check_header(name: str, value: str) -> None:
    """Raises `AwsUnavailable` for what HTTP does not allow, without the value: http.client's message would show it."""
    if not (_HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(value)):
        raise AwsUnavailable(f"The header {name!r} has a character that HTTP does not allow.")


class _Response(HTTPResponse):
    """A reply of which we know whether it began: http.client raises the same error for a reset before and within it."""

    def begin(self) -> None:
        """Read the head; raises `Unanswered` if the connection ends before anything of it has arrived."""
        try:
            has_begun = self.fp.peek(1)
        except ConnectionError as error:
            raise Unanswered("The connection broke before a reply.") from error
        if not has_begun:
            raise Unanswered("The connection ended before a reply.")
        super().begin()


def _head(method: str, path: str, headers: Mapping[str, str], length: int) -> bytes:
    """What stands before a call's body; `check_header` was asked about its headers."""
    whole = {**headers, "accept-encoding": "identity", "content-length": length}
    lines = "".join([f"{name}: {value}\r\n" for name, value in whole.items()])
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")


def _connect(endpoint: Endpoint, timeout: float, tls: ssl.SSLContext | None) -> socket.socket:
    connected = socket.create_connection((endpoint.host, endpoint.port), timeout)
    try:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return tls.wrap_socket(connected, server_hostname=endpoint.host) if tls else connected
    except BaseException:
        connected.close()
        raise


def _check_length(response: HTTPResponse, max_bytes: int) -> None:
    # AWS always states a length or sends chunks. Otherwise a connection that broke within the head, before the line
    # with the length, would look like a complete reply.
    if response.length is None and not response.chunked:
        raise HTTPException("The reply does not say where it ends.")
    _check_size(response.length or 0, max_bytes)


def _check_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise HTTPException(f"The reply has more than {max_bytes} bytes.")


def _has_surplus(response: HTTPResponse) -> bool:
    """Whether bytes beyond the reply arrived with its head. They are dropped, but more of them may follow."""
    left = response.length or 0
    return left > 0 and len(response.fp.peek(1)) > left
