"""What we send to OpenAI and its kin, and what we make of their replies."""

import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.embedding import Purpose
from gateway.core.errors import InvalidRequest, ProviderMisbehaved
from gateway.core.ports import ProviderCall
from gateway.outbound.messages import HttpCall, HttpReply
from gateway.providers import openai
from gateway.providers._vendor import BadRow, read_settings
from tests.unit.providers.builders import a_call, a_provider, a_route, json_reply


def packed(*components: float) -> bytes:
    return struct.pack(f"<{len(components)}f", *components)


def encoded(*components: float) -> str:
    return base64.b64encode(packed(*components)).decode()


def build(call: ProviderCall) -> HttpCall:
    return openai.build_call(call, read_settings(call.provider, openai.Settings))


# What we send.

SENT: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "one text": ({}, {"input": ["hello"], "model": "text-embedding-3-small", "encoding_format": "base64"}),
    "many texts": (
        {"inputs": ("a", "é\n"), "user": "u1"},
        {"input": ["a", "é\n"], "model": "text-embedding-3-small", "encoding_format": "base64", "user": "u1"},
    ),
    "token ids": (
        {"inputs": ((1, 2, 3), (4,)), "dimensions": 256},
        {
            "input": [[1, 2, 3], [4]],
            "model": "text-embedding-3-small",
            "encoding_format": "base64",
            "dimensions": 256,
        },
    ),
    "a server without base64": (
        {"route": a_route(accepts_base64=False)},
        {"input": ["hello"], "model": "text-embedding-3-small"},
    ),
    "what the caller adds": (
        {"extra": {"input_type": "query", "nested": {"a": [1, None]}}},
        {
            "input": ["hello"],
            "model": "text-embedding-3-small",
            "encoding_format": "base64",
            "input_type": "query",
            "nested": {"a": [1, None]},
        },
    ),
    "Mistral's names": (
        {
            "provider": a_provider(settings={"dimensions_field": "output_dimension", "send_user": False}),
            "route": a_route(vendor_model="codestral-embed"),
            "dimensions": 256,
            "user": "u1",
        },
        {"input": ["hello"], "model": "codestral-embed", "encoding_format": "base64", "output_dimension": 256},
    ),
    "Jina's names": (
        {
            "provider": a_provider(
                settings={
                    "encoding_field": "embedding_type",
                    "purpose_field": "task",
                    "purposes": {"query": "retrieval.query"},
                    "body": {"normalized": True},
                }
            ),
            "route": a_route(vendor_model="jina-embeddings-v3"),
            "purpose": Purpose.QUERY,
        },
        {
            "input": ["hello"],
            "model": "jina-embeddings-v3",
            "embedding_type": "base64",
            "task": "retrieval.query",
            "normalized": True,
        },
    ),
    "a server told to truncate": (
        {"provider": a_provider(settings={"truncation": {"truncate_prompt_tokens": -1}}), "truncate": True},
        {
            "input": ["hello"],
            "model": "text-embedding-3-small",
            "encoding_format": "base64",
            "truncate_prompt_tokens": -1,
        },
    ),
    "Azure, where the path names the model": (
        {"provider": a_provider(settings={"send_model": False})},
        {"input": ["hello"], "encoding_format": "base64"},
    ),
}


@pytest.mark.parametrize(("asked", "body"), SENT.values(), ids=SENT)
def test_the_body_says_what_the_call_asks(asked: dict[str, Any], body: dict[str, Any]) -> None:
    inputs = asked.get("inputs", ("hello",))
    call = a_call(*inputs, **{name: value for name, value in asked.items() if name != "inputs"})

    sent = build(call)

    assert json.loads(sent.body) == body


ADDRESSES: dict[str, tuple[dict[str, Any], str, str]] = {
    "OpenAI, when the row has no URL": ({"url": None}, "m", "https://api.openai.com/v1/embeddings"),
    "a slash at the end": ({"url": "https://eu.api.openai.com/v1/"}, "m", "https://eu.api.openai.com/v1/embeddings"),
    "Azure OpenAI": (
        {
            "url": "https://res.openai.azure.com",
            "settings": {"path": "/openai/deployments/{model}/embeddings", "api_version": "2024-10-21"},
        },
        "my dep/1",
        "https://res.openai.azure.com/openai/deployments/my%20dep%2F1/embeddings?api-version=2024-10-21",
    ),
}


@pytest.mark.parametrize(("row", "model", "url"), ADDRESSES.values(), ids=ADDRESSES)
def test_the_row_decides_where(row: dict[str, Any], model: str, url: str) -> None:
    sent = build(a_call(provider=a_provider(**row), route=a_route(vendor_model=model)))

    assert (sent.method, sent.url) == ("POST", url)


@pytest.mark.parametrize("name", ["model", "input", "encoding_format", "dimensions", "user"])
def test_what_the_caller_adds_may_not_replace_what_the_gateway_says(name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        build(a_call(extra={name: "other"}, user="u1"))

    assert caught.value.param == name


def test_half_a_character_is_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        build(a_call("\ud83d"))

    assert caught.value.param == "input"


@pytest.mark.parametrize(
    ("settings", "named"),
    [({"pth": "/x"}, "pth"), ({"path": 7}, "path"), ({"headers": {"a": 1}}, "headers"), ({"errors": "x"}, "errors")],
)
def test_a_setting_nobody_knows_is_named_to_the_operator(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(BadRow, match=named):
        build(a_call(provider=a_provider(settings=settings)))


def test_a_purpose_the_row_has_no_word_for_is_the_operator_s_fault() -> None:
    with pytest.raises(BadRow, match="query"):
        build(a_call(purpose=Purpose.QUERY))


# What we make of a reply.

ITEMS = [
    {"object": "embedding", "index": 0, "embedding": encoded(1, 2)},
    {"object": "embedding", "index": 1, "embedding": encoded(3, 4)},
]
FLOATS = [{"index": 0, "embedding": [1, 2.0]}, {"index": 1, "embedding": [3.0, 4e0]}]

UNDERSTOOD: dict[str, tuple[dict[str, Any], int | None]] = {
    "base64": ({"object": "list", "data": ITEMS, "usage": {"prompt_tokens": 5, "total_tokens": 6}}, 5),
    "floats": ({"data": FLOATS, "usage": {"prompt_tokens": 5}}, 5),
    "mixed": ({"data": [ITEMS[0], FLOATS[1]], "usage": {"prompt_tokens": 5}}, 5),
    "in another order": ({"data": ITEMS[::-1], "usage": {"prompt_tokens": 5}}, 5),
    "Voyage: total only": ({"data": ITEMS, "usage": {"total_tokens": 7}}, 7),
    "no usage": ({"data": ITEMS}, None),
    "usage null": ({"data": ITEMS, "usage": None}, None),
    "usage nobody counted": ({"data": ITEMS, "usage": {"prompt_tokens": 0, "total_tokens": -1}}, None),
    "Infinity: more fields": ({"object": "embedding", "id": "x", "created": 1, "data": ITEMS}, None),
}


@pytest.mark.parametrize(("document", "tokens"), UNDERSTOOD.values(), ids=UNDERSTOOD)
def test_vectors_are_float32_bytes_in_input_order(document: dict[str, Any], tokens: int | None) -> None:
    result = openai.read_reply(a_call("a", "b"), json_reply(document))

    assert result.vectors == (packed(1, 2), packed(3, 4))
    assert result.tokens == tokens


@given(order=st.permutations(range(6)), as_numbers=st.lists(st.booleans(), min_size=6, max_size=6))
def test_any_order_and_any_mixture_of_encodings_gives_input_order(order: list[int], as_numbers: list[bool]) -> None:
    data = [{"index": at, "embedding": [1, -at] if as_numbers[at] else encoded(1, -at)} for at in order]

    result = openai.read_reply(a_call(*"abcdef"), json_reply({"data": data}))

    assert result.vectors == tuple(packed(1, -at) for at in range(6))


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=20).filter(any))
def test_numbers_and_base64_of_a_vector_are_the_same_bytes(components: list[float]) -> None:
    size = len(components)

    from_numbers, from_base64 = (
        openai.read_reply(a_call(native_dimensions=size), json_reply({"data": [{"index": 0, "embedding": shown}]}))
        for shown in (components, encoded(*components))
    )

    assert from_numbers.vectors == from_base64.vectors == (packed(*components),)


@pytest.mark.parametrize(
    ("given", "places"),
    [
        ([None, 1, 2], [0, 1, 2]),
        ([0, None, 2], [0, 1, 2]),
        (["0", 1.0, None], [0, 1, 2]),
        ([2, None, 0], [2, 1, 0]),
        ([None, 0, 1], [2, 0, 1]),
        ([None, None, None], [0, 1, 2]),
    ],
)
def test_one_index_that_is_missing_is_the_place_that_is_free(given: list[object], places: list[int]) -> None:
    data = [{"index": index, "embedding": [1, place]} for index, place in zip(given, places, strict=True)]

    result = openai.read_reply(a_call("a", "b", "c", native_dimensions=2), json_reply({"data": data}))

    assert result.vectors == (packed(1, 0), packed(1, 1), packed(1, 2))


@pytest.mark.parametrize(
    "given",
    [[None, None, 0], [None, 0, 0], [None, 0, 3], [1, 2, 3], [0, 0, 0], [None, -1, 0], ["a", 1, 2], [0, 1, 1.5]],
)
def test_indexes_that_can_be_meant_two_ways_are_refused(given: list[object]) -> None:
    data = [{"index": index, "embedding": [1, 2]} for index in given]

    with pytest.raises(ProviderMisbehaved):
        openai.read_reply(a_call("a", "b", "c", native_dimensions=2), json_reply({"data": data}))


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1).filter(any))
def test_base64_is_read_in_each_of_its_spellings(components: list[float]) -> None:
    plain = encoded(*components)
    url_safe = plain.replace("+", "-").replace("/", "_")
    spellings = [
        plain,
        plain.rstrip("="),
        url_safe,
        url_safe.rstrip("="),
        "\n".join(plain[at : at + 4] for at in range(0, len(plain), 4)),
    ]
    call = a_call(native_dimensions=len(components))

    read = {openai.read_reply(call, json_reply({"data": [{"embedding": text}]})).vectors for text in spellings}

    assert read == {(packed(*components),)}


@pytest.mark.parametrize("text", ["+-+-+/8=", "_/AAAAA=", "AAAAA", "AA=AAAA="])
def test_base64_of_two_alphabets_or_a_cut_one_is_refused(text: str) -> None:
    with pytest.raises(ProviderMisbehaved):
        openai.read_reply(a_call(native_dimensions=1), json_reply({"data": [{"embedding": text}]}))


def test_base64_that_a_json_writer_escaped_is_read() -> None:
    components = struct.unpack("<2f", base64.b64decode("++++P///vz8="))
    escaped = encoded(*components).replace("/", "\\/").replace("+", "\\u002B")
    body = f'{{"data":[{{"index":0,"embedding":"{escaped}"}}]}}'

    result = openai.read_reply(a_call(), HttpReply(status=200, body=body.encode()))

    assert result.vectors == (packed(*components),)


def test_the_length_asked_for_is_the_length_expected() -> None:
    call = a_call(native_dimensions=1536, dimensions=2)

    result = openai.read_reply(call, json_reply({"data": [ITEMS[0]]}))

    assert result.vectors == (packed(1, 2),)


MISUNDERSTOOD: dict[str, tuple[bytes | object, str]] = {
    "nothing": (b"", "promises"),
    "a page": (b"<html></html>", "promises"),
    "nested without end": (b'{"a":' * 100_000, "promises"),
    "an error with status 200": ({"error": {"message": "no"}}, "promises"),
    "not UTF-8": (b'{"data":[{"index":0,"embedding":"\xff"},{"index":1,"embedding":[1,1]}]}', "base64"),
    "too few": ({"data": ITEMS[:1]}, "1 vectors to 2 inputs"),
    "too many": ({"data": [*ITEMS, ITEMS[0]]}, "3 vectors to 2 inputs"),
    "no data": ({"data": None}, "promises"),
    "an index twice": ({"data": [ITEMS[0], ITEMS[0]]}, "indexes: 0, 0"),
    "an index too high": ({"data": [ITEMS[0], {**ITEMS[1], "index": 2}]}, "indexes: 0, 2"),
    "an index below zero": ({"data": [ITEMS[0], {**ITEMS[1], "index": -1}]}, "indexes: 0, -1"),
    "a short vector": ({"data": [ITEMS[0], {"index": 1, "embedding": encoded(3)}]}, "1 dimensions instead of 2"),
    "a vector too long": ({"data": [ITEMS[0], {"index": 1, "embedding": [1, 2, 3]}]}, "3 dimensions instead of 2"),
    "bytes that are no float32": (
        {"data": [ITEMS[0], {"index": 1, "embedding": base64.b64encode(b"1234567").decode()}]},
        "1.75 dimensions",
    ),
    "not base64": ({"data": [ITEMS[0], {"index": 1, "embedding": "?!"}]}, "base64"),
    "a vector that is null": ({"data": [ITEMS[0], {"index": 1, "embedding": None}]}, "neither numbers"),
    "numbers as text": ({"data": [ITEMS[0], {"index": 1, "embedding": ["1", "2"]}]}, "neither numbers"),
    "only Ctyun's field": ({"data": [ITEMS[0], {"index": 1, "embeddings": encoded(3, 4)}]}, "promises"),
    "not a number": ({"data": [ITEMS[0], {"index": 1, "embedding": encoded(float("nan"), 1)}]}, "finite"),
    "infinity": ({"data": [ITEMS[0], {"index": 1, "embedding": encoded(1, float("-inf"))}]}, "finite"),
    "beyond float32": ({"data": [ITEMS[0], {"index": 1, "embedding": [1e39, 1]}]}, "float32"),
    "beyond float64": (
        b'{"data":[{"index":0,"embedding":[1e999,1]},{"index":1,"embedding":[1,1]}]}',
        "neither numbers",
    ),
    "NaN as a word": (b'{"data":[{"index":0,"embedding":[NaN,1]},{"index":1,"embedding":[1,1]}]}', "promises"),
}


@pytest.mark.parametrize(("document", "told"), MISUNDERSTOOD.values(), ids=MISUNDERSTOOD)
def test_an_answer_that_does_not_fit_is_never_served(document: bytes | object, told: str) -> None:
    reply = HttpReply(status=200, body=document) if isinstance(document, bytes) else json_reply(document)

    with pytest.raises(ProviderMisbehaved, match=told):
        openai.read_reply(a_call("a", "b"), reply)
