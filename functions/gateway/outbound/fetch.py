"""Documents that an operator named by their address, fetched as carefully as vendors are asked: to checked addresses
only, and without following redirects.
"""

from collections.abc import Awaitable, Callable

from gateway.http1 import MalformedReply
from gateway.outbound.client import Connections, HttpCall

OK = 200
LIMIT = 1024 * 1024
"""Bytes."""
TIMEOUT = 5.0
"""Seconds."""


def document_fetcher(*, allow_loopback: bool) -> Callable[[str], Awaitable[bytes]]:
    """A function that gets what lies at an address; it raises `OSError`, and `AddressRefused`, a `ValueError`."""
    connections = Connections(allow_loopback=allow_loopback)

    async def fetch(url: str) -> bytes:
        try:
            call = HttpCall(method="GET", url=url, body=b"")
            reply = await connections.send(call, limit=LIMIT, timeout=TIMEOUT)
        except MalformedReply as error:
            raise OSError("the reply is not HTTP") from error
        if reply.status != OK:
            raise OSError(f"the reply has the status {reply.status}")
        return bytes(reply.body)

    return fetch
