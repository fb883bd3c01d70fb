"""A fake vendor on loopback for the tests that send."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from gateway.providers._connections import Connections
from tests.fakes import openai_vendor


@dataclass(frozen=True)
class RunningVendor:
    """A fake vendor, what it saw, and where it is."""

    vendor: openai_vendor.Vendor
    url: str


@pytest.fixture
async def vendor() -> AsyncIterator[RunningVendor]:
    fake = openai_vendor.Vendor()
    server = await openai_vendor.start(fake)
    async with server:
        yield RunningVendor(fake, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")


@pytest.fixture
async def connections() -> AsyncIterator[Connections]:
    """Connections that may lead to this machine."""
    made = Connections(allow_loopback=True)
    yield made
    made.close()
