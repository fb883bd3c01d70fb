"""HTTP/1.1 for fake vendors on loopback: as much of it as clients use, and cheap enough to stand behind benchmarks."""

import argparse
import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol, cast


@dataclass
class Answer:
    """What goes back; `cut` closes the connection after so many bytes, `chunked` sends the body in pieces."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: int | None = None
    chunked: bool = False


class FakeVendor(Protocol):
    """Answers, without sockets. `PATH` ends its base URL, `HEADERS` are on every answer, `seen` counts."""

    @property
    def PATH(self) -> str: ...  # noqa: N802  (a constant)

    @property
    def HEADERS(self) -> Mapping[str, str]: ...  # noqa: N802  (a constant)

    seen: Counter[str]

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer: ...


class Connection(asyncio.Protocol):
    """HTTP/1.1, as much of it as clients use: keep-alive, content-length, Expect."""

    def __init__(self, vendor: FakeVendor, open_connections: "set[Connection]") -> None:
        self._vendor = vendor
        self._open_connections = open_connections
        self._buffer = bytearray()
        self._told_to_continue = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._open_connections.add(self)
        self._vendor.seen["connections"] += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self._open_connections.discard(self)

    def abort(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        request_line, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        size = end + 4 + int(headers.get("content-length", 0))
        if len(self._buffer) < size:
            self._encourage(headers)
            return
        body = bytes(self._buffer[end + 4 : size])
        del self._buffer[:size]
        self._told_to_continue = False
        method, target, _ = request_line.split(" ")
        self._respond(self._vendor.answer(method, target, headers, body))

    def _encourage(self, headers: Mapping[str, str]) -> None:
        if headers.get("expect", "").lower() == "100-continue" and not self._told_to_continue:
            self._told_to_continue = True
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _respond(self, answer: Answer) -> None:
        if answer.delay:
            asyncio.get_running_loop().call_later(answer.delay, self._send, answer)
        else:
            self._send(answer)

    def _send(self, answer: Answer) -> None:
        message = _head(answer, self._vendor.HEADERS) + (_chunks(answer.body) if answer.chunked else answer.body)
        self._transport.write(message if answer.cut is None else message[: answer.cut])
        if answer.cut is not None or answer.headers.get("connection") == "close":
            self._transport.close()


def _head(answer: Answer, own: Mapping[str, str]) -> bytes:
    length = {"transfer-encoding": "chunked"} if answer.chunked else {"content-length": str(len(answer.body))}
    headers = {
        "content-type": "application/json",
        **own,
        **length,
        **answer.headers,
    }
    lines = [f"HTTP/1.1 {answer.status} Whatever", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def _chunks(body: bytes, size: int = 1000) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""])


@asynccontextmanager
async def running(vendor: FakeVendor, port: int = 0) -> AsyncIterator[str]:
    """Serves on loopback and yields the base URL; at the end it hangs up on clients that keep their connections."""
    open_connections: set[Connection] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(vendor, open_connections), "127.0.0.1", port)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{vendor.PATH}"
    finally:
        server.close()
        for connection in list(open_connections):
            connection.abort()


async def _serve(vendor: FakeVendor, port: int) -> None:
    stopped = asyncio.Event()
    for stop in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(stop, stopped.set)
    async with running(vendor, port) as url:
        print(url, flush=True)  # noqa: T201  (its address)
        await stopped.wait()


def main(vendor: Callable[[str], FakeVendor], key: str, description: str) -> None:
    """Serves the vendor of a key, as the command line asks."""
    parser = argparse.ArgumentParser(description=description.partition("\n\n")[0])
    parser.add_argument("--port", type=int, default=0, help="0 for any that is free")
    parser.add_argument("--key", default=key, help="the only key it takes")
    arguments = parser.parse_args()
    asyncio.run(_serve(vendor(arguments.key), arguments.port))
