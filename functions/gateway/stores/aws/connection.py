"""Blocking connections: a request is sent now and its reply read later, so that several are under way at once.

http.client would cost ten times the CPU per reply (it parses headers as e-mail), and cannot bound how long a reply
takes in all.
"""

import select
import socket
import ssl
import time
from collections.abc import Mapping
from types import TracebackType
from typing import NamedTuple, Self

from gateway.http1 import HttpReply, ReplyReader, write_head

ONE_PACKET = 64 * 1024
"""Bytes: a body below this is sent together with its head."""
LONGEST_REPLY = 32 * 1024 * 1024
"""Bytes: a query or batch of DynamoDB is 16 MB of items at most, which base64 makes a third larger."""
SHORTEST_WAIT = 0.001
"""Seconds: what has already arrived is read, however late we come to it."""


class Endpoint(NamedTuple):
    """Where a service listens."""

    secure: bool
    host: str
    port: int

    @property
    def authority(self) -> str:
        """The `Host` header."""
        return self.host if self.port == (443 if self.secure else 80) else f"{self.host}:{self.port}"


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
        """Whether nothing waits to be read: on an idle connection that is its end, or an answer to no question."""
        if isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
            return False  # deciphered already
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0)

    def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes, timeout: float) -> None:
        """Send a whole request; a large body may take up to `timeout` seconds for each part the other side takes.

        Raises `BadHeader`.
        """
        head = write_head(method, target, {**headers, "content-length": str(len(body))})
        self._socket.settimeout(timeout)
        # One packet where it fits: two would wait for each other's acknowledgement.
        self._socket.sendall(head + body if len(body) < ONE_PACKET else head)
        if len(body) >= ONE_PACKET:
            self._socket.sendall(body)

    def receive(self, timeout: float) -> HttpReply:
        """The whole reply; raises `TimeoutError` if it is not all there within `timeout` seconds from now.

        Raises `Unanswered`, other kinds of `OSError`, and `MalformedReply`.
        """
        deadline = time.monotonic() + timeout
        reader = ReplyReader(LONGEST_REPLY)
        while reader.reply is None:
            self._socket.settimeout(max(deadline - time.monotonic(), SHORTEST_WAIT))
            self._read_on(reader)
        self.reusable = reader.reusable
        return reader.reply

    def _read_on(self, reader: ReplyReader) -> None:
        try:
            count = self._socket.recv_into(reader.room())
        except ConnectionError:
            reader.end(broken=True)
            return
        if count:
            reader.took(count)
        else:
            reader.end()
