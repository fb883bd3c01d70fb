"""The fake Cohere is trusted because Cohere's own SDK takes it for the real one."""

import struct
from collections.abc import AsyncIterator
from typing import Any

import cohere
import pytest
from cohere.core import ApiError

from tests.fakes import cohere_vendor
from tests.fakes.cohere_vendor import KEY, Vendor
from tests.fakes.openai_vendor import vector

MODEL = "embed-v4.0"
USUAL: dict[str, Any] = {  # Any: arguments of `embed`
    "model": MODEL,
    "texts": ["a"],
    "input_type": "search_query",
    "embedding_types": ["float"],
}


@pytest.fixture
async def vendor_url() -> AsyncIterator[str]:
    async with cohere_vendor.running(Vendor()) as url:
        yield url


@pytest.fixture
async def client(vendor_url: str) -> AsyncIterator[cohere.AsyncClientV2]:
    async with cohere.AsyncClientV2(api_key=KEY, base_url=vendor_url, max_retries=0) as client:
        yield client


async def test_vectors_come_in_input_order(client: cohere.AsyncClientV2) -> None:
    answer = await client.embed(
        model=MODEL, texts=["one", "two"], input_type="search_document", embedding_types=["float"], truncate="NONE"
    )

    assert answer.embeddings.float_ is not None
    assert [packed(found) for found in answer.embeddings.float_] == [
        packed(vector(text, 1536)) for text in ("one", "two")
    ]
    assert answer.response_type == "embeddings_by_type"
    assert answer.texts == ["one", "two"]
    assert answer.meta is not None
    assert answer.meta.billed_units is not None
    assert answer.meta.billed_units.input_tokens == 2


async def test_a_shorter_vector_may_be_asked_for(client: cohere.AsyncClientV2) -> None:
    answer = await client.embed(**USUAL, output_dimension=256)

    assert [packed(found) for found in answer.embeddings.float_ or ()] == [packed(vector("a", 256))]


async def test_a_long_text_is_cut_unless_that_is_forbidden(client: cohere.AsyncClientV2) -> None:
    asked = USUAL | {"texts": ["a" * 10_000]}

    answer = await client.embed(**asked)
    with pytest.raises(cohere.BadRequestError, match="cannot exceed 512 - received 2500"):
        await client.embed(**asked, truncate="NONE")

    assert len(answer.embeddings.float_ or ()) == 1


REFUSED: dict[str, tuple[dict[str, Any], type[ApiError], str]] = {
    "another input_type": ({"input_type": "passage"}, cohere.BadRequestError, "valid input_type"),
    "no embedding_types": ({"embedding_types": []}, cohere.BadRequestError, "embedding_types parameter is required"),
    "too many texts": ({"texts": ["a"] * 97}, cohere.BadRequestError, "at most 96 - received 97"),
    "an empty text": ({"texts": ["a", ""]}, cohere.BadRequestError, "empty string at index 1"),
    "another length": ({"output_dimension": 300}, cohere.BadRequestError, "output_dimension"),
    "another model": ({"model": "embed-v9.0"}, cohere.NotFoundError, "not found"),
    "no credit": ({"model": "fail-402"}, ApiError, "payment method"),
    "too often": ({"model": "fail-429"}, cohere.TooManyRequestsError, "Trial key"),
    "a failure": ({"model": "fail-500"}, cohere.InternalServerError, "internal server error"),
}


@pytest.mark.parametrize(("changed", "kind", "told"), REFUSED.values(), ids=REFUSED)
async def test_refusals_are_the_sdk_s_own_errors(
    client: cohere.AsyncClientV2, changed: dict[str, Any], kind: type[ApiError], told: str
) -> None:
    with pytest.raises(kind, match=told) as caught:
        await client.embed(**(USUAL | changed))

    assert isinstance(caught.value.body, dict)
    assert isinstance(caught.value.body["message"], str)


async def test_a_wrong_key_is_refused(vendor_url: str) -> None:
    async with cohere.AsyncClientV2(api_key="co-other", base_url=vendor_url, max_retries=0) as client:
        with pytest.raises(cohere.UnauthorizedError):
            await client.embed(**USUAL)


def packed(vector: list[float]) -> bytes:
    return struct.pack(f"<{len(vector)}f", *vector)
