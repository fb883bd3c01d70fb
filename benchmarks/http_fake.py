"""An HTTP/1.1 server for fakes: keep-alive, one process, and as little of its own time as possible.

What it spends is not measured, but on two cores it would still be in the way.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request; header names are lower-case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer, and the seconds to wait before it is sent."""

    body: bytes
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0


Answer = Callable[[Asked], Reply]


def serve(answer: Answer, port: int, certificate: str | None = None) -> None:
    """Serve on loopback until the process is ended; over TLS with a certificate (a file in PEM)."""
    asyncio.run(_serve(answer, port, _tls(certificate) if certificate else None))


def _tls(certificate: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


async def _serve(answer: Answer, port: int, tls: ssl.SSLContext | None) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Conversation(answer), "127.0.0.1", port, ssl=tls)
    await server.serve_forever()


class Conversation(asyncio.Protocol):
    """One connection: requests are answered in the order in which they come."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._received += data
        while (asked := self._take()) is not None:
            self._send(self._answer(asked))

    def _send(self, reply: Reply) -> None:
        assert self._transport is not None
        if reply.delay:  # other connections are served in the meantime
            asyncio.get_running_loop().call_later(reply.delay, self._transport.write, _render(reply))
        else:
            self._transport.write(_render(reply))

    def _take(self) -> Asked | None:
        """The next complete request, removed from what was received."""
        head_end = self._received.find(HEAD_END)
        if head_end < 0:
            return None
        method, path, headers = _read_head(self._received[:head_end].decode("latin-1"))
        begin = head_end + len(HEAD_END)
        end = begin + int(headers.get("content-length", 0))
        if len(self._received) < end:
            return None
        body = bytes(self._received[begin:end])
        del self._received[:end]
        return Asked(method=method, path=path, headers=headers, body=body)


def _read_head(head: str) -> tuple[str, str, dict[str, str]]:
    first, *lines = head.split("\r\n")
    method, path, _ = first.split(" ")
    pairs = (line.partition(":") for line in lines)
    return method, path, {name.lower(): value.strip() for name, _, value in pairs}


def _render(reply: Reply) -> bytes:
    extra = "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
    head = (
        f"HTTP/1.1 {reply.status} Ok\r\ncontent-type: {reply.content_type}\r\n"
        f"content-length: {len(reply.body)}\r\n{extra}\r\n"
    )
    return head.encode("latin-1") + reply.body
