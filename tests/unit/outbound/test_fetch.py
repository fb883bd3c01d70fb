"""Documents: whole, in one piece, and from where the operator said."""

import asyncio

import pytest

from gateway.outbound.addresses import AddressRefused
from gateway.outbound.client import HttpClient
from gateway.outbound.fetch import LIMIT, document_fetcher
from tests.unit.outbound.servers import Answer, listening


def publishing(reply: bytes) -> tuple[Answer, list[bytes]]:
    heads: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(reply)
        await writer.drain()

    return answer, heads


async def test_a_document_is_fetched_by_get(client: HttpClient) -> None:
    answer, heads = publishing(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
    async with listening(answer) as port:
        document = await document_fetcher(lambda: client)(f"http://127.0.0.1:{port}/keys")

    assert document == b"{}"
    assert heads[0].startswith(b"GET /keys HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (b"HTTP/1.1 302 Found\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n", "status 302"),
        (b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n", "status 500"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (LIMIT + 1, bytes(LIMIT + 1)), "cannot be read"),
        (b"hello\r\n\r\n", "cannot be read"),
        (b"", "ended"),
    ],
)
async def test_what_is_no_document_is_an_os_error(client: HttpClient, reply: bytes, told: str) -> None:
    answer, heads = publishing(reply)
    async with listening(answer) as port:
        with pytest.raises(OSError, match=told):
            await document_fetcher(lambda: client)(f"http://127.0.0.1:{port}/keys")

    assert len(heads) == 1


async def test_an_address_inside_is_refused() -> None:
    with pytest.raises(AddressRefused):
        await document_fetcher(HttpClient)("http://127.0.0.1/keys")
