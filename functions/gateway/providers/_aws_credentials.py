"""The function's own role signs the call: no key is stored."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import urlsplit

import msgspec

from gateway.aws.errors import AwsUnavailable
from gateway.aws.signing import Credentials, Scope, Signer, timestamp
from gateway.core import catalogue
from gateway.core.errors import ProviderUnavailable
from gateway.outbound.messages import HttpCall
from gateway.providers._credentials import Credential
from gateway.providers._vendor import BadRow, HttpSettings

_REGION = re.compile(r"(?:^|\.)bedrock-runtime(?:-fips)?\.([a-z0-9-]+)\.")


class AwsSettings(HttpSettings, frozen=True):
    """`region` is that of the signature, where the host does not name it."""

    region: str | None = None


@dataclass(frozen=True, slots=True)
class AwsCredential:
    """Signs for Bedrock in one region."""

    credentials: Credentials
    region: str
    clock: Callable[[], float] = time.time

    def apply(self, call: HttpCall) -> HttpCall:
        url, at = urlsplit(call.url), timestamp(int(self.clock()))
        signed = {"host": url.netloc, "content-type": call.headers["content-type"]}
        scope = Scope(at, self.region, "bedrock")
        signer = Signer(self.credentials, scope, method=call.method, path=url.path, headers=signed)
        added = {"x-amz-date": at, "authorization": signer.authorization(at, sha256(call.body).hexdigest())}
        if self.credentials.session_token:
            added["x-amz-security-token"] = self.credentials.session_token
        return msgspec.structs.replace(call, headers={**call.headers, **added})

    def conceal(self, text: bytes) -> bytes:
        token = self.credentials.session_token
        return text.replace(token.encode(), b"[token]") if token else text


@dataclass(frozen=True, slots=True)
class AwsCredentials:
    """The role's, which are in the function's environment; `find` finds those that are valid now."""

    find: Callable[[], Credentials]

    async def __call__(self, provider: catalogue.Provider, settings: HttpSettings) -> Credential:
        region = signing_region(provider, settings)
        try:
            return AwsCredential(self.find(), region)
        except AwsUnavailable as error:
            raise ProviderUnavailable("The gateway cannot sign its call to the provider now.") from error


def signing_region(provider: catalogue.Provider, settings: HttpSettings) -> str:
    """The region that a call is signed for; raises `BadRow`."""
    if not isinstance(settings, AwsSettings):
        raise BadRow(f"Provider {provider.name!r}: the kind {provider.kind!r} is not signed with a role (auth: aws).")
    found = _REGION.search(urlsplit(provider.url or "").hostname or "")
    region = settings.region or (found[1] if found else None)
    if region is None:
        raise BadRow(f"Provider {provider.name!r}: its address names no AWS region; give the setting region.")
    return region
