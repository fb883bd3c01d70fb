"""Blocking connections that carry HTTP/1.1: a request is sent now and its reply read later.

A Lambda function serves one request at a time, so a socket that blocks holds nobody up; what must be under way side by
side is sent before anything is read, or waited for in threads. An event loop would cost a third of each call.
"""

import math
import select
import socket
import ssl
import time
from types import TracebackType
from typing import Self

from gateway.http1 import HttpReply, ReplyReader, make_inbox

ONE_PACKET = 64 * 1024
"""Bytes: a body below this is sent together with its head."""
SHORTEST_WAIT = 0.001
"""Seconds: what has already arrived is read, however late we come to it."""


def seconds_until(deadline: float) -> float:
    """Seconds left until that time of the monotonic clock: never none, for 0 means something else to a socket."""
    return max(deadline - time.monotonic(), SHORTEST_WAIT)


def open_connection(
    host: str,
    port: int,
    timeout: float,
    tls: ssl.SSLContext | None = None,
    *,
    name: str | None = None,
    deadline: float = math.inf,
) -> "Connection":
    """Connect within `timeout` seconds, and again as many for TLS, but not beyond `deadline`; raises `OSError`.

    `name` is whose certificate is expected, if it is not that of `host`; `deadline` is on the monotonic clock.
    """
    connected = socket.create_connection((host, port), timeout)
    try:
        connected.settimeout(min(timeout, seconds_until(deadline)))
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Connection(tls.wrap_socket(connected, server_hostname=name or host) if tls else connected)
    except BaseException:
        connected.close()
        raise


class Connection:
    """One socket, one request at a time. `OSError` and its kinds are left to others to translate."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._inbox = make_inbox()
        self._poll = select.poll()
        self._poll.register(connected, select.POLLIN)
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

    def is_quiet(self) -> bool:
        """Whether nothing waits to be read: on an idle connection that is its end, or an answer to no question."""
        if isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
            return False  # deciphered already
        return not self._poll.poll(0)

    def send(self, head: bytes, body: bytes, timeout: float) -> None:
        """Send a whole request; its head and its body may take `timeout` seconds each, where they go apart."""
        self._socket.settimeout(timeout)
        # One packet where it fits: two would wait for each other's acknowledgement.
        self._socket.sendall(head + body if len(body) < ONE_PACKET else head)
        if len(body) >= ONE_PACKET:
            self._socket.sendall(body)

    def receive(self, timeout: float, limit: int) -> HttpReply:
        """The whole reply; raises `TimeoutError` if it is not all there within `timeout` seconds from now.

        Raises `Unanswered`, other kinds of `OSError`, and `MalformedReply`, also for a body of more than `limit` bytes.
        """
        deadline = time.monotonic() + timeout
        reader = ReplyReader(limit, self._inbox)
        while reader.reply is None:
            self._socket.settimeout(seconds_until(deadline))
            try:
                count = self._socket.recv_into(reader.room())
            except ConnectionError:
                reader.end(broken=True)
                continue
            if count:
                reader.took(count)
            else:
                reader.end()
        self.reusable = reader.reusable
        return reader.reply
