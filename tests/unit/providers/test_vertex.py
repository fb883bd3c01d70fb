"""Vertex AI: three ways to ask, one token for all calls, and a token endpoint that refuses what Google's would."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.core.embedding import EmbeddingResult, Purpose
from gateway.core.errors import GatewayError, InputTooLong, ProviderMisconfigured, ProviderUnavailable
from gateway.core.vectors import as_array
from gateway.outbound.client import HttpClient
from gateway.providers import KINDS, OverHttp
from gateway.providers._credentials import KeyCredentials
from gateway.providers._google_tokens import GoogleTokens
from gateway.providers._http import HttpProvider
from gateway.providers._vendor import HttpSettings, Vendor
from tests.fakes import vendors
from tests.fakes.openai_vendor import count_tokens, vector
from tests.fakes.vendor_server import Answer
from tests.unit.providers.builders import Keys, a_call, a_provider, a_route

PLACE = {"project": "p1", "location": "eu"}
NATIVE = {"gemini-embedding-001": 3072, "gemini-embedding-2": 3072, "text-embedding-005": 768}


def vertex() -> Vendor:
    make = KINDS["vertex"]
    assert isinstance(make, OverHttp)
    return make.vendor()


class Asking:
    def __init__(self, client: HttpClient) -> None:
        self.fake = vendors.Vendor("vertex")
        keys = KeyCredentials(Keys(vendor=vendors.KEY))
        self.provider = HttpProvider(vendor=vertex(), credentials=keys, client=client)

    async def __call__(self, model: str, *inputs: str, **changes: Any) -> EmbeddingResult:
        async with vendors.running(self.fake) as url:
            row = a_provider(kind="vertex", url=url, key="vendor", settings=PLACE)
            call = {"route": a_route(vendor_model=model), "provider": row, "native_dimensions": NATIVE[model]}
            return await self.provider.embed(a_call(*inputs, **(call | changes)))


@pytest.fixture
def ask(client: HttpClient) -> Asking:
    return Asking(client)


@pytest.mark.parametrize("texts", [("one",), ("one", "two", "three")], ids=["one", "several"])
@pytest.mark.parametrize("model", NATIVE)
async def test_texts_become_vectors_in_their_order(ask: Asking, model: str, texts: tuple[str, ...]) -> None:
    result = await ask(model, *texts)

    assert [list(map(float, as_array(found))) for found in result.vectors] == [
        pytest.approx(vector(text, NATIVE[model])) for text in texts
    ]
    assert result.tokens == sum(count_tokens(text) for text in texts)


@pytest.mark.parametrize("model", NATIVE)
async def test_a_shorter_vector_has_length_one(ask: Asking, model: str) -> None:
    (found,) = map(as_array, (await ask(model, "one", dimensions=256)).vectors)

    assert len(found) == 256
    assert float(found @ found) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("model", NATIVE)
async def test_a_long_text_is_cut_only_where_the_model_says_so(ask: Asking, model: str) -> None:
    with pytest.raises(InputTooLong) as caught:
        await ask(model, "a" * 10_000)

    assert (caught.value.tokens, caught.value.limit) == (2500, vendors.MAX_TOKENS)
    assert len((await ask(model, "a" * 10_000, truncate=True)).vectors) == 1


@pytest.mark.parametrize("model", NATIVE)
async def test_a_purpose_and_a_title_stand_where_the_model_reads_them(ask: Asking, model: str) -> None:
    await ask(model, "one", purpose=Purpose.DOCUMENT, title="T")

    body = ask.fake.asked[-1].body
    where = body["embedContentConfig"] if "gemini" in model else body["instances"][0]
    assert {"RETRIEVAL_DOCUMENT", "T"} <= set(map(str, where.values()))


### TOKENS ###

PRIVATE = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class TokenEndpoint:
    """Google's, as far as it is asked: it refuses another key, audience, issuer, scope, life or grant."""

    PATH = "/token"
    HEADERS: Mapping[str, str] = {}

    def __init__(self, life: float = 3599) -> None:
        self.seen: Any = Counter()
        self.life = life
        self.url = ""
        self.fails: int | None = None

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        self.seen["requests"] += 1
        if self.fails:
            return Answer(self.fails, b"{}")
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        right = headers.get("content-type") == "application/x-www-form-urlencoded"
        right = right and form.get("grant_type") == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        try:
            claims = jwt.decode(
                form.get("assertion", ""),
                PRIVATE.public_key(),
                ["RS256"],
                audience=self.url,
                issuer="g@p1.iam.gserviceaccount.com",
                options={"require": ["exp", "iat", "aud", "iss"]},
            )
        except jwt.PyJWTError as error:
            return Answer(400, json.dumps({"error": "invalid_grant", "error_description": str(error)}).encode())
        if not right or claims["exp"] - claims["iat"] > 3600 or "cloud-platform" not in claims["scope"]:
            return Answer(400, json.dumps({"error": "invalid_grant"}).encode())
        token = f"ya29.{self.seen['requests']}"
        return Answer(200, json.dumps({"access_token": token, "expires_in": self.life}).encode())


def account(url: str, key: rsa.RSAPrivateKey = PRIVATE, **changes: str) -> str:
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    usual = {
        "client_email": "g@p1.iam.gserviceaccount.com",
        "private_key": pem,
        "private_key_id": "k1",
        "token_uri": url,
    }
    return json.dumps({"type": "service_account", **usual, **changes})


class Clock:
    def __init__(self) -> None:
        self.now = time.time() - 3500  # so that what is signed later is not signed in the future

    def __call__(self) -> float:
        return self.now


async def test_calls_side_by_side_fetch_one_token_and_later_ones_keep_it_until_it_nears_its_end(
    client: HttpClient,
) -> None:
    endpoint, clock = TokenEndpoint(), Clock()
    async with vendors.running(endpoint) as url:
        endpoint.url = url
        tokens = GoogleTokens(keys=Keys(g=account(url)), client=lambda: client, clock=clock)
        row = a_provider(kind="vertex", key="g", auth="google-service-account")

        together = await asyncio.gather(*(tokens(row, HttpSettings()) for _ in range(8)))
        clock.now += 3000
        later = await tokens(row, HttpSettings())
        fetched = endpoint.seen["requests"]
        clock.now += 350
        renewed = await tokens(row, HttpSettings())

    assert {*together, later} == {together[0]}
    assert fetched == 1
    assert endpoint.seen["requests"] == 2
    assert renewed != later


REFUSED: dict[str, dict[str, Any]] = {
    "another key": {"key": OTHER},
    "another issuer": {"client_email": "someone@else.iam.gserviceaccount.com"},
}


@pytest.mark.parametrize("changes", REFUSED.values(), ids=REFUSED)
async def test_a_refused_key_is_the_operator_s_affair(client: HttpClient, changes: dict[str, Any]) -> None:
    endpoint = TokenEndpoint()
    async with vendors.running(endpoint) as url:
        endpoint.url = url
        tokens = GoogleTokens(keys=Keys(g=account(url, **changes)), client=lambda: client, clock=Clock())

        with pytest.raises(ProviderMisconfigured):
            await tokens(a_provider(key="g"), HttpSettings())


@pytest.mark.parametrize(("status", "expected"), [(503, ProviderUnavailable), (429, ProviderUnavailable)])
async def test_a_token_endpoint_that_fails_may_be_asked_again(
    client: HttpClient, status: int, expected: type[GatewayError]
) -> None:
    endpoint = TokenEndpoint()
    async with vendors.running(endpoint) as url:
        endpoint.url, endpoint.fails = url, status
        tokens = GoogleTokens(keys=Keys(g=account(url)), client=lambda: client, clock=Clock())
        with pytest.raises(expected):
            await tokens(a_provider(key="g"), HttpSettings())

        endpoint.fails = None
        assert await tokens(a_provider(key="g"), HttpSettings())


@pytest.mark.parametrize(
    "stored", ["", "sk-1", "{}", json.dumps({"client_email": "a", "private_key": "b", "private_key_id": "c"})]
)
async def test_what_is_no_key_of_an_account_is_the_operator_s_affair(client: HttpClient, stored: str) -> None:
    tokens = GoogleTokens(keys=Keys(g=stored), client=lambda: client, clock=Clock())

    with pytest.raises(ProviderMisconfigured):
        await tokens(a_provider(key="g"), HttpSettings())
