"""Providers that are asked over HTTP. The only module that sends anything to vendors, and the one border where
failures of the network become causes of ours.
"""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from gateway import telemetry
from gateway.core import catalogue
from gateway.core.embedding import EmbeddingResult
from gateway.core.errors import GatewayError, ProviderMisbehaved, ProviderTimeout, ProviderUnavailable
from gateway.core.ports import ProviderCall
from gateway.outbound.addresses import AddressRefused
from gateway.outbound.messages import BadHeader, HttpCall, HttpReply, MalformedReply
from gateway.providers._credentials import CredentialSource
from gateway.providers._vendor import BadRow, HttpSettings, Vendor, read_settings

if TYPE_CHECKING:
    from gateway.outbound.client import HttpClient

OK = 200
NO_ACCESS = frozenset({401, 403})

JSON_HEADERS = {"content-type": "application/json", "accept": "application/json"}

REPLY_ROOM = 1024 * 1024
"""Bytes of a reply that are not numbers: names, an error, a request repeated."""
NUMBER_ROOM = 40
"""Bytes one component may take in JSON: 17 digits, sign, exponent, comma, and an indented line of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpProvider:
    """Asks one kind of vendor."""

    vendor: Vendor
    credentials: CredentialSource
    client: "HttpClient"

    async def embed(self, call: ProviderCall) -> EmbeddingResult:
        """One call, one reply; whoever calls decides about retries."""
        provider, deadline = call.provider, time.monotonic() + call.timeout
        try:
            settings = read_settings(provider, self.vendor.Settings)
            credential = await self.credentials(provider, settings)
            http_call = with_headers(self.vendor.build_call(call, settings), settings)
            reply = await self._send(credential.apply(http_call), call, deadline)
        except (AddressRefused, BadHeader, BadRow) as error:
            telemetry.logger().error("provider is misconfigured", provider=provider.name, reason=str(error))
            raise ProviderUnavailable("The provider of this model is not set up correctly.") from error
        if reply.status == OK:
            return self.vendor.read_reply(call, reply)
        raise self._error(provider, reply._replace(body=credential.conceal(reply.body)), settings)

    async def _send(self, http_call: HttpCall, call: ProviderCall, deadline: float) -> HttpReply:
        provider = call.provider
        seconds = min(deadline - time.monotonic(), provider.timeout)
        try:
            return await self.client.send(http_call, limit=reply_limit(call), timeout=seconds)
        except TimeoutError as error:
            raise ProviderTimeout("The provider did not answer in time.") from error
        except MalformedReply as error:
            raise ProviderMisbehaved(f"The provider's answer cannot be read: {error}.") from error
        except OSError as error:
            telemetry.logger().warning("provider cannot be reached", provider=provider.name, reason=repr(error))
            raise ProviderUnavailable("The provider cannot be reached.") from error

    def _error(self, provider: catalogue.Provider, reply: HttpReply, settings: HttpSettings) -> GatewayError:
        if reply.status in NO_ACCESS:
            telemetry.logger().error("provider refuses our key", provider=provider.name, status=reply.status)
        return self.vendor.read_error(reply, settings)


def reply_limit(call: ProviderCall) -> int:
    """The longest reply, in bytes, that the call's vectors can explain."""
    return REPLY_ROOM + NUMBER_ROOM * len(call.inputs) * (call.dimensions or call.native_dimensions)


def with_headers(call: HttpCall, settings: HttpSettings) -> HttpCall:
    """The call with the sender's headers, the vendor's over these, and the row's over both."""
    own = {name.lower(): value for name, value in settings.headers.items()}
    return msgspec.structs.replace(call, headers={**JSON_HEADERS, **call.headers, **own})
