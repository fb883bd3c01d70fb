"""A fake vendor for SDKs that block: it serves from a thread of its own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue

from tests.fakes.vendor_server import FakeVendor, running


@contextmanager
def served(vendor: FakeVendor) -> Iterator[str]:
    """Serves on loopback and yields the base URL."""
    urls: SimpleQueue[str] = SimpleQueue()
    loop, stopped = asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        async with running(vendor) as url:
            urls.put(url)
            await stopped.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        yield urls.get(timeout=10)
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join()
        loop.close()
