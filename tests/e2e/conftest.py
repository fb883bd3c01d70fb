"""The deployed stack, once for all tests."""

from collections.abc import Iterator

import pytest

from tests.e2e.stack import Stack, deployed_stack


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The gateway as SAM deployed it, behind the front door."""
    with deployed_stack() as stack:
        yield stack
