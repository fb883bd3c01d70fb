"""For every test: no network but loopback, and no judgement of how long anything takes."""

import socket
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# Machines are noisy, and time is never tested.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

_connect = socket.socket.connect
_LOOPBACK = ("127.", "::1", "localhost")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(self: socket.socket, address: Any) -> None:
        if self.family in {socket.AF_INET, socket.AF_INET6} and not str(address[0]).startswith(_LOOPBACK):
            raise AssertionError(f"A test tried to reach {address[0]}.")
        _connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
