"""Providers that are asked over HTTP. The only module that sends anything to vendors, and the one border where
failures of the network become causes of ours.

A vendor is a module with three pure functions, `build_call`, `read_reply` and `read_error`, and its `Settings`.
"""

import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, TypeVar

import msgspec

from gateway import telemetry
from gateway.core import catalogue
from gateway.core.embedding import EmbeddingResult
from gateway.core.errors import GatewayError, ProviderMisbehaved, ProviderTimeout, ProviderUnavailable
from gateway.core.ports import ProviderCall, ProviderKeys
from gateway.http1 import BadHeader, HttpReply, MalformedReply
from gateway.outbound.addresses import AddressRefused
from gateway.outbound.client import Connections, HttpCall

__all__ = ["BadRow", "HttpCall", "HttpProvider", "HttpReply", "Vendor", "read_settings"]

OK = 200
NO_ACCESS = frozenset({401, 403})

REPLY_ROOM = 1024 * 1024
"""Bytes of a reply that are not numbers: names, an error, a request repeated."""
NUMBER_ROOM = 40
"""Bytes one component may take in JSON: 17 digits, sign, exponent, comma, and an indented line of its own."""

_Settings = TypeVar("_Settings", bound=msgspec.Struct)


class BadRow(ValueError):
    """The provider's row in the catalogue cannot be used; the message is a sentence for the operator."""


class Vendor(Protocol):
    """What a vendor's module offers. All of it is pure."""

    @property
    def Settings(self) -> type[msgspec.Struct]:  # noqa: N802  (a class among the module's names)
        """What `Provider.settings` may hold."""

    def build_call(self, call: ProviderCall, key: str | None) -> HttpCall:
        """What to send; raises `BadRow`, and `InvalidRequest` for what the vendor cannot be asked."""

    def read_reply(self, call: ProviderCall, reply: HttpReply) -> EmbeddingResult:
        """What a 200 says; raises `ProviderMisbehaved`."""

    def read_error(self, reply: HttpReply) -> GatewayError:
        """What any other status says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpProvider:
    """Asks one kind of vendor."""

    vendor: Vendor
    keys: ProviderKeys
    connections: Connections

    async def embed(self, call: ProviderCall) -> EmbeddingResult:
        """One call, one reply; retries are nobody's business here."""
        provider = call.provider
        deadline = time.monotonic() + call.timeout
        key = await self._key(provider)
        try:
            reply = await self._send(self.vendor.build_call(call, key), call, deadline)
        except (AddressRefused, BadHeader, BadRow) as error:
            telemetry.logger().error("provider is misconfigured", provider=provider.name, reason=str(error))
            raise ProviderUnavailable("The provider of this model is not set up correctly.") from error
        if reply.status == OK:
            return self.vendor.read_reply(call, reply)
        raise self._error(provider, without_key(reply, key))

    async def _key(self, provider: catalogue.Provider) -> str | None:
        # Secrets are typed and pasted: a line's end is not part of a key.
        return (await self.keys.key(provider.key)).strip() if provider.key else None

    async def _send(self, http_call: HttpCall, call: ProviderCall, deadline: float) -> HttpReply:
        seconds = min(deadline - time.monotonic(), call.provider.timeout)
        try:
            return await self.connections.send(http_call, limit=reply_limit(call), timeout=seconds)
        except TimeoutError as error:
            raise ProviderTimeout("The provider did not answer in time.") from error
        except MalformedReply as error:
            raise ProviderMisbehaved(f"The provider's answer cannot be read: {error}.") from error
        except OSError as error:
            name = call.provider.name
            telemetry.logger().warning("provider cannot be reached", provider=name, reason=repr(error))
            raise ProviderUnavailable("The provider cannot be reached.") from error

    def _error(self, provider: catalogue.Provider, reply: HttpReply) -> GatewayError:
        error = self.vendor.read_error(reply)
        if reply.status in NO_ACCESS:
            telemetry.logger().error("provider refuses our key", provider=provider.name, status=reply.status)
        return error


def reply_limit(call: ProviderCall) -> int:
    """The longest reply, in bytes, that the call's vectors can explain."""
    return REPLY_ROOM + NUMBER_ROOM * len(call.inputs) * (call.dimensions or call.native_dimensions)


def without_key(reply: HttpReply, key: str | None) -> HttpReply:
    """The reply, should the vendor have repeated our key in it, without."""
    if not key:
        return reply
    return reply._replace(body=reply.body.replace(key.encode(), b"[key]"))


def read_settings(provider: catalogue.Provider, kind: type[_Settings]) -> _Settings:
    """The provider's settings as its kind's; raises `BadRow` that names the field."""
    try:
        settings: _Settings = _settings(msgspec.json.encode(provider.settings), kind)
    except msgspec.ValidationError as error:
        raise BadRow(f"Settings of provider {provider.name!r}: {error}.") from error
    return settings


@lru_cache(maxsize=64)
def _settings(encoded: bytes, kind: type[_Settings]) -> Any:  # of that kind
    # By their JSON: to Python 1 and True are the same, to a vendor they are not.
    return msgspec.json.decode(encoded, type=kind)
