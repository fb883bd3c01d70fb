"""Identity providers' tokens (OpenID Connect; Entra ID is one): signed JWTs, checked against the provider's own keys.

https://openid.net/specs/openid-connect-core-1_0.html, https://www.rfc-editor.org/rfc/rfc7517
PyJWT and its cryptography are imported with the first token: a stage without an identity provider never pays for them.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from gateway.core import api_key
from gateway.core.caller import OidcToken
from gateway.core.errors import StoreUnavailable, Unauthenticated

if TYPE_CHECKING:
    from jwt import PyJWK, PyJWTError

FRESH: Final = 3_600.0
"""Seconds until the keys are fetched again; a withdrawn key is accepted that long."""
STALE: Final = 24 * 3_600.0
"""Seconds for which they serve while the provider cannot be reached."""
LOOK_AGAIN: Final = 10.0
"""Seconds between two fetches: tokens with made-up key ids must not cause a fetch each."""
LEEWAY: Final = 30
"""Seconds by which the provider's clock may differ from ours."""

ALGORITHMS: Final = {"RSA": "RS256", "EC": "ES256"}
"""The only algorithm for each type of key, whatever a token says."""

MIN_RSA_BITS: Final = 2_048
"""https://www.rfc-editor.org/rfc/rfc7518#section-3.3"""

Fetch = Callable[[str], Awaitable[bytes]]
"""Gets what lies at an address; raises `OSError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """An operator's identity provider. A token's `claim` names the workspace it is for."""

    name: str
    audiences: tuple[str, ...]
    jwks_url: str
    claim: str


class OidcTokenVerifier:
    """The port `OidcVerifier` for one issuer."""

    def __init__(self, issuer: Issuer, *, fetch: Fetch, clock: Callable[[], float]) -> None:
        """`clock` is Unix time."""
        self._issuer = issuer
        self._keys = _Keys(url=issuer.jwks_url, fetch=fetch, clock=clock)

    async def read(self, token: str) -> OidcToken:
        """Who the token is for; raises `Unauthenticated`, and `StoreUnavailable` when that cannot be known."""
        from jwt import PyJWTError  # noqa: PLC0415  (see the module's docstring)

        try:
            key = await self._keys.find(_key_id(token))
            claims = self._verified(token, key)
        except PyJWTError as error:
            raise Unauthenticated(_reason(error)) from error
        return OidcToken(workspace=self._workspace(claims), subject=_subject(claims))

    def _verified(self, token: str, key: "PyJWK") -> Mapping[str, Any]:
        import jwt  # noqa: PLC0415  (see the module's docstring)

        claims: Mapping[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHMS[key.key_type or ""]],
            audience=self._issuer.audiences,
            issuer=self._issuer.name,
            leeway=LEEWAY,
            options={"require": ["exp", "iss", "aud"]},
        )
        return claims

    def _workspace(self, claims: Mapping[str, Any]) -> str:
        value = claims.get(self._issuer.claim)
        if isinstance(value, list) and len(value) == 1:  # roles and groups are lists even of one
            value = value[0]
        if not isinstance(value, str) or not api_key.WORKSPACE.fullmatch(value):
            raise Unauthenticated(f"The token's claim {self._issuer.claim!r} names no workspace.")
        return value


def _key_id(token: str) -> str:
    import jwt  # noqa: PLC0415  (see the module's docstring)

    # Unverified, it only chooses among the provider's keys.
    return str(jwt.get_unverified_header(token).get("kid", ""))


def _subject(claims: Mapping[str, Any]) -> str:
    """Tells callers apart in logs without naming them."""
    who = str(claims.get("sub") or claims.get("oid") or "")
    return "oidc-" + hashlib.sha256(who.encode()).hexdigest()[:12]


def _reason(error: "PyJWTError") -> str:
    import jwt  # noqa: PLC0415  (see the module's docstring)

    match error:
        case jwt.ExpiredSignatureError():
            return "The token has expired."
        case jwt.ImmatureSignatureError():
            return "The token is not valid yet."
        case jwt.InvalidAudienceError():
            return "The token is for another audience."
        case jwt.InvalidIssuerError():
            return "The token is of another issuer."
        case jwt.MissingRequiredClaimError(claim=claim):
            return f"The token lacks the claim {claim!r}."
    return "The token is not one that this gateway can verify: it takes API keys, and tokens signed RS256 or ES256."


@dataclass(slots=True, kw_only=True)
class _Keys:
    """The provider's public keys by id, fetched when they are needed and again when they are old or one is missing."""

    url: str
    fetch: Fetch
    clock: Callable[[], float]
    known: "Mapping[str, PyJWK]" = field(default_factory=dict)
    loaded: float = float("-inf")
    tried: float = float("-inf")

    async def find(self, key_id: str) -> "PyJWK":
        """The key of that id; raises `Unauthenticated`, `StoreUnavailable`."""
        if not self._is_fresh(key_id) and self.clock() - self.tried >= LOOK_AGAIN:
            await self._load()
        if self.clock() - self.loaded > STALE:
            raise StoreUnavailable("The identity provider cannot be reached, so tokens cannot be checked now.")
        key = self.known.get(key_id)
        if key is None:
            raise Unauthenticated("The token is signed with a key that the identity provider does not publish.")
        return key

    def _is_fresh(self, key_id: str) -> bool:
        return key_id in self.known and self.clock() - self.loaded < FRESH

    async def _load(self) -> None:
        self.tried = self.clock()
        try:
            self.known = read_keys(await self.fetch(self.url))
        except (OSError, ValueError, RecursionError):  # the last for JSON nested a thousand deep
            return  # what is known serves until it is stale
        self.loaded = self.clock()


def read_keys(document: bytes) -> "dict[str, PyJWK]":
    """The signing keys of a JWKS by id; those of other types or uses are passed over.

    Raises `ValueError` also where none is left: a document without keys is a mistake, and must not replace good keys.
    Raises `RecursionError`.
    """
    found = json.loads(document)
    if not isinstance(found, dict) or not isinstance(found.get("keys"), list):
        raise ValueError("The document is not a JSON Web Key Set.")  # noqa: TRY004  (the document's value is wrong)
    keys = (_read_key(row) for row in found["keys"] if isinstance(row, dict))
    usable = {str(key.key_id or ""): key for key in keys if key is not None}
    if not usable:
        raise ValueError("The document holds no key that signs.")
    return usable


def _read_key(row: Mapping[str, Any]) -> "PyJWK | None":
    from jwt import PyJWK, PyJWTError  # noqa: PLC0415  (see the module's docstring)

    algorithm = ALGORITHMS.get(str(row.get("kty")))
    signs = row.get("use", "sig") == "sig" and row.get("alg", algorithm) == algorithm
    if algorithm is None or not signs or (algorithm == "ES256" and row.get("crv") != "P-256"):
        return None
    try:
        key = PyJWK(dict(row), algorithm)
    except (PyJWTError, ValueError, TypeError):  # cryptography's own, for numbers that are no key
        return None
    return key if algorithm == "ES256" or key.key.key_size >= MIN_RSA_BITS else None
