"""The deployed stack with a vendor, workspaces and keys, and what all clients did with it."""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from gateway.stores.catalogue import FRESH
from tests.e2e.clients.drivers import Drivers
from tests.e2e.clients.environments import Environments, install
from tests.e2e.clients.play import AT_ONCE, Performance, play
from tests.e2e.clients.registry import CLIENTS, Client
from tests.e2e.clients.stage import Operator, Stage, make_stage
from tests.e2e.clients.vendor import Vendor
from tests.e2e.stack import Stack


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Search the logs when everything that could leave a trace in them is done."""
    items.sort(key=lambda item: item.path.name == "test_nothing_leaks.py")


@pytest.fixture(scope="session")
def environments() -> Environments:
    """Every client, installed."""
    return install()


@pytest.fixture(scope="session")
def drivers(environments: Environments, stack: Stack, logs: Path) -> Iterator[Drivers]:
    """The clients."""
    with Drivers(environments, stack.base_url, logs) as drivers:
        yield drivers


@pytest.fixture(scope="session")
def stage(stack: Stack, vendor: Vendor, drivers: Drivers, request: pytest.FixtureRequest) -> Stage:
    """The deployed stack, ready for clients."""
    known = time.monotonic() + FRESH
    # Something to do while warm functions believe the old catalogue.
    drivers.start((client.program for client in _selected(request.session.items)), at_once=AT_ONCE)
    time.sleep(max(0.0, known - time.monotonic()))
    return make_stage(stack, Operator(stack.endpoint), vendor)


@pytest.fixture(scope="session")
def performances(request: pytest.FixtureRequest, drivers: Drivers, stage: Stage) -> Mapping[Client, Performance]:
    """What the clients did whose tests were selected; all of them, if a test asks for more than one."""
    return play(_selected(request.session.items), drivers, stage)


def _selected(items: Sequence[pytest.Item]) -> list[Client]:
    asking = [item for item in items if isinstance(item, pytest.Function) and "performances" in item.fixturenames]
    if any(not hasattr(item, "callspec") for item in asking):
        return list(CLIENTS)
    return [client for client in CLIENTS if any(item.callspec.params["client"] == client for item in asking)]
