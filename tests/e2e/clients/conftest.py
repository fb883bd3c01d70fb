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
from tests.e2e.clients.stage import Operator, Stage, make_stage, vendor_in_catalogue
from tests.e2e.stack import Stack


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Search the logs when everything that could leave a trace in them is done."""
    items.sort(key=lambda item: item.path.name == "test_nothing_leaks.py")


@pytest.fixture(scope="session")
def environments() -> Environments:
    """Every client, installed."""
    return install()


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the programs that the tests start write what they say."""
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="session")
def drivers(environments: Environments, stack: Stack, logs: Path) -> Iterator[Drivers]:
    """The clients."""
    with Drivers(environments, stack.base_url, logs) as drivers:
        yield drivers


@pytest.fixture(scope="session")
def stage(stack: Stack, drivers: Drivers, request: pytest.FixtureRequest, logs: Path) -> Iterator[Stage]:
    """The deployed stack, ready for clients."""
    operator = Operator(stack.endpoint)
    with vendor_in_catalogue(operator, logs) as vendor:
        known = time.monotonic() + FRESH
        # Something to do while warm functions believe the old catalogue.
        drivers.start((client.program for client in _selected(request.session.items)), at_once=AT_ONCE)
        time.sleep(max(0.0, known - time.monotonic()))
        yield make_stage(stack, operator, vendor)


@pytest.fixture(scope="session")
def performances(request: pytest.FixtureRequest, drivers: Drivers, stage: Stage) -> Mapping[Client, Performance]:
    """What the clients did whose tests were selected; all of them, if a test asks for more than one."""
    return play(_selected(request.session.items), drivers, stage)


def _selected(items: Sequence[pytest.Item]) -> list[Client]:
    asking = [item for item in items if isinstance(item, pytest.Function) and "performances" in item.fixturenames]
    if any(not hasattr(item, "callspec") for item in asking):
        return list(CLIENTS)
    return [client for client in CLIENTS if any(item.callspec.params["client"] == client for item in asking)]
