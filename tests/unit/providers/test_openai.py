"""What we send to OpenAI and its kin, what we make of their replies, and of their errors."""

import base64
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.embedding import Purpose
from gateway.core.errors import (
    GatewayError,
    InputTooLong,
    InvalidRequest,
    ProviderMisbehaved,
    ProviderRefused,
    ProviderThrottled,
    ProviderTimeout,
    ProviderUnavailable,
    RequestTooLarge,
    UnsupportedParameter,
)
from gateway.http1 import HttpReply
from gateway.providers import openai
from gateway.providers._http import BadRow
from tests.unit.providers.builders import a_call, a_provider, a_route, json_reply

ERRORS = json.loads((Path(__file__).parents[2] / "fixtures" / "openai" / "errors.json").read_text())


def packed(*components: float) -> bytes:
    return struct.pack(f"<{len(components)}f", *components)


def encoded(*components: float) -> str:
    return base64.b64encode(packed(*components)).decode()


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
            "route": a_route(
                a_provider(settings={"dimensions_field": "output_dimension", "send_user": False}),
                vendor_model="codestral-embed",
            ),
            "dimensions": 256,
            "user": "u1",
        },
        {"input": ["hello"], "model": "codestral-embed", "encoding_format": "base64", "output_dimension": 256},
    ),
    "Jina's names": (
        {
            "route": a_route(
                a_provider(
                    settings={
                        "encoding_field": "embedding_type",
                        "purpose_field": "task",
                        "purposes": {"query": "retrieval.query"},
                        "body": {"normalized": True},
                    }
                ),
                vendor_model="jina-embeddings-v3",
            ),
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
        {"route": a_route(a_provider(settings={"truncation": {"truncate_prompt_tokens": -1}})), "truncate": True},
        {
            "input": ["hello"],
            "model": "text-embedding-3-small",
            "encoding_format": "base64",
            "truncate_prompt_tokens": -1,
        },
    ),
    "Azure, where the path names the model": (
        {"route": a_route(a_provider(settings={"send_model": False}))},
        {"input": ["hello"], "encoding_format": "base64"},
    ),
}


@pytest.mark.parametrize(("asked", "body"), SENT.values(), ids=SENT)
def test_the_body_says_what_the_call_asks(asked: dict[str, Any], body: dict[str, Any]) -> None:
    inputs = asked.get("inputs", ("hello",))
    call = a_call(*inputs, **{name: value for name, value in asked.items() if name != "inputs"})

    sent = openai.build_call(call, "sk-key")

    assert json.loads(sent.body) == body


ADDRESSES: dict[str, tuple[dict[str, Any], str, str, dict[str, str]]] = {
    "OpenAI, when the row has no URL": (
        {"url": None},
        "m",
        "https://api.openai.com/v1/embeddings",
        {"authorization": "Bearer sk-key"},
    ),
    "a slash at the end": (
        {"url": "https://eu.api.openai.com/v1/"},
        "m",
        "https://eu.api.openai.com/v1/embeddings",
        {"authorization": "Bearer sk-key"},
    ),
    "Azure OpenAI": (
        {
            "url": "https://res.openai.azure.com",
            "settings": {
                "path": "/openai/deployments/{model}/embeddings",
                "api_version": "2024-10-21",
                "auth_header": "api-key",
            },
        },
        "my dep/1",
        "https://res.openai.azure.com/openai/deployments/my%20dep%2F1/embeddings?api-version=2024-10-21",
        {"api-key": "sk-key"},
    ),
    "another scheme": (
        {"settings": {"auth_scheme": "Token", "headers": {"OpenAI-Organization": "org-1"}}},
        "m",
        "https://vendor.example/v1/embeddings",
        {"authorization": "Token sk-key", "OpenAI-Organization": "org-1"},
    ),
    "no scheme": (
        {"settings": {"auth_scheme": ""}},
        "m",
        "https://vendor.example/v1/embeddings",
        {"authorization": "sk-key"},
    ),
}


@pytest.mark.parametrize(("row", "model", "url", "own_headers"), ADDRESSES.values(), ids=ADDRESSES)
def test_the_row_decides_where_and_with_which_key(
    row: dict[str, Any], model: str, url: str, own_headers: dict[str, str]
) -> None:
    call = a_call(route=a_route(a_provider(**row), vendor_model=model))

    sent = openai.build_call(call, "sk-key")

    assert (sent.method, sent.url) == ("POST", url)
    assert sent.headers == {
        "content-type": "application/json",
        "accept": "application/json",
        "accept-encoding": "identity",
        "user-agent": "embeddings-gateway",
        **own_headers,
    }


def test_a_server_without_a_key_gets_none() -> None:
    sent = openai.build_call(a_call(), None)

    assert "authorization" not in sent.headers


@pytest.mark.parametrize("name", ["model", "input", "encoding_format", "dimensions", "user"])
def test_what_the_caller_adds_may_not_replace_what_the_gateway_says(name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        openai.build_call(a_call(extra={name: "other"}, user="u1"), None)

    assert caught.value.param == name


def test_a_title_is_refused() -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        openai.build_call(a_call(title="On frogs"), None)

    assert caught.value.param == "title"


def test_half_a_character_is_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        openai.build_call(a_call("\ud83d"), None)

    assert caught.value.param == "input"


@pytest.mark.parametrize(
    ("settings", "named"),
    [({"pth": "/x"}, "pth"), ({"path": 7}, "path"), ({"headers": {"a": 1}}, "headers")],
)
def test_a_setting_nobody_knows_is_named_to_the_operator(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(BadRow, match=named):
        openai.build_call(a_call(route=a_route(a_provider(settings=settings))), None)


def test_a_purpose_the_row_has_no_word_for_is_the_operator_s_fault() -> None:
    with pytest.raises(BadRow, match="query"):
        openai.build_call(a_call(purpose=Purpose.QUERY), None)


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
    data = [{"index": at, "embedding": [at, -at] if as_numbers[at] else encoded(at, -at)} for at in order]

    result = openai.read_reply(a_call(*"abcdef"), json_reply({"data": data}))

    assert result.vectors == tuple(packed(at, -at) for at in range(6))


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_numbers_and_base64_of_a_vector_are_the_same_bytes(components: list[float]) -> None:
    size = len(components)

    from_numbers, from_base64 = (
        openai.read_reply(a_call(native_dimensions=size), json_reply({"data": [{"index": 0, "embedding": shown}]}))
        for shown in (components, encoded(*components))
    )

    assert from_numbers.vectors == from_base64.vectors == (packed(*components),)


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
    "an error with status 200": ({"error": {"message": "no"}}, "promises"),
    "not UTF-8": (b'{"data":[{"index":0,"embedding":"\xff"},{"index":1,"embedding":[1,1]}]}', "base64"),
    "too few": ({"data": ITEMS[:1]}, "1 vectors to 2 inputs"),
    "too many": ({"data": [*ITEMS, ITEMS[0]]}, "3 vectors to 2 inputs"),
    "no data": ({"data": None}, "promises"),
    "an index twice": ({"data": [ITEMS[0], ITEMS[0]]}, "index 0"),
    "an index too high": ({"data": [ITEMS[0], {**ITEMS[1], "index": 2}]}, "index 2"),
    "an index below zero": ({"data": [ITEMS[0], {**ITEMS[1], "index": -1}]}, "index -1"),
    "an index missing": ({"data": [ITEMS[0], {"embedding": encoded(3, 4)}]}, "promises"),
    "a short vector": ({"data": [ITEMS[0], {"index": 1, "embedding": encoded(3)}]}, "1 dimensions instead of 2"),
    "a vector too long": ({"data": [ITEMS[0], {"index": 1, "embedding": [1, 2, 3]}]}, "3 dimensions instead of 2"),
    "bytes that are no float32": (
        {"data": [ITEMS[0], {"index": 1, "embedding": base64.b64encode(b"1234567").decode()}]},
        "1.75 dimensions",
    ),
    "not base64": ({"data": [ITEMS[0], {"index": 1, "embedding": "?!"}]}, "base64"),
    "base64 without its padding": ({"data": [ITEMS[0], {"index": 1, "embedding": "AAAAAAAAAAA"}]}, "base64"),
    "a vector that is null": ({"data": [ITEMS[0], {"index": 1, "embedding": None}]}, "promises"),
    "numbers as text": ({"data": [ITEMS[0], {"index": 1, "embedding": ["1", "2"]}]}, "promises"),
    "only Ctyun's field": ({"data": [ITEMS[0], {"index": 1, "embeddings": encoded(3, 4)}]}, "promises"),
    "not a number": ({"data": [ITEMS[0], {"index": 1, "embedding": encoded(float("nan"), 1)}]}, "finite"),
    "infinity": ({"data": [ITEMS[0], {"index": 1, "embedding": encoded(1, float("-inf"))}]}, "finite"),
    "beyond float32": ({"data": [ITEMS[0], {"index": 1, "embedding": [1e39, 1]}]}, "float32"),
    "beyond float64": (b'{"data":[{"index":0,"embedding":[1e999,1]},{"index":1,"embedding":[1,1]}]}', "promises"),
    "NaN as a word": (b'{"data":[{"index":0,"embedding":[NaN,1]},{"index":1,"embedding":[1,1]}]}', "promises"),
}


@pytest.mark.parametrize(("document", "told"), MISUNDERSTOOD.values(), ids=MISUNDERSTOOD)
def test_an_answer_that_does_not_fit_is_never_served(document: bytes | object, told: str) -> None:
    reply = HttpReply(status=200, body=document) if isinstance(document, bytes) else json_reply(document)

    with pytest.raises(ProviderMisbehaved, match=told):
        openai.read_reply(a_call("a", "b"), reply)


# What we make of an error.

CAUSES: dict[str, tuple[type[GatewayError], dict[str, Any]]] = {
    "openai context length": (InputTooLong, {"tokens": 51435, "limit": 8192, "index": None}),
    "openai context length by code": (InputTooLong, {"message": "Too long.", "tokens": None, "limit": None}),
    "openai tokens per request": (
        RequestTooLarge,
        {"message": "Requested 453357 tokens, max 300000 tokens per request", "param": "input"},
    ),
    "openai invalid input": (ProviderRefused, {"status": 400, "code": None}),
    "openai wrong key": (ProviderUnavailable, {}),
    "openai country": (ProviderUnavailable, {}),
    "openai model": (ProviderRefused, {"status": 404, "code": "model_not_found"}),
    "openai rate limit": (
        ProviderThrottled,
        {
            "retry_after": 1.5,
            "message": "The provider has had enough for now: Rate limit reached for text-embedding-3-small in "
            "organization [redacted] on tokens per min (TPM): Limit 1000000, Used 999000, Requested 5000. "
            "Please try again in 240ms.",
        },
    ),
    "openai rate limit in words": (ProviderThrottled, {"retry_after": 66.5}),
    "openai quota": (ProviderRefused, {"status": 429, "code": "insufficient_quota"}),
    "openai overloaded": (
        ProviderUnavailable,
        {
            "message": "The provider failed (HTTP 503): The engine is currently overloaded, please try again later",
        },
    ),
    "azure rate limit": (ProviderThrottled, {"retry_after": 38}),
    "azure rate limit by date": (ProviderThrottled, {"retry_after": 30}),
    "azure deployment": (ProviderRefused, {"status": 404, "code": "DeploymentNotFound"}),
    "azure key": (ProviderUnavailable, {}),
    "azure content filter": (ProviderRefused, {"status": 400, "code": "content_filter", "param": "prompt"}),
    "azure inference, reference page": (ProviderRefused, {"status": 422, "message": "dimensions is not supported"}),
    "google": (ProviderRefused, {"status": 400, "code": "400", "message": "Invalid value."}),
    "google in an array": (ProviderRefused, {"status": 400, "code": "400", "message": "Invalid value."}),
    "google retry info": (ProviderThrottled, {"retry_after": 38.5}),
    "google retry info in an array": (ProviderThrottled, {"retry_after": 7}),
    "tei too long": (InputTooLong, {"tokens": 600, "limit": 512}),
    "tei batch": (ProviderRefused, {"status": 413, "message": "batch size 33 > maximum allowed batch size 32"}),
    "tei native": (ProviderRefused, {"status": 422, "message": "Input validation error: empty"}),
    "tei overloaded": (ProviderThrottled, {"retry_after": None}),
    "tei backend": (ProviderUnavailable, {"message": "The provider failed (HTTP 424): Inference failed"}),
    "vllm old": (ProviderRefused, {"status": 400, "code": "400"}),
    "vllm too long": (InputTooLong, {"tokens": 1000, "limit": 512}),
    "ollama model": (ProviderRefused, {"status": 404, "code": None}),
    "ollama too long": (InputTooLong, {"tokens": None, "limit": None}),
    "fastapi problems": (
        ProviderRefused,
        {"message": "body.input.0: Input should be a valid string; body.model: Field required"},
    ),
    "voyage": (ProviderRefused, {"message": "Model gone is not supported."}),
    "mistral": (ProviderRefused, {"code": "3210"}),
    "mistral problems in a message": (
        ProviderRefused,
        {"message": "body.dimensions: Extra inputs are not permitted", "status": 422},
    ),
    "cohere": (ProviderRefused, {"message": "invalid request: valid input_type must be provided"}),
    "api gateway": (ProviderUnavailable, {}),
}


def test_every_recorded_error_has_its_cause() -> None:
    assert CAUSES.keys() == ERRORS.keys()


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_becomes_its_cause(name: str) -> None:
    told = ERRORS[name]
    expected, facts = CAUSES[name]

    error = openai.read_error(json_reply(told["body"], told["status"], **told.get("headers", {})))

    assert type(error) is expected
    assert {fact: getattr(error, fact) for fact in facts} == facts


WITHOUT_JSON: dict[str, tuple[int, bytes, type[GatewayError]]] = {
    "a load balancer's page": (502, b"<html>Bad Gateway</html>", ProviderUnavailable),
    "a server without words": (500, b"", ProviderUnavailable),
    "a gateway's timeout": (504, b"upstream request timeout", ProviderTimeout),
    "a timeout": (408, b"", ProviderTimeout),
    "throttled without words": (429, b"slow down", ProviderThrottled),
    "no access without words": (401, b"", ProviderUnavailable),
    "a page instead of an error": (404, b"<html>Not Found</html>", ProviderMisbehaved),
    "nothing instead of an error": (400, b"", ProviderMisbehaved),
    "an array instead of an error": (400, b"[]", ProviderMisbehaved),
    "an error without words": (400, b'{"error":{"code":1}}', ProviderMisbehaved),
    "a number": (400, b"17", ProviderMisbehaved),
    "a redirect": (307, b"", ProviderMisbehaved),
    "accepted, not answered": (202, b"{}", ProviderMisbehaved),
    "no content": (204, b"", ProviderMisbehaved),
}


@pytest.mark.parametrize(("status", "body", "expected"), WITHOUT_JSON.values(), ids=WITHOUT_JSON)
def test_what_is_no_error_of_the_vendor_s_is_judged_by_its_status(
    status: int, body: bytes, expected: type[GatewayError]
) -> None:
    error = openai.read_error(HttpReply(status=status, body=body))

    assert type(error) is expected
    assert "html" not in error.message


@pytest.mark.parametrize("name", ["openai wrong key", "openai country", "azure key", "api gateway"])
def test_nobody_is_told_about_our_credentials(name: str) -> None:
    told = ERRORS[name]

    error = openai.read_error(json_reply(told["body"], told["status"]))

    assert error.message == "The provider does not let the gateway in; its operator has to see to that."


@pytest.mark.parametrize(
    "secret",
    ["sk-abcdef0123456789", "sk-proj-abc_DEF-123", "AIzaSyA1234567890", "Bearer abcdef012345", "org-a1B2c3D4e5F6g7"],
)
def test_what_looks_like_a_credential_is_taken_out_of_messages(secret: str) -> None:
    error = openai.read_error(json_reply({"error": {"message": f"Wrong: {secret}, sorry."}}, 400))

    assert error.message == "Wrong: [redacted], sorry."


def test_ordinary_words_stay_in_messages() -> None:
    message = "A task-oriented, org-wide risk-free model of 2-disk-arrays; use Bearer tokens."

    error = openai.read_error(json_reply({"error": {"message": message}}, 400))

    assert error.message == message


def test_a_long_message_is_cut() -> None:
    error = openai.read_error(json_reply({"error": {"message": "no " * 10_000}}, 400))

    assert len(error.message) == 1000
    assert error.message.endswith("…")


@given(
    st.binary(max_size=300)
    | st.recursive(
        st.none() | st.text() | st.integers() | st.floats(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["error", "message", "detail", "code", "type", "msg", "loc", "details"]), inner
            )
        ),
    ).map(lambda document: json.dumps(document).encode()),
    st.sampled_from([200, 302, 400, 401, 404, 429, 500]),
)
def test_whatever_a_vendor_says_becomes_a_cause(body: bytes, status: int) -> None:
    error = openai.read_error(HttpReply(status=status, body=body, headers={"retry-after": "soon", "date": "now"}))

    assert isinstance(error, GatewayError)
    assert len(error.message) < 1100
