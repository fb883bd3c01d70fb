"""Calls, rows and replies for provider tests."""

from typing import Any

import msgspec

from gateway.core.catalogue import Provider, Route
from gateway.core.embedding import Input
from gateway.core.ports import ProviderCall
from gateway.outbound.messages import HttpReply


def a_provider(**changes: Any) -> Provider:
    return Provider(**{"name": "vendor", "kind": "openai", "url": "https://vendor.example/v1", **changes})


def a_route(**changes: Any) -> Route:
    return Route(
        **{
            "name": "vendor-eu",
            "provider": "vendor",
            "vendor_model": "text-embedding-3-small",
            "region": "eu",
            **changes,
        }
    )


def a_call(*inputs: Input, **changes: Any) -> ProviderCall:
    """A call for all inputs of a request, whose vectors have two components."""
    inputs = inputs or ("hello",)
    usual: dict[str, Any] = {
        "route": a_route(),
        "provider": a_provider(),
        "inputs": inputs,
        "positions": tuple(range(len(inputs))),
        "request_inputs": len(inputs),
        "native_dimensions": 2,
    }
    return ProviderCall(**{**usual, **changes})


def json_reply(document: object, status: int = 200, **headers: str) -> HttpReply:
    return HttpReply(
        status=status,
        body=msgspec.json.encode(document),
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


class Keys:
    """Vendors' keys by name."""

    def __init__(self, **keys: str) -> None:
        self._keys = keys

    async def key(self, name: str) -> str:
        return self._keys[name]
