"""Servers on loopback for the tests that send."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from tests.fakes.openai_vendor import Vendor

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class RunningVendor:
    """A fake vendor, what it saw, and where it is."""

    vendor: Vendor
    url: str


@asynccontextmanager
async def listening(answer: Answer, ssl_context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port of a server that answers each connection so, and that hangs up on all of them at the end."""
    open_connections: set[asyncio.StreamWriter] = set()

    async def answer_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_connections.add(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):  # the client went away, as it may
            await answer(reader, writer)
        writer.close()

    server = await asyncio.start_server(answer_and_close, "127.0.0.1", 0, ssl=ssl_context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in open_connections:
            writer.transport.abort()
        await asyncio.sleep(0.01)  # each notices
