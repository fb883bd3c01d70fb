"""The deployed stack, once for all tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.clients.stage import Operator, vendor_in_catalogue
from tests.e2e.clients.vendor import Vendor
from tests.e2e.stack import Stack, deployed_stack


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The gateway as SAM deployed it, behind the front door."""
    with deployed_stack() as stack:
        yield stack


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the programs that the tests start write what they say."""
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="session")
def vendor(stack: Stack, logs: Path) -> Iterator[Vendor]:
    """A fake vendor whose models the stack offers; warm functions learn of them within `FRESH` seconds."""
    with vendor_in_catalogue(Operator(stack.endpoint), logs) as vendor:
        yield vendor
