"""Calls, rows and replies for provider tests."""

from typing import Any

import msgspec

from gateway.core.catalogue import Provider, Route
from gateway.core.embedding import Input
from gateway.core.ports import ProviderCall
from gateway.outbound.messages import HttpReply


def a_provider(**changes: Any) -> Provider:
    return Provider(**{"name": "vendor", "kind": "openai", "url": "https://vendor.example/v1", **changes})


def a_route(provider: Provider | None = None, **changes: Any) -> Route:
    return Route(
        **{
            "name": "vendor-eu",
            "provider": provider or a_provider(),
            "vendor_model": "text-embedding-3-small",
            "region": "eu",
            **changes,
        }
    )


def a_call(*inputs: Input, route: Route | None = None, **changes: Any) -> ProviderCall:
    """Of vectors of two components, unless told otherwise."""
    return ProviderCall(
        **{"route": route or a_route(), "inputs": inputs or ("hello",), "native_dimensions": 2, **changes}
    )


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
