"""Tokens of identity providers: a real issuer with keys of its own, and everybody who would like to be one."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from gateway.core.errors import StoreUnavailable, Unauthenticated
from gateway.operations.authenticate import Authenticate
from gateway.outbound.client import HttpClient
from gateway.outbound.fetch import document_fetcher
from gateway.stores.oidc_tokens import FRESH, LOOK_AGAIN, STALE, Issuer, OidcTokenVerifier
from tests.unit.dialects.stage import KEY, Stage

NAME, AUDIENCE = "https://login.example/tenant/v2.0", "api://embeddings"

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
WEAK_KEY = rsa.generate_private_key(public_exponent=65537, key_size=1024)
STRANGERS_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def rsa_row(key: rsa.RSAPrivateKey = RSA_KEY, key_id: str = "r1", **more: Any) -> dict[str, Any]:
    return {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": key_id, **more}


def ec_row(**more: Any) -> dict[str, Any]:
    return {**ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True), "kid": "e1", **more}


@dataclass
class Publisher:
    """An issuer's JWKS on loopback. `rows` may change, `status` may fail."""

    rows: list[dict[str, Any]] = field(default_factory=lambda: [rsa_row(use="sig", alg="RS256"), ec_row()])
    status: str = "200 OK"
    asked: int = 0
    url: str = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        body = json.dumps({"keys": self.rows}).encode()
        writer.write(
            f"HTTP/1.1 {self.status}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body
        )
        await writer.drain()
        writer.close()


@pytest_asyncio.fixture
async def publisher() -> AsyncIterator[Publisher]:
    published = Publisher()
    server = await asyncio.start_server(published.answer, "127.0.0.1", 0)
    published.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys"
    async with server:
        yield published


@dataclass
class Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def tokens_of(publisher: Publisher, clock: Clock | None = None, **changes: Any) -> OidcTokenVerifier:
    issuer = Issuer(
        **{"name": NAME, "audiences": (AUDIENCE,), "jwks_url": publisher.url, "claim": "workspace", **changes}
    )
    return OidcTokenVerifier(
        issuer, fetch=document_fetcher(cache(partial(HttpClient, allow_loopback=True))), clock=clock or Clock()
    )


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    return {
        "iss": NAME,
        "aud": AUDIENCE,
        "exp": now + 300,
        "nbf": now - 5,
        "sub": "someone",
        "workspace": "acme",
        **changes,
    }


def signed(key: Any = RSA_KEY, algorithm: str = "RS256", key_id: str = "r1", **changes: Any) -> str:
    """Any: whatever PyJWT signs with."""
    body = {name: value for name, value in claims(**changes).items() if value is not None}
    return jwt.encode(body, key, algorithm, headers={"kid": key_id})


def by_hand(header: dict[str, Any], secret: bytes) -> str:
    """A token no library would make."""
    text = ".".join(_text(json.dumps(part).encode()) for part in (header, claims()))
    return f"{text}.{_text(hmac.digest(secret, text.encode(), hashlib.sha256) if secret else b'')}"


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "token", [signed(), signed(EC_KEY, "ES256", "e1"), signed(aud=["other", AUDIENCE]), signed(workspace=["acme"])]
)
async def test_a_token_of_the_issuer_is_for_the_workspace_of_its_claim(publisher: Publisher, token: str) -> None:
    identity = await tokens_of(publisher).read(token)

    assert identity.workspace == "acme"
    assert "someone" not in identity.subject


async def test_the_same_subject_is_told_apart_from_others(publisher: Publisher) -> None:
    tokens = tokens_of(publisher)

    first, again, other = [await tokens.read(signed(sub=name)) for name in ("a", "a", "b")]

    assert first == again != other


PUBLIC_PEM = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (signed(STRANGERS_KEY), "verify"),
        (by_hand({"alg": "none", "kid": "r1"}, b""), "verify"),
        (by_hand({"alg": "None", "kid": "r1"}, b""), "verify"),
        (by_hand({"alg": "HS256", "kid": "r1"}, PUBLIC_PEM), "verify"),
        (by_hand({"alg": "HS256", "kid": "e1"}, b""), "verify"),
        (signed(RSA_KEY, "RS512"), "verify"),
        (signed(RSA_KEY, "PS256"), "verify"),
        (signed(EC_KEY, "ES256", "r1"), "verify"),
        (signed(RSA_KEY, "RS256", "e1"), "verify"),
        (signed(key_id="unknown"), "does not publish"),
        (signed(exp=int(time.time()) - 60), "expired"),
        (signed(nbf=int(time.time()) + 600), "not valid yet"),
        (signed(aud="api://another"), "another audience"),
        (signed(iss="https://login.example/other/v2.0"), "another issuer"),
        (signed(exp=None), "'exp'"),
        (signed(aud=None), "'aud'"),
        (signed(iss=None), "'iss'"),
        (signed(workspace=None), "names no workspace"),
        (signed(workspace="No Such Name"), "names no workspace"),
        (signed(workspace=["acme", "other"]), "names no workspace"),
        (signed(workspace=7), "names no workspace"),
        (signed()[:-4] + "AAAA", "verify"),
        ("a.b.c", "verify"),
        ("..", "verify"),
    ],
)
async def test_any_other_token_is_refused(publisher: Publisher, token: str, reason: str) -> None:
    with pytest.raises(Unauthenticated, match=reason):
        await tokens_of(publisher).read(token)


@pytest.mark.parametrize(
    "row",
    [
        rsa_row(use="enc"),
        rsa_row(alg="RS512"),
        {"kty": "oct", "k": "AAAA", "kid": "r1"},
        5,
        rsa_row(n=5),
        rsa_row(kid=["r1"]),
    ],
)
async def test_keys_that_are_not_for_signing_so_are_passed_over(publisher: Publisher, row: Any) -> None:
    """Any: JSON."""
    publisher.rows = [row, ec_row()]
    tokens = tokens_of(publisher)

    assert await tokens.read(signed(EC_KEY, "ES256", "e1"))
    with pytest.raises(Unauthenticated):
        await tokens.read(signed())


async def test_keys_are_fetched_once_while_they_are_fresh(publisher: Publisher) -> None:
    clock = Clock()
    tokens = tokens_of(publisher, clock)

    for _ in range(3):
        await tokens.read(signed())
        clock.now += FRESH / 4

    assert publisher.asked == 1


async def test_a_new_key_of_the_issuer_is_found_and_an_old_one_forgotten(publisher: Publisher) -> None:
    clock = Clock()
    tokens = tokens_of(publisher, clock)
    await tokens.read(signed())
    publisher.rows = [rsa_row(STRANGERS_KEY, "r2")]
    clock.now += LOOK_AGAIN

    assert await tokens.read(signed(STRANGERS_KEY, key_id="r2"))
    with pytest.raises(Unauthenticated):
        await tokens.read(signed())


async def test_made_up_key_ids_do_not_have_the_issuer_asked_for_each(publisher: Publisher) -> None:
    tokens = tokens_of(publisher)

    for number in range(20):
        with pytest.raises(Unauthenticated):
            await tokens.read(signed(key_id=f"made-up-{number}"))

    assert publisher.asked == 1


async def test_known_keys_serve_while_the_issuer_cannot_be_reached(publisher: Publisher) -> None:
    clock = Clock()
    tokens = tokens_of(publisher, clock)
    await tokens.read(signed())
    publisher.status = "503 Service Unavailable"
    clock.now += FRESH + 1

    assert await tokens.read(signed())

    clock.now += STALE
    with pytest.raises(StoreUnavailable):
        await tokens.read(signed())


USELESS_ROWS: list[Any] = [
    rsa_row(WEAK_KEY),
    {"kty": "RSA", "kid": "r1", "n": "AQAB", "e": "AQAB"},
    {"kty": "RSA", "kid": "r1", "n": 5, "e": None},
    {"kty": "EC", "kid": "r1", "crv": "P-384", "x": "AA", "y": "AA"},
    {"kty": "EC", "kid": "r1", "crv": "P-256", "x": "AA", "y": "AA"},
    {"kty": "oct", "kid": "r1", "k": "AA"},
    None,
    [],
    "r1",
]
UNREADABLE = [
    b"[" * 100_000,
    b'{"keys":' * 100_000,
    b"9" * 5_000,
    b"\xff",
    b"[]",
    b"",
    b'{"keys":[]}',
    b'{"keys":{}}',
    *(json.dumps({"keys": [row]}).encode() for row in USELESS_ROWS),
]


@pytest.mark.parametrize("document", UNREADABLE)
async def test_known_keys_serve_while_the_issuer_publishes_what_nobody_can_read(document: bytes) -> None:
    documents, clock = [json.dumps({"keys": [rsa_row()]}).encode(), document], Clock()

    async def fetch(_: str) -> bytes:
        return documents.pop(0)

    issuer = Issuer(name=NAME, audiences=(AUDIENCE,), jwks_url="https://issuer.example", claim="workspace")
    tokens = OidcTokenVerifier(issuer, fetch=fetch, clock=clock)
    await tokens.read(signed())
    clock.now += FRESH + 1

    assert await tokens.read(signed())
    assert not documents


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")  # ours, for signing
@pytest.mark.parametrize("row", USELESS_ROWS)
async def test_a_key_that_is_weak_or_none_opens_nothing_beside_a_good_one(publisher: Publisher, row: Any) -> None:
    publisher.rows = [row, ec_row()]
    tokens = tokens_of(publisher)

    assert await tokens.read(signed(EC_KEY, "ES256", "e1"))
    with pytest.raises(Unauthenticated):
        await tokens.read(signed(WEAK_KEY))


@pytest.mark.parametrize("row", USELESS_ROWS)
async def test_an_issuer_that_publishes_no_good_key_is_unavailable_and_no_token_is_wrong(
    publisher: Publisher, row: Any
) -> None:
    publisher.rows = [row]

    with pytest.raises(StoreUnavailable):
        await tokens_of(publisher).read(signed())


@pytest.mark.parametrize("status", ["500 Oops", "302 Found"])
async def test_without_any_key_nobody_is_let_in(publisher: Publisher, status: str) -> None:
    publisher.status = status

    with pytest.raises(StoreUnavailable):
        await tokens_of(publisher).read(signed())


async def test_a_plain_address_is_refused_unless_loopback_is_allowed(publisher: Publisher) -> None:
    issuer = Issuer(name=NAME, audiences=(AUDIENCE,), jwks_url=publisher.url, claim="workspace")
    tokens = OidcTokenVerifier(issuer, fetch=document_fetcher(HttpClient), clock=Clock())

    with pytest.raises(StoreUnavailable):
        await tokens.read(signed())
    assert publisher.asked == 0


@pytest.mark.parametrize("path", ["/v1/embeddings", "/embeddings", "/openai/v1/embeddings"])
async def test_a_token_opens_the_door_that_a_key_opens(publisher: Publisher, path: str) -> None:
    stage = _StageWithTokens(tokens=tokens_of(publisher))

    by_token = await stage.send(
        "POST", path, headers={"authorization": f"Bearer {signed()}"}, json={"model": "echo", "input": "a"}
    )
    by_key = await stage.send("POST", path, json={"model": "echo", "input": "a"})
    by_junk = await stage.send(
        "POST", path, headers={"authorization": "Bearer a.b.c"}, json={"model": "echo", "input": "a"}
    )

    assert [by_token.status_code, by_key.status_code, by_junk.status_code] == [200, 200, 401]


async def test_without_an_identity_provider_a_token_is_no_key() -> None:
    response = await Stage().send(
        "POST", "/v1/embeddings", headers={"authorization": f"Bearer {signed()}"}, json={"model": "echo", "input": "a"}
    )

    assert response.status_code == 401


async def test_a_token_does_not_reach_the_log(publisher: Publisher, capsys: pytest.CaptureFixture[str]) -> None:
    token = signed()

    await _StageWithTokens(tokens=tokens_of(publisher)).send(
        "POST", "/v1/embeddings", headers={"authorization": f"Bearer {token}"}, json={"model": "echo", "input": "a"}
    )

    printed = capsys.readouterr().out
    assert '"workspace":"acme"' in printed
    assert token.split(".")[2] not in printed
    assert "someone" not in printed
    assert KEY not in printed


@dataclass
class _StageWithTokens(Stage):
    tokens: OidcTokenVerifier | None = None

    @property
    def authenticate(self) -> Authenticate:
        return Authenticate(keys=self, catalogue=self, now=lambda: 1_000.0, identity=self.tokens)
