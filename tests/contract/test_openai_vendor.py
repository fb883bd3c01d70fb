"""The fake OpenAI is trusted because OpenAI's own SDK takes it for the real one."""

import base64
import struct
from collections.abc import AsyncIterator

import httpx
import openai
import pytest

from tests.fakes import openai_vendor
from tests.fakes.openai_vendor import KEY, Vendor, vector

MODEL = "text-embedding-3-small"


@pytest.fixture
async def vendor_url() -> AsyncIterator[str]:
    """Base URL of a fake vendor."""
    async with openai_vendor.running(Vendor()) as url:
        yield url.removesuffix("/v1")


@pytest.fixture
async def client(vendor_url: str) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{vendor_url}/v1", api_key=KEY, max_retries=0) as client:
        yield client


async def test_vectors_come_in_input_order(client: openai.AsyncOpenAI) -> None:
    answer = await client.embeddings.create(model=MODEL, input=["one", "two", "three"])

    assert [list(item.embedding) for item in answer.data] == [vector(text, 1536) for text in ("one", "two", "three")]
    assert answer.usage.prompt_tokens == answer.usage.total_tokens == 3


@pytest.mark.parametrize("dimensions", [1, 7, 50, 96, 100, 512, 3072])
async def test_base64_and_float_are_the_same_vector_of_any_length(client: openai.AsyncOpenAI, dimensions: int) -> None:
    model = "text-embedding-3-large"

    as_base64 = await client.embeddings.create(model=model, input="a", dimensions=dimensions, encoding_format="base64")
    as_float = await client.embeddings.create(model=model, input="a", dimensions=dimensions, encoding_format="float")

    encoded = str(as_base64.data[0].embedding)
    decoded = list(struct.unpack(f"<{dimensions}f", base64.b64decode(encoded, validate=True)))
    assert decoded == vector("a", dimensions)
    assert struct.pack(f"<{dimensions}f", *as_float.data[0].embedding) == struct.pack(f"<{dimensions}f", *decoded)
    assert sum(value * value for value in decoded) == pytest.approx(1)


async def test_a_shorter_vector_is_the_beginning_of_the_longer_renormalised(client: openai.AsyncOpenAI) -> None:
    whole = list((await client.embeddings.create(model=MODEL, input="a")).data[0].embedding)

    short = list((await client.embeddings.create(model=MODEL, input="a", dimensions=256)).data[0].embedding)

    length = sum(value * value for value in whole[:256]) ** 0.5
    assert short == pytest.approx([value / length for value in whole[:256]], rel=1e-6)


async def test_token_arrays_are_inputs_of_their_own(client: openai.AsyncOpenAI) -> None:
    answer = await client.embeddings.create(model=MODEL, input=[[1, 2, 3], [4]])

    assert [list(item.embedding) for item in answer.data] == [vector([1, 2, 3], 1536), vector([4], 1536)]
    assert answer.usage.total_tokens == 4


@pytest.mark.parametrize(
    ("model", "text", "kind", "code"),
    [
        ("gone", "a", openai.NotFoundError, "model_not_found"),
        ("fail-400", "a", openai.BadRequestError, None),
        ("fail-401", "a", openai.AuthenticationError, "invalid_api_key"),
        ("fail-403", "a", openai.PermissionDeniedError, "unsupported_country_region_territory"),
        ("fail-429-quota", "a", openai.RateLimitError, "insufficient_quota"),
        ("fail-429-retry-after-2", "a", openai.RateLimitError, "rate_limit_exceeded"),
        ("fail-500", "a", openai.InternalServerError, None),
        ("over-context", "a", openai.BadRequestError, None),
        (MODEL, "", openai.BadRequestError, None),
        (MODEL, "a" * 40_000, openai.BadRequestError, None),
    ],
)
async def test_refusals_are_the_sdk_s_own_errors(
    client: openai.AsyncOpenAI, model: str, text: str, kind: type[openai.APIStatusError], code: str | None
) -> None:
    with pytest.raises(kind) as caught:
        await client.embeddings.create(model=model, input=text)

    assert caught.value.code == code
    assert caught.value.request_id == "req_fake"


async def test_a_throttled_client_is_told_when_to_return(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.RateLimitError) as caught:
        await client.embeddings.create(model="fail-429-retry-after-2", input="a")

    assert caught.value.response.headers["retry-after"] == "2"


async def test_a_wrong_key_is_refused(vendor_url: str) -> None:
    async with openai.AsyncOpenAI(base_url=f"{vendor_url}/v1", api_key="sk-other", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError):
            await client.embeddings.create(model=MODEL, input="a")


async def test_the_sdk_s_retry_meets_a_vendor_that_recovers(vendor_url: str) -> None:
    async with openai.AsyncOpenAI(base_url=f"{vendor_url}/v1", api_key=KEY, max_retries=1) as client:
        answer = await client.embeddings.create(model="fail-once-503", input="a")

    assert len(answer.data) == 1


async def test_azure_s_class_finds_its_deployment(vendor_url: str) -> None:
    async with openai.AsyncAzureOpenAI(azure_endpoint=vendor_url, api_version="2024-10-21", api_key=KEY) as client:
        answer = await client.embeddings.create(model=MODEL, input="one")

    assert list(answer.data[0].embedding) == vector("one", 1536)


async def test_what_was_asked_can_be_counted_and_forgotten(client: openai.AsyncOpenAI, vendor_url: str) -> None:
    await client.embeddings.create(model=MODEL, input=["a", "b"])

    async with httpx.AsyncClient(base_url=vendor_url) as plain:
        seen = (await plain.get("/_seen")).json()
        after = (await plain.post("/_reset")).json()

    assert (seen["requests"], seen["inputs"], seen[f"model {MODEL}"], seen["base64"]) == (1, 2, 1, 1)
    assert after == {"requests": 0, "inputs": 0, "connections": 0}
