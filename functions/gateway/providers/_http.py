"""Providers that are asked over HTTP. The only module that sends anything to vendors, and the one border where
failures of the network become causes of ours.
"""

import time
from dataclasses import dataclass
from ssl import SSLCertVerificationError
from typing import TYPE_CHECKING

import msgspec

from gateway.core.embedding import EmbeddingResult
from gateway.core.errors import (
    GatewayError,
    InvalidRequest,
    ProviderMisbehaved,
    ProviderMisconfigured,
    ProviderTimeout,
    ProviderUnavailable,
)
from gateway.core.ports import ProviderCall
from gateway.outbound.addresses import AddressRefused, UnknownHost
from gateway.outbound.messages import BadHeader, HttpCall, HttpReply, MalformedReply
from gateway.providers._credentials import Credential, CredentialSource
from gateway.providers._error_body import read_error_body
from gateway.providers._failures import report_failure
from gateway.providers._vendor import BadRow, HttpSettings, Vendor, read_settings

if TYPE_CHECKING:
    from gateway.outbound.client import HttpClient

SUCCESS = range(200, 300)
BOM = b"\xef\xbb\xbf"

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
        """One call, one reply; whoever calls decides about retries. Every failure is reported to the operator."""
        try:
            settings = read_settings(call.provider, self.vendor.Settings)
            credential, reply = await self._ask(call, settings)
        except InvalidRequest:
            raise  # the caller's own
        except (AddressRefused, BadHeader, BadRow) as error:
            report_failure(call, str(error))
            raise ProviderMisconfigured("The provider of this model is not set up correctly.") from error
        except GatewayError as error:
            report_failure(call, f"{error.message} {error.__cause__!r}" if error.__cause__ else error.message)
            raise
        if reply.body.startswith(BOM):
            reply = reply._replace(body=reply.body[len(BOM) :])
        return self._read(call, reply, credential, settings)

    async def _ask(self, call: ProviderCall, settings: HttpSettings) -> tuple[Credential, HttpReply]:
        deadline = time.monotonic() + call.timeout
        credential = await self.credentials(call.provider, settings)
        http_call = with_headers(self.vendor.build_call(call, settings), settings)
        return credential, await self._send(credential.apply(http_call), call, deadline)

    async def _send(self, http_call: HttpCall, call: ProviderCall, deadline: float) -> HttpReply:
        seconds = min(deadline - time.monotonic(), call.provider.timeout)
        try:
            return await self.client.send(http_call, limit=reply_limit(call), timeout=seconds)
        except TimeoutError as error:
            raise ProviderTimeout("The provider did not answer in time.") from error
        except MalformedReply as error:
            raise ProviderMisbehaved(f"The provider's answer cannot be read: {error}.") from error
        except (UnknownHost, SSLCertVerificationError) as error:  # not mended by trying again
            raise ProviderMisconfigured("The provider of this model is not set up correctly.") from error
        except OSError as error:
            raise ProviderUnavailable("The provider cannot be reached.") from error

    def _read(
        self, call: ProviderCall, reply: HttpReply, credential: Credential, settings: HttpSettings
    ) -> EmbeddingResult:
        """The vectors of a reply. An error may stand in a 200, too, so what is no answer is read as one."""
        misread: GatewayError | None = None
        if reply.status in SUCCESS:
            try:
                return self.vendor.read_reply(call, reply)
            except ProviderMisbehaved as error:
                misread = error
        concealed = reply._replace(body=credential.conceal(reply.body))
        said = read_error_body(concealed.body)
        reason = said.message if said else misread.message if misread else None
        report_failure(call, reason, reply.status, said and said.code)
        raise misread if misread and not said else self.vendor.read_error(concealed, settings)


def reply_limit(call: ProviderCall) -> int:
    """The most bytes that a reply with these vectors can have."""
    return REPLY_ROOM + NUMBER_ROOM * len(call.inputs) * (call.dimensions or call.native_dimensions)


def with_headers(call: HttpCall, settings: HttpSettings) -> HttpCall:
    """The call with the sender's headers, the vendor's over these, and the row's over both."""
    own = {name.lower(): value for name, value in settings.headers.items()}
    return msgspec.structs.replace(call, headers={**JSON_HEADERS, **call.headers, **own})
