"""How a vendor knows that a call is ours: today by a key in a header.

A signature (AWS) or a token that is fetched and kept (Google, Entra ID) is another `Credential` from another
`CredentialSource`. Vendors' files do not change for it, because none of them sees a credential.
"""

from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from gateway.core import catalogue
from gateway.core.ports import ProviderKeys
from gateway.outbound.messages import HttpCall
from gateway.providers._vendor import HttpSettings


class Credential(Protocol):
    """Marks a call as ours. It is pure: what has to be fetched for it, its source has fetched."""

    def apply(self, call: HttpCall) -> HttpCall:
        """The call with the credential in it. Every other header is there already, so that a signature can cover it."""

    def conceal(self, text: bytes) -> bytes:
        """A vendor's reply with the secret taken out, in case the vendor repeats it."""


class CredentialSource(Protocol):
    """Finds the credential that a provider's row asks for, and keeps what can be used for more than one call."""

    async def __call__(self, provider: catalogue.Provider, settings: HttpSettings) -> Credential:
        """Raises `ProviderMisconfigured` if there is no credential, `ProviderUnavailable` if it cannot be had now."""


@dataclass(frozen=True, slots=True)
class NoCredential:
    """For a vendor that asks for none."""

    def apply(self, call: HttpCall) -> HttpCall:
        return call

    def conceal(self, text: bytes) -> bytes:
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCredential:
    """A key in a header, after a word such as `Bearer` or after none."""

    key: str = field(repr=False)
    header: str
    scheme: str

    def apply(self, call: HttpCall) -> HttpCall:
        value = f"{self.scheme} {self.key}".lstrip()
        return msgspec.structs.replace(call, headers={**call.headers, self.header: value})

    def conceal(self, text: bytes) -> bytes:
        return text.replace(self.key.encode(), b"[key]")


@dataclass(frozen=True, slots=True)
class KeyCredentials:
    """Keys that are kept as secrets: `Provider.key` names the secret, the settings its place in a call."""

    keys: ProviderKeys

    async def __call__(self, provider: catalogue.Provider, settings: HttpSettings) -> Credential:
        # Secrets are typed and pasted: a line's end is not part of a key.
        key = (await self.keys.key(provider.key)).strip() if provider.key else ""
        if not key:
            return NoCredential()
        return KeyCredential(key=key, header=settings.auth_header.lower(), scheme=_scheme(settings))


def _scheme(settings: HttpSettings) -> str:
    if settings.auth_scheme is not None:
        return settings.auth_scheme
    return "Bearer" if settings.auth_header.lower() == "authorization" else ""
