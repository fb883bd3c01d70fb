"""Our own model: the event we send, what we make of its answers and of its failures."""

import base64
import json
import struct
import threading
import time
from typing import Any

import msgspec
import pytest

from gateway.aws.errors import ConnectionLost, FunctionFailed, NotFound, Throttled
from gateway.aws.lambda_functions import Functions
from gateway.core.embedding import Purpose
from gateway.core.errors import (
    GatewayError,
    InputTooLong,
    InternalError,
    InvalidRequest,
    ProviderMisbehaved,
    ProviderMisconfigured,
    ProviderRefused,
    ProviderTimeout,
    ProviderUnavailable,
    RequestTooLarge,
    UnsupportedParameter,
)
from gateway.core.limits import MAX_LAMBDA_EVENT
from gateway.core.ports import ProviderCall
from gateway.providers._vendor import read_settings
from gateway.providers.in_lambda import LambdaProvider, Settings, build_event, read_answer
from tests.fakes.aws import ScriptedAws, failure, reply
from tests.unit.providers.builders import a_call, a_provider


def answer(*vectors: tuple[float, ...], tokens: list[int]) -> bytes:
    components = [component for vector in vectors for component in vector]
    packed = struct.pack(f"<{len(components)}f", *components)
    return msgspec.json.encode({"vectors": base64.b64encode(packed).decode(), "tokens": tokens})


EMBEDDED = a_provider(kind="embedded", url=None, timeout=20)


def provider_on(server: ScriptedAws) -> LambdaProvider:
    return LambdaProvider(own_model="model", functions=Functions(server.client()))


def event_of(call: ProviderCall) -> bytes:
    return build_event(call, read_settings(call.provider, Settings))


@pytest.mark.parametrize("truncate", [True, False])
def test_the_event_is_the_texts_and_whether_to_cut_them(*, truncate: bool) -> None:
    event = event_of(a_call("a", "é\n", truncate=truncate, user="u1"))

    assert json.loads(event) == {"texts": ["a", "é\n"], "truncate": truncate}


async def test_vectors_are_slices_of_one_buffer_with_tokens_per_input() -> None:
    with ScriptedAws(lambda _: reply(answer((1, 2), (3, 4), tokens=[5, 6]))) as server:
        result = await provider_on(server).embed(a_call("a", "b", provider=EMBEDDED))

    assert [struct.unpack("<2f", vector) for vector in result.vectors] == [(1, 2), (3, 4)]
    assert (result.tokens, result.token_counts) == (11, (5, 6))
    assert memoryview(result.vectors[0]).obj is memoryview(result.vectors[1]).obj
    (request,) = server.requests
    assert request.target == "/2015-03-31/functions/model/invocations"
    assert request.json == {"texts": ["a", "b"], "truncate": False}


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"dimensions": 128}, "dimensions"),
        ({"purpose": Purpose.QUERY}, "purpose"),
        ({"title": "On frogs"}, "title"),
        ({"extra": {"temperature": 1}}, "temperature"),
    ],
)
def test_what_the_model_does_not_know_is_refused(changes: dict[str, Any], param: str) -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        event_of(a_call(**changes))

    assert caught.value.param == param


@pytest.mark.parametrize("item", [(1, 2), "\udc00"], ids=["token ids", "half a character"])
def test_what_is_no_text_is_refused(item: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        event_of(a_call(item))

    assert caught.value.param == "input"


def test_an_event_may_be_as_large_as_lambda_accepts() -> None:
    around = len(event_of(a_call("")))

    event = event_of(a_call("a" * (MAX_LAMBDA_EVENT - around)))

    assert len(event) == MAX_LAMBDA_EVENT == 6_291_455
    with pytest.raises(RequestTooLarge, match=str(MAX_LAMBDA_EVENT + 1)):
        event_of(a_call("a" * (MAX_LAMBDA_EVENT - around + 1)))


def test_an_input_too_long_has_its_number_in_the_request_and_its_count() -> None:
    said = msgspec.json.encode({"error": {"code": "input_too_long", "index": 1, "tokens": 300, "limit": 256}})

    with pytest.raises(InputTooLong) as caught:
        read_answer(a_call("a", "b", positions=(3, 7), request_inputs=9), said)

    assert (caught.value.index, caught.value.tokens, caught.value.limit) == (7, 300, 256)
    assert caught.value.message == (
        "This model's maximum context length is 256 tokens, however input 7 has 300 tokens. Please shorten it."
    )


NOT_UNDERSTOOD: dict[str, tuple[bytes, type[GatewayError]]] = {
    "nothing": (b"", ProviderMisbehaved),
    "null": (b"null", ProviderMisbehaved),
    "another object": (b"{}", ProviderMisbehaved),
    "not base64": (b'{"vectors":"?","tokens":[1,1]}', ProviderMisbehaved),
    "a vector too few": (answer((1, 2), tokens=[1, 1]), ProviderMisbehaved),
    "vectors too short": (answer((1,), (2,), tokens=[1, 1]), ProviderMisbehaved),
    "a count too few": (answer((1, 2), (3, 4), tokens=[1]), ProviderMisbehaved),
    "not a number": (answer((1, 2), (3, float("nan")), tokens=[1, 1]), ProviderMisbehaved),
    "an error nobody knows": (b'{"error":{"code":"tired"}}', ProviderMisbehaved),
    "an event it does not understand": (b'{"error":{"code":"invalid_event","message":"no texts"}}', InternalError),
}


@pytest.mark.parametrize(("told", "expected"), NOT_UNDERSTOOD.values(), ids=NOT_UNDERSTOOD)
def test_an_answer_that_does_not_fit_is_never_served(told: bytes, expected: type[GatewayError]) -> None:
    with pytest.raises(GatewayError) as caught:
        read_answer(a_call("a", "b"), told)

    assert type(caught.value) is expected


FAILURES: dict[str, tuple[bytes | None, type[Exception]]] = {
    "raises": (reply({"errorMessage": "no"}, X_Amz_Function_Error="Unhandled"), FunctionFailed),
    "does not exist": (failure("ResourceNotFoundException", 404), NotFound),
    "is throttled": (failure("TooManyRequestsException", 429), Throttled),
    "does not answer": (None, ConnectionLost),
}


@pytest.mark.parametrize(("told", "cause"), FAILURES.values(), ids=FAILURES)
async def test_a_function_that_fails_is_unavailable(told: bytes | None, cause: type[Exception]) -> None:
    with ScriptedAws(lambda _: told) as server, pytest.raises(ProviderUnavailable) as caught:
        await provider_on(server).embed(a_call("a", provider=EMBEDDED))

    assert type(caught.value.__cause__) is cause


@pytest.mark.parametrize(("of_the_call", "of_the_row"), [(0.05, 20), (20, 0.05)], ids=["call", "row"])
async def test_no_call_waits_longer_than_the_request_or_its_row_allows(of_the_call: float, of_the_row: float) -> None:
    is_over = threading.Event()
    row = a_provider(kind="embedded", url=None, timeout=of_the_row)
    with ScriptedAws(lambda _: reply() if is_over.wait(5) else None) as server:
        started = time.monotonic()

        with pytest.raises(ProviderTimeout):
            await provider_on(server).embed(a_call("a", provider=row, timeout=of_the_call))

        assert time.monotonic() - started < 2
        is_over.set()


OPERATORS = a_provider(kind="lambda", url=None, settings={"function": "arn:aws:lambda:eu-central-1:1:function:mine:7"})


async def test_an_operator_s_function_is_told_all_that_a_request_asks() -> None:
    asked = {"purpose": Purpose.QUERY, "title": "On frogs", "dimensions": 2, "extra": {"pooling": "cls"}}
    with ScriptedAws(lambda _: reply(answer((1, 2), tokens=[5]))) as server:
        result = await provider_on(server).embed(a_call("a", provider=OPERATORS, **asked))

    (request,) = server.requests
    assert (
        request.target
        == "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-central-1%3A1%3Afunction%3Amine%3A7/invocations"
    )
    assert request.json == {
        "texts": ["a"],
        "truncate": False,
        "purpose": "query",
        "title": "On frogs",
        "dimensions": 2,
        "pooling": "cls",
    }
    assert result.tokens == 5


def test_an_operator_s_function_may_have_words_of_its_own_for_purposes() -> None:
    row = a_provider(kind="lambda", url=None, settings={"function": "mine", "purposes": {"query": "q"}})

    assert json.loads(event_of(a_call(provider=row, purpose=Purpose.QUERY)))["purpose"] == "q"


@pytest.mark.parametrize("name", ["texts", "truncate", "purpose", "title", "dimensions"])
def test_what_a_caller_passes_on_replaces_nothing(name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        event_of(a_call(provider=OPERATORS, extra={name: "other"}))

    assert caught.value.param == name


def test_an_operator_s_function_need_not_count_tokens() -> None:
    result = read_answer(a_call("a", provider=OPERATORS), answer((1, 2), tokens=[]))

    assert (result.tokens, result.token_counts) == (None, None)


def test_what_an_operator_s_function_does_not_take_is_refused_in_its_words() -> None:
    said = b'{"error":{"code":"invalid_event","message":"I know no pooling."}}'

    with pytest.raises(ProviderRefused, match="I know no pooling"):
        read_answer(a_call("a", provider=OPERATORS, extra={"pooling": "cls"}), said)


async def test_a_row_that_cannot_be_read_is_the_operator_s_affair() -> None:
    row = a_provider(kind="lambda", url=None, settings={"funktion": "mine"})

    with ScriptedAws(lambda _: None) as server, pytest.raises(ProviderMisconfigured):
        await provider_on(server).embed(a_call("a", provider=row))

    assert not server.requests
