"""A fake vendor on loopback for the tests that send."""

from collections.abc import AsyncIterator

import pytest

from gateway.outbound.client import HttpClient
from tests.fakes import openai_vendor
from tests.unit.outbound.servers import RunningVendor


@pytest.fixture
async def vendor() -> AsyncIterator[RunningVendor]:
    fake = openai_vendor.Vendor()
    async with openai_vendor.running(fake) as url:
        yield RunningVendor(fake, url)


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    """Its calls may lead to this machine."""
    made = HttpClient(allow_loopback=True)
    yield made
    await made.aclose()
