"""The deployed stack with a vendor, workspaces and keys, and what all clients did with it."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from gateway.stores.catalogue import FRESH
from tests.e2e.clients.environments import Environments, install
from tests.e2e.clients.play import Performance, play
from tests.e2e.clients.registry import CLIENTS, Client
from tests.e2e.clients.stage import Operator, Stage, make_stage, vendor_in_catalogue
from tests.e2e.stack import Stack


@pytest.fixture(scope="session")
def environments() -> Environments:
    """Every client, installed."""
    return install()


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the programs that the tests start write what they say."""
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="session")
def stage(stack: Stack, request: pytest.FixtureRequest, logs: Path) -> Iterator[Stage]:
    """The deployed stack, ready for clients."""
    operator = Operator(stack.endpoint)
    with vendor_in_catalogue(operator, logs) as vendor:
        known = time.monotonic() + FRESH
        request.getfixturevalue("environments")  # something to do while warm functions believe the old catalogue
        time.sleep(max(0.0, known - time.monotonic()))
        yield make_stage(stack, operator, vendor)


@pytest.fixture(scope="session")
def performances(
    request: pytest.FixtureRequest, environments: Environments, stage: Stage, logs: Path
) -> Mapping[Client, Performance]:
    """What the clients did whose tests were selected; all of them, if a test asks for more than one."""
    return play(_selected(request.session.items), environments, stage, logs)


def _selected(items: list[pytest.Item]) -> list[Client]:
    asking = [item for item in items if "performances" in getattr(item, "fixturenames", ())]
    named = {item.callspec.params.get("client") for item in asking if hasattr(item, "callspec")}
    if any(not hasattr(item, "callspec") for item in asking):
        return list(CLIENTS)
    return [client for client in CLIENTS if client in named]
