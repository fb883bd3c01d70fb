"""Models and callers for tests: the least that is needed, and whatever a test wants to be otherwise."""

from typing import Any

from gateway.core.caller import Caller, Limits, Workspace
from gateway.core.catalogue import Model, Provider, Route


def make_provider(**changes: Any) -> Provider:
    return Provider(**{"name": "echo-eu", "kind": "echo", **changes})


def make_route(**changes: Any) -> Route:
    usual: dict[str, Any] = {
        "name": "echo-eu",
        "provider": "echo-eu",
        "vendor_model": "vendor-echo",
        "region": "eu",
        "accepts_tokens": True,
    }
    return Route(**{**usual, **changes})


def make_model(**changes: Any) -> Model:
    return Model(**{"name": "echo", "dimensions": 8, "routes": (make_route(),), **changes})


def make_caller(**changes: Any) -> Caller:
    workspace = Workspace(name="acme", limits=Limits(requests=1000, tokens=1_000_000))
    return Caller(**{"workspace": workspace, "key_id": "k" * 8, **changes})
