"""Tokens of a Google service account: its stored key signs a claim, which Google's token endpoint exchanges.

https://developers.google.com/identity/protocols/oauth2/service-account#httprest
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from weakref import WeakKeyDictionary

import msgspec

from gateway.core import catalogue
from gateway.core.errors import GatewayError, ProviderMisconfigured, ProviderUnavailable
from gateway.core.ports import ProviderKeys
from gateway.outbound.messages import HttpCall, HttpReply, MalformedReply
from gateway.providers._credentials import Credential, KeyCredential
from gateway.providers._vendor import HttpSettings

if TYPE_CHECKING:
    from gateway.outbound.client import HttpClient

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LIFE = 3600
"""Seconds for which a token is asked, the most that Google grants."""
RENEW_BEFORE = 300
"""Seconds before a token ends at which a new one is fetched."""
TIMEOUT, LIMIT = 5.0, 64 * 1024
"""Seconds, and bytes of a reply."""
OK, FIRST_SERVER_ERROR, TOO_MANY = 200, 500, 429


class _Account(msgspec.Struct):
    client_email: str
    private_key: str = msgspec.field()
    private_key_id: str
    token_uri: str = "https://oauth2.googleapis.com/token"  # noqa: S105  # an address


class _Granted(msgspec.Struct):
    access_token: str
    expires_in: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    account: str
    text: str = field(repr=False)
    ends: float


@dataclass(slots=True, kw_only=True)
class GoogleTokens:
    """Fetches a token once per container and renews it early; calls side by side wait for one fetch."""

    keys: ProviderKeys
    client: "Callable[[], HttpClient]"
    clock: Callable[[], float]
    _tokens: dict[str, _Token] = field(default_factory=dict)
    _locks: "WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock]" = field(default_factory=WeakKeyDictionary)

    async def __call__(self, provider: catalogue.Provider, settings: HttpSettings) -> Credential:  # noqa: ARG002
        if not provider.key:
            raise ProviderMisconfigured("The provider of this model is not set up correctly.")
        account = await self.keys.key(provider.key)
        # A lock belongs to the event loop in which it was waited for, and a container may have another later.
        async with self._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            token = self._tokens.get(provider.key)
            if token is None or token.account != account or self.clock() > token.ends - RENEW_BEFORE:
                token = self._tokens[provider.key] = await self._fetch(account)
        return KeyCredential(key=token.text, header="authorization", scheme="Bearer")

    async def _fetch(self, account: str) -> _Token:
        now = int(self.clock())
        call = _ask(account, now)
        try:
            reply = await self.client().send(call, limit=LIMIT, timeout=TIMEOUT)
        except (OSError, MalformedReply) as error:
            raise ProviderUnavailable("The provider's token endpoint cannot be reached.") from error
        granted = _read(reply)
        return _Token(account=account, text=granted.access_token, ends=now + granted.expires_in)


def _ask(account: str, now: int) -> HttpCall:
    """The call for a token; raises `ProviderMisconfigured` for what is no key of a service account."""
    import jwt  # noqa: PLC0415  (only where a row asks for it)

    try:
        found = msgspec.json.decode(account, type=_Account)
        claims = {"iss": found.client_email, "scope": SCOPE, "aud": found.token_uri, "iat": now, "exp": now + LIFE}
        signed = jwt.encode(claims, found.private_key, algorithm="RS256", headers={"kid": found.private_key_id})
    except (msgspec.MsgspecError, ValueError, jwt.PyJWTError) as error:
        raise ProviderMisconfigured("The stored key is not that of a Google service account.") from error
    form = urlencode({"grant_type": GRANT, "assertion": signed}).encode()
    return HttpCall(url=found.token_uri, body=form, headers={"content-type": "application/x-www-form-urlencoded"})


def _read(reply: HttpReply) -> _Granted:
    if reply.status != OK:
        raise _refusal(reply.status)
    try:
        return msgspec.json.decode(reply.body, type=_Granted)
    except msgspec.MsgspecError as error:
        raise ProviderUnavailable("The provider's token endpoint answered no token.") from error


def _refusal(status: int) -> GatewayError:
    if status >= FIRST_SERVER_ERROR or status == TOO_MANY:
        return ProviderUnavailable(f"The provider's token endpoint failed (HTTP {status}).")
    return ProviderMisconfigured("The provider's token endpoint refused the stored key.")
