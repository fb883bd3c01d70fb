"""A fake vendor on loopback for the tests that send."""

from collections.abc import AsyncIterator

import pytest

from gateway.outbound.client import Connections
from tests.fakes import openai_vendor
from tests.unit.outbound.servers import RunningVendor


@pytest.fixture
async def vendor() -> AsyncIterator[RunningVendor]:
    fake = openai_vendor.Vendor()
    async with openai_vendor.running(fake) as url:
        yield RunningVendor(fake, url)


@pytest.fixture
async def connections() -> AsyncIterator[Connections]:
    """Connections that may lead to this machine."""
    made = Connections(allow_loopback=True)
    yield made
    made.close()
