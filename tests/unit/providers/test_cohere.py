"""What we send to Cohere, what we make of its replies, and of its errors."""

import json
import struct
from typing import Any

import pytest

from gateway.core.embedding import Purpose
from gateway.core.errors import (
    GatewayError,
    InputTooLong,
    InvalidRequest,
    ProviderMisbehaved,
    ProviderMisconfigured,
    ProviderRefused,
    ProviderThrottled,
    ProviderUnavailable,
    RequestTooLarge,
)
from gateway.core.ports import ProviderCall
from gateway.outbound.client import HttpClient
from gateway.outbound.messages import HttpCall, HttpReply
from gateway.providers import cohere
from gateway.providers._credentials import KeyCredentials
from gateway.providers._http import HttpProvider
from gateway.providers._vendor import BadRow, read_settings
from tests.fakes import cohere_vendor
from tests.fakes.openai_vendor import vector
from tests.unit.providers.builders import Keys, a_call, a_provider, a_route, json_reply

COHERE = {
    "provider": a_provider(kind="cohere", url="https://api.cohere.com"),
    "route": a_route(vendor_model="embed-v4.0"),
}
USUAL = {
    "model": "embed-v4.0",
    "texts": ["hello"],
    "input_type": "search_document",
    "embedding_types": ["float"],
    "truncate": "NONE",
}


def build(call: ProviderCall) -> HttpCall:
    return cohere.build_call(call, read_settings(call.provider, cohere.Settings))


@pytest.mark.parametrize(
    ("asked", "changed"),
    [
        ({}, {}),
        ({"dimensions": 256}, {"output_dimension": 256}),
        ({"truncate": True}, {"truncate": "END"}),
        ({"user": "u1"}, {}),
        ({"purpose": Purpose.QUERY}, {"input_type": "search_query"}),
        ({"purpose": Purpose.CLUSTERING}, {"input_type": "clustering"}),
        ({"extra": {"priority": 3}}, {"priority": 3}),
    ],
)
def test_the_body_says_what_the_call_asks(asked: dict[str, Any], changed: dict[str, Any]) -> None:
    sent = build(a_call(**COHERE, **asked))

    assert json.loads(sent.body) == USUAL | changed


@pytest.mark.parametrize(
    ("row", "url"),
    [
        ({"url": "https://api.cohere.com/"}, "https://api.cohere.com/v2/embed"),
        ({"url": None}, "https://api.cohere.com/v2/embed"),
        (
            {"url": "https://res.services.ai.azure.com", "settings": {"path": "/providers/cohere/v2/embed"}},
            "https://res.services.ai.azure.com/providers/cohere/v2/embed",
        ),
    ],
)
def test_the_row_decides_where(row: dict[str, Any], url: str) -> None:
    assert build(a_call(provider=a_provider(**row))).url == url


@pytest.mark.parametrize("name", ["texts", "images", "inputs", "input_type", "embedding_types"])
def test_what_the_caller_adds_may_not_replace_what_the_gateway_says(name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        build(a_call(**COHERE, extra={name: "other"}))

    assert caught.value.param == name


def test_a_purpose_nobody_has_a_word_for_is_the_operator_s_fault() -> None:
    with pytest.raises(BadRow, match="similarity"):
        build(a_call(**COHERE, purpose=Purpose.SIMILARITY))


FLOATS = {"float": [[1, 2.0], [3.0, 4e0]]}


@pytest.mark.parametrize(
    ("meta", "tokens"),
    [
        ({"meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 5, "images": None}}}, 5),
        ({"meta": {"billed_units": {"input_tokens": 5.0}}}, 5),
        ({"meta": {"billed_units": {"images": 1}}}, None),
        *(({"meta": {"billed_units": {"input_tokens": said}}}, None) for said in (0, -5, "inf", "nan", "-inf")),
        ({"meta": {}}, None),
        ({}, None),
    ],
)
def test_vectors_are_float32_bytes_and_billed_units_their_tokens(meta: dict[str, Any], tokens: int | None) -> None:
    reply = json_reply({"id": "x", "embeddings": FLOATS, "texts": ["a", "b"], **meta})

    result = cohere.read_reply(a_call("a", "b", **COHERE), reply)

    assert result.vectors == (struct.pack("<2f", 1, 2), struct.pack("<2f", 3, 4))
    assert result.tokens == tokens


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"embeddings": {"float": FLOATS["float"][:1]}}, "1 vectors to 2 inputs"),
        ({"embeddings": {"int8": FLOATS["float"]}}, "0 vectors to 2 inputs"),
        ({"embeddings": {"float": [[1], [2]]}}, "1 dimensions instead of 2"),
        ({"embeddings": FLOATS["float"]}, "promises"),
        ({"message": "no"}, "promises"),
    ],
)
def test_an_answer_that_does_not_fit_is_never_served(document: object, told: str) -> None:
    with pytest.raises(ProviderMisbehaved, match=told):
        cohere.read_reply(a_call("a", "b", **COHERE), json_reply(document))


# Sentences: https://docs.cohere.com/reference/errors.
CAUSES: dict[str, tuple[int, str, type[GatewayError], dict[str, Any]]] = {
    "too many texts": (
        400,
        "invalid request: total number of texts must be at most 96 - received 104",
        RequestTooLarge,
        {"param": "input"},
    ),
    "too many tokens": (
        400,
        "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 4292.",
        InputTooLong,
        {"tokens": 4292, "limit": 4081},
    ),
    "an empty text": (
        400,
        "invalid request: inputs contains an element that is the empty string at index 0",
        ProviderRefused,
        {"status": 400},
    ),
    "a limit of spending": (402, "Please add or update your payment method.", ProviderMisconfigured, {}),
    "a wrong key": (401, "invalid api token", ProviderMisconfigured, {}),
    "a trial's limit": (429, "You are using a Trial key, which is limited.", ProviderThrottled, {"retry_after": 3}),
    "a failure": (500, "internal server error", ProviderUnavailable, {}),
}


@pytest.mark.parametrize(("status", "message", "expected", "facts"), CAUSES.values(), ids=CAUSES)
def test_an_error_becomes_its_cause(
    status: int, message: str, expected: type[GatewayError], facts: dict[str, Any]
) -> None:
    error = cohere.read_error(
        json_reply({"id": "3f2a", "message": message}, status, retry_after="3"), cohere.Settings()
    )

    assert type(error) is expected
    assert {fact: getattr(error, fact) for fact in facts} == facts


async def test_texts_become_vectors_in_their_order(client: HttpClient) -> None:
    fake = cohere_vendor.Vendor()
    provider = HttpProvider(vendor=cohere, credentials=KeyCredentials(Keys(vendor=cohere_vendor.KEY)), client=client)
    async with cohere_vendor.running(fake) as url:
        row = a_provider(kind="cohere", url=url, key="vendor")
        call = a_call("a", "b", **COHERE | {"provider": row}, native_dimensions=512, dimensions=512)

        result = await provider.embed(call)

    assert result.vectors == tuple(struct.pack("<512f", *vector(text, 512)) for text in "ab")
    assert result.tokens == 2


def test_whatever_else_arrives_with_a_200_is_misbehaviour() -> None:
    with pytest.raises(ProviderMisbehaved):
        cohere.read_reply(a_call(**COHERE), HttpReply(status=200, body=b"<html></html>"))
