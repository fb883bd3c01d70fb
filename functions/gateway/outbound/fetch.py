"""Documents that an operator named by their address, fetched as carefully as vendors are asked: from checked addresses
only, and without following redirects.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from gateway.outbound.messages import HttpCall, MalformedReply

if TYPE_CHECKING:
    from gateway.outbound.client import HttpClient

OK = 200
LIMIT = 1024 * 1024
"""Bytes."""
TIMEOUT = 5.0
"""Seconds."""


def document_fetcher(client: Callable[[], "HttpClient"]) -> Callable[[str], Awaitable[bytes]]:
    """A function that gets what lies at an address; it raises `OSError`, and `AddressRefused`, a `ValueError`.

    `client` is called at the first fetch: what it returns imports httpx.
    """

    async def fetch(url: str) -> bytes:
        try:
            reply = await client().send(HttpCall(method="GET", url=url, body=b""), limit=LIMIT, timeout=TIMEOUT)
        except MalformedReply as error:
            raise OSError(f"the reply cannot be read: {error}") from error
        if reply.status != OK:
            raise OSError(f"the reply has the status {reply.status}")
        return bytes(reply.body)

    return fetch
