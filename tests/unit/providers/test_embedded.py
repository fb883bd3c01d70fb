"""Our own model: the event we send, what we make of its answers and of its failures."""

import base64
import json
import struct
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import pytest

from gateway.core.embedding import Purpose
from gateway.core.errors import (
    GatewayError,
    InputTooLong,
    InternalError,
    InvalidRequest,
    ProviderMisbehaved,
    ProviderTimeout,
    ProviderUnavailable,
    RequestTooLarge,
    UnsupportedParameter,
)
from gateway.providers.embedded import MAX_PAYLOAD, EmbeddedProvider, build_event, read_answer
from tests.unit.providers.builders import a_call, a_provider, a_route


class Broken(Exception):
    """What a client of Lambda raises."""


class Late(Broken):
    """No answer in time."""


@dataclass
class Function:
    """A Lambda function that answers, or fails, as told."""

    answer: bytes | Exception
    delay: float = 0
    events: list[tuple[str, bytes, float]] = field(default_factory=list)

    async def __call__(self, function_name: str, payload: bytes, *, timeout: float, alone: bool) -> bytes:  # noqa: ASYNC109
        self.events.append((function_name, payload, timeout))
        if self.delay > timeout:
            raise Late
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def provider_of(function: Function, **changes: Any) -> EmbeddedProvider:
    return EmbeddedProvider(
        **{"function_name": "model", "invoke": function, "timed_out": Late, "failed": Broken, **changes}
    )


def answer(*vectors: tuple[float, ...], tokens: list[int]) -> bytes:
    components = [component for vector in vectors for component in vector]
    packed = struct.pack(f"<{len(components)}f", *components)
    return msgspec.json.encode({"vectors": base64.b64encode(packed).decode(), "tokens": tokens})


EMBEDDED = a_route(a_provider(kind="embedded", url=None, timeout=20))


@pytest.mark.parametrize("truncate", [True, False])
def test_the_event_is_the_texts_and_whether_to_cut_them(*, truncate: bool) -> None:
    event = build_event(a_call("a", "é\n", truncate=truncate, user="u1"))

    assert json.loads(event) == {"texts": ["a", "é\n"], "truncate": truncate}


async def test_vectors_are_slices_of_one_buffer_with_tokens_per_input() -> None:
    function = Function(answer((1, 2), (3, 4), tokens=[5, 6]))

    result = await provider_of(function).embed(a_call("a", "b", route=EMBEDDED))

    assert [struct.unpack("<2f", vector) for vector in result.vectors] == [(1, 2), (3, 4)]
    assert (result.tokens, result.token_counts) == (11, (5, 6))
    assert memoryview(result.vectors[0]).obj is memoryview(result.vectors[1]).obj
    assert function.events == [("model", b'{"texts":["a","b"],"truncate":false}', 20)]


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
        build_event(a_call(**changes))

    assert caught.value.param == param


@pytest.mark.parametrize("item", [(1, 2), "\udc00"], ids=["token ids", "half a character"])
def test_what_is_no_text_is_refused(item: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        build_event(a_call(item))

    assert caught.value.param == "input"


def test_an_event_may_be_as_large_as_lambda_lets_it() -> None:
    around = len(build_event(a_call("")))

    event = build_event(a_call("a" * (MAX_PAYLOAD - around)))

    assert len(event) == MAX_PAYLOAD
    with pytest.raises(RequestTooLarge, match=str(MAX_PAYLOAD + 1)):
        build_event(a_call("a" * (MAX_PAYLOAD - around + 1)))


def test_an_input_too_long_is_told_with_its_place_and_count() -> None:
    told = msgspec.json.encode({"error": {"code": "input_too_long", "index": 1, "tokens": 300, "limit": 256}})

    with pytest.raises(InputTooLong) as caught:
        read_answer(a_call("a", "b"), told)

    assert (caught.value.index, caught.value.tokens, caught.value.limit) == (1, 300, 256)
    assert caught.value.message == (
        "This model's maximum context length is 256 tokens, however input 1 has 300 tokens. Please shorten it."
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


@pytest.mark.parametrize(("failure", "expected"), [(Broken(), ProviderUnavailable), (Late(), ProviderTimeout)])
async def test_a_function_that_fails_is_unavailable_and_a_late_one_timed_out(
    failure: Exception, expected: type[GatewayError]
) -> None:
    with pytest.raises(GatewayError) as caught:
        await provider_of(Function(failure)).embed(a_call("a", route=EMBEDDED))

    assert type(caught.value) is expected
    assert caught.value.__cause__ is failure


async def test_no_call_waits_longer_than_its_row_says() -> None:
    function = Function(answer((1, 2), tokens=[1]), delay=30)
    hurried = replace(EMBEDDED, provider=replace(EMBEDDED.provider, timeout=0.02))

    with pytest.raises(ProviderTimeout):
        await provider_of(function).embed(a_call("a", route=hurried))

    assert function.events[0][2] == 0.02
