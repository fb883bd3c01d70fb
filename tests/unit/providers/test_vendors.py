"""Vendors with an API of their own, asked through their fakes: what arrives there, and what comes back."""

import struct
from typing import Any

import pytest

from gateway.core.embedding import EmbeddingResult, Purpose
from gateway.core.errors import (
    GatewayError,
    InputTooLong,
    ProviderMisbehaved,
    ProviderMisconfigured,
    ProviderThrottled,
    ProviderUnavailable,
    RequestTooLarge,
)
from gateway.core.vectors import as_array
from gateway.outbound.client import HttpClient
from gateway.outbound.messages import HttpReply
from gateway.providers import KINDS, OverHttp
from gateway.providers._credentials import KeyCredentials
from gateway.providers._http import HttpProvider
from gateway.providers._vendor import BadRow, Vendor, read_settings
from tests.fakes import vendors
from tests.fakes.openai_vendor import count_tokens, vector
from tests.unit.providers.builders import Keys, a_call, a_provider, a_route, json_reply

NATIVE = {"dashscope": 1024, "gemini": 3072, "ollama": 8, "perplexity": 1024, "snowflake": 1024, "tei": 8}
"""The length of a fake's vectors."""
SHORTENED = ["dashscope", "gemini", "ollama", "perplexity", "tei"]
BEYOND = {"dashscope": 10, "gemini": 100, "tei": 32}
"""The most inputs that a vendor takes in one call."""
CUTS = ["ollama", "tei"]
"""Those that cut a text unless they are told not to."""


def vendor_of(kind: str) -> Vendor:
    make = KINDS[kind]
    assert isinstance(make, OverHttp)
    return make.vendor()


class Asking:
    """A fake, and the provider that asks it."""

    def __init__(self, kind: str, client: HttpClient) -> None:
        self.kind = kind
        self.fake = vendors.Vendor(kind)
        keys = KeyCredentials(Keys(vendor=vendors.KEY, wrong="wrong"))
        self.provider = HttpProvider(vendor=vendor_of(kind), credentials=keys, client=client)

    async def __call__(
        self, *inputs: Any, model: str = "model", key: str = "vendor", settings: Any = None, **changes: Any
    ) -> EmbeddingResult:
        async with vendors.running(self.fake) as url:
            row = a_provider(kind=self.kind, url=url, key=key, settings=settings or {})
            call = {"route": a_route(vendor_model=model), "provider": row, "native_dimensions": NATIVE[self.kind]}
            return await self.provider.embed(a_call(*inputs, **(call | changes)))

    @property
    def body(self) -> dict[str, Any]:
        return self.fake.asked[-1].body


@pytest.fixture
def ask(kind: str, client: HttpClient) -> Asking:
    return Asking(kind, client)


def as_floats(found: Any) -> list[float]:
    return [float(number) for number in as_array(found)]


def cosine(found: Any, expected: Any) -> float:
    return float(sum(a * b for a, b in zip(as_floats(found), expected, strict=True)))


@pytest.mark.parametrize("kind", NATIVE)
async def test_vectors_come_in_input_order_with_length_one(ask: Asking) -> None:
    texts = ("one text", "another", "a third, with an é")

    result = await ask(*texts)

    expected = [vector(text, NATIVE[ask.kind]) for text in texts]
    assert [cosine(*pair) for pair in zip(result.vectors, expected, strict=True)] == pytest.approx([1] * 3, abs=1e-3)
    assert result.tokens == sum(count_tokens(text) for text in texts)


@pytest.mark.parametrize("kind", SHORTENED)
async def test_a_shorter_vector_has_length_one_as_well(ask: Asking) -> None:
    result = await ask("a", dimensions=4)

    (found,) = map(as_floats, result.vectors)
    assert len(found) == 4
    assert sum(number * number for number in found) == pytest.approx(1, abs=1e-5)


PURPOSES: dict[str, tuple[str, Purpose, dict[str, Any], Any]] = {
    "gemini query": ("gemini", Purpose.QUERY, {}, "RETRIEVAL_QUERY"),
    "gemini code": ("gemini", Purpose.CODE_QUERY, {}, "CODE_RETRIEVAL_QUERY"),
    "dashscope query": ("dashscope", Purpose.QUERY, {}, "query"),
    "a prompt of TEI's model": ("tei", Purpose.DOCUMENT, {"purposes": {"document": "passage"}}, "passage"),
}


@pytest.mark.parametrize(("kind", "purpose", "settings", "word"), PURPOSES.values(), ids=PURPOSES)
async def test_a_purpose_is_said_in_the_vendor_s_word(
    ask: Asking, purpose: Purpose, settings: dict[str, Any], word: str
) -> None:
    await ask("a", purpose=purpose, settings=settings)

    assert f'"{word}"' in repr(ask.body).replace("'", '"')


async def test_a_title_reaches_gemini_beside_each_text(client: HttpClient) -> None:
    ask = Asking("gemini", client)

    await ask("a", "b", purpose=Purpose.DOCUMENT, title="T")

    assert [request["title"] for request in ask.body["requests"]] == ["T", "T"]


@pytest.mark.parametrize("kind", CUTS)
async def test_a_long_text_is_cut_only_where_the_model_says_so(ask: Asking) -> None:
    text = "a" * 10_000

    with pytest.raises(InputTooLong):
        await ask(text)
    result = await ask(text, truncate=True)

    assert len(result.vectors) == 1


async def test_dashscope_s_own_limit_is_the_caller_s_error(client: HttpClient) -> None:
    with pytest.raises(InputTooLong) as caught:
        await Asking("dashscope", client)("a" * 10_000)

    assert caught.value.limit == vendors.MAX_TOKENS


@pytest.mark.parametrize("kind", BEYOND)
async def test_more_texts_than_the_vendor_takes_are_too_large_a_request(ask: Asking) -> None:
    with pytest.raises(RequestTooLarge):
        await ask(*["a"] * (BEYOND[ask.kind] + 1))


FAILURES: dict[int, type[GatewayError]] = {
    404: ProviderMisconfigured,
    429: ProviderThrottled,
    500: ProviderUnavailable,
    503: ProviderUnavailable,
}


@pytest.mark.parametrize("status", FAILURES)
@pytest.mark.parametrize("kind", NATIVE)
async def test_a_failure_becomes_its_cause(ask: Asking, status: int) -> None:
    with pytest.raises(FAILURES[status]):
        await ask("a", settings={"headers": {"x-fault": str(status)}})


@pytest.mark.parametrize("kind", NATIVE)
async def test_a_wrong_key_is_the_operator_s_affair(ask: Asking) -> None:
    with pytest.raises(ProviderMisconfigured):
        await ask("a", key="wrong")


async def test_google_s_hint_when_to_ask_again_is_kept(client: HttpClient) -> None:
    with pytest.raises(ProviderThrottled) as caught:
        await Asking("gemini", client)("a", settings={"headers": {"x-fault": "429"}})

    assert caught.value.retry_after == 3


SENTENCES: dict[str, tuple[str, int, Any, type[GatewayError]]] = {
    "Gemini's bad key": (
        "gemini",
        400,
        {"error": {"code": 400, "message": "API key not valid. Please pass a valid API key."}},
        ProviderMisconfigured,
    ),
    "DashScope's unpaid bill": (
        "dashscope",
        400,
        {"code": "Arrearage", "message": "Access denied, please make sure your account is in good standing."},
        ProviderMisconfigured,
    ),
    "DashScope's unknown model": (
        "dashscope",
        404,
        {"code": "ModelNotFound", "message": "Model can not be found."},
        ProviderMisconfigured,
    ),
}


@pytest.mark.parametrize(("kind", "status", "document", "expected"), SENTENCES.values(), ids=SENTENCES)
def test_a_vendor_s_own_words_decide(kind: str, status: int, document: Any, expected: type[GatewayError]) -> None:
    vendor = vendor_of(kind)

    error = vendor.read_error(json_reply(document, status), vendor.Settings())

    assert type(error) is expected


UNFIT: list[object] = [{}, [], {"embeddings": []}, {"data": []}, [[1.0]], {"data": [{"embedding": "!"}]}, "text", None]


@pytest.mark.parametrize("document", UNFIT, ids=repr)
@pytest.mark.parametrize("kind", NATIVE)
def test_an_answer_that_does_not_fit_is_never_served(kind: str, document: object) -> None:
    with pytest.raises(ProviderMisbehaved):
        vendor_of(kind).read_reply(a_call("a", "b"), json_reply(document))


@pytest.mark.parametrize("embedding", [[], [[1, 2], [3, 4]], [1, 2], "AAAA"], ids=repr)
def test_snowflake_s_array_holds_one_vector(embedding: object) -> None:
    with pytest.raises(ProviderMisbehaved):
        vendor_of("snowflake").read_reply(a_call("a"), json_reply({"data": [{"embedding": embedding}]}))


def test_perplexity_s_bytes_are_signed() -> None:
    reply = json_reply({"data": [{"embedding": vendors.to_signed([3.0, -4.0]), "index": 0}]})

    (found,) = vendor_of("perplexity").read_reply(a_call("a"), reply).vectors

    assert struct.unpack("<2f", found) == pytest.approx((0.6, -0.8), abs=5e-3)


@pytest.mark.parametrize("counted", ["", "-1", "many", "0"])
def test_a_count_that_cannot_be_true_is_none(counted: str) -> None:
    reply = HttpReply(status=200, body=b"[[1,2]]", headers={"x-compute-tokens": counted})

    assert vendor_of("tei").read_reply(a_call("a"), reply).tokens is None


@pytest.mark.parametrize("kind", ["dashscope", "ollama", "snowflake", "tei"])
def test_a_vendor_without_one_address_needs_a_row_s(kind: str) -> None:
    row = a_provider(kind=kind, url=None)
    vendor = vendor_of(kind)

    with pytest.raises(BadRow, match="needs an address"):
        vendor.build_call(a_call(provider=row), read_settings(row, vendor.Settings))
