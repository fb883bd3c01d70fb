"""Whatever body is sent, it takes under a second of CPU and 250 MB until it is refused or goes upstream.

`python -m benchmarks.hostile_bodies` sends every body of the grammar to every dialect.
"""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.errors import ProviderUnavailable
from gateway.core.vocabulary import MAX_TEXT, Vocabulary
from gateway.dialects._validation import MAX_ELEMENTS
from tests.fakes.hostile_bodies import PATHS, PLACES, UNITS, WHOLE, Request, array, cost_of
from tests.fakes.models import make_model, make_route
from tests.unit.dialects.stage import KEY, Stage
from tests.unit.dialects.test_completeness import asker_of

MAX_SECONDS, MAX_MEGABYTES = 1.0, 250.0
"""Of CPU; above what there was before."""


def send(request: Request) -> int:
    """To a stage whose provider is asked and fails."""
    stage = Stage()
    stage.provider.fails = lambda _: ProviderUnavailable("down")
    headers = {"authorization": f"Bearer {KEY}", "extra-parameters": "pass-through"}
    return asyncio.run(stage.send("POST", request.path, headers=headers, content=request.body)).status_code


def assert_cheap(dialect: str, body: bytes) -> None:
    cost = cost_of(send, Request(PATHS[dialect], body))

    assert cost.seconds < MAX_SECONDS
    assert cost.megabytes < MAX_MEGABYTES
    assert 400 <= cost.status < 500 or cost.status == 503


@settings(max_examples=14, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    dialect=st.sampled_from(sorted(PATHS)), place=st.sampled_from(sorted(PLACES)), unit=st.sampled_from(sorted(UNITS))
)
def test_a_body_full_of_anything_anywhere_is_cheap(dialect: str, place: str, unit: str) -> None:
    assert_cheap(dialect, array(place, unit))


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(dialect=st.sampled_from(sorted(PATHS)), whole=st.sampled_from(sorted(WHOLE)))
def test_a_body_that_is_one_large_thing_is_cheap(dialect: str, whole: str) -> None:
    assert_cheap(dialect, WHOLE[whole]())


@pytest.mark.parametrize(
    ("dialect", "place", "unit"),
    [
        ("gemini, a batch", "requests", "ints"),
        ("gemini, a batch", "requests", "empty objects"),
        ("gemini, a batch", "requests, the last wrong", "contents"),
        ("gemini", "parts", "ints"),
        ("gemini", "parts", "parts"),
        ("openai", "input", "texts"),
        ("openai", "input", "token ids"),
        ("openai", "input of token ids, then", "exponents"),
        ("openai", "input", "deep arrays"),
    ],
)
def test_the_bodies_that_once_took_longest_are_cheap(dialect: str, place: str, unit: str) -> None:
    """2,500,000 ints took 40 s and 4 GB."""
    assert_cheap(dialect, array(place, unit))


@pytest.mark.parametrize("whole", ["half a million parameters", "one text of words", "a batch of variants"])
@pytest.mark.parametrize("dialect", ["openai", "azure", "gemini, a batch"])
def test_half_a_million_names_and_a_text_of_megabytes_are_cheap(dialect: str, whole: str) -> None:
    assert_cheap(dialect, WHOLE[whole]())


def message_of(response: Any) -> str:
    message: str = response.json()["error"]["message"]
    return message


@pytest.mark.parametrize("wrong", [1, None, "a", {"colour": 1}, {"content": {"parts": [{"text": "a"}]}}])
async def test_a_batch_is_counted_before_anything_in_it_is_read(wrong: Any) -> None:
    response = await Stage().send("POST", PATHS["gemini, a batch"], json={"requests": [wrong] * 2_000})

    assert response.status_code == 400
    assert message_of(response) == "The request has 2000 requests; at most 100 are taken in one request."


async def test_a_models_own_number_of_requests_is_what_counts() -> None:
    stage = Stage(models=[make_model(max_contents=3)])

    response = await stage.send("POST", PATHS["gemini, a batch"], json={"requests": [1, 2, 3, 4]})

    assert "4 requests; at most 3" in message_of(response)


@pytest.mark.parametrize("path", ["/v1/embeddings", "/embeddings", "/ctyun/v1/embeddings", "/openai/v1/embeddings"])
@pytest.mark.parametrize("count", [2_049, MAX_ELEMENTS + 1])
@pytest.mark.parametrize("last", ["a", 1])
async def test_too_many_inputs_say_how_many_there_are_and_how_many_may_be(path: str, count: int, last: Any) -> None:
    response = await Stage().post(path, model="echo", input=["a"] * (count - 1) + [last])

    assert response.status_code == 400
    if last == "a" or count > MAX_ELEMENTS:
        assert f"{count} inputs" in message_of(response)
        assert str(min(MAX_ELEMENTS, 2_048 if count == 2_049 else MAX_ELEMENTS)) in message_of(response)


@pytest.mark.parametrize("name", ["openai", "azure", "gemini"])
@pytest.mark.parametrize(
    ("body", "told"),
    [
        ([[]] * MAX_ELEMENTS, f"more than {MAX_ELEMENTS} arrays and objects"),
        ({f"n{number}": 1 for number in range(MAX_ELEMENTS + 1)}, f"more than {MAX_ELEMENTS} names of fields"),
    ],
)
async def test_more_structure_than_any_request_needs_is_counted(name: str, body: Any, told: str) -> None:
    response = await Stage().send("POST", asker_of(name).path, json=body)

    assert response.status_code == 400
    assert told in message_of(response)
    assert f"at most {MAX_ELEMENTS}" in message_of(response)


@pytest.mark.parametrize("text", ["{[" * 60_000, ':"\\' * 60_000, '"{' * 60_000, "\\" * 60_001 + "{:" * 60_000])
@pytest.mark.parametrize("ascii_only", [True, False])
async def test_a_text_full_of_brackets_is_a_text(text: str, *, ascii_only: bool) -> None:
    stage = Stage(models=[make_model(max_tokens=10**6, max_request_tokens=10**6)])
    body = json.dumps({"model": "echo", "input": [text, text + "é"]}, ensure_ascii=ascii_only)

    response = await stage.send("POST", "/v1/embeddings", content=body.encode())

    assert response.status_code == 200
    assert stage.provider.inputs == [text, text + "é"]


@pytest.mark.parametrize("tell", [json.dumps, lambda ids: json.dumps([float(number) for number in ids])])
async def test_the_one_wrong_token_id_among_many_is_named(tell: Any) -> None:
    ids = tell([1] * 50_000)[:-1]

    response = await Stage().send("POST", "/v1/embeddings", content=f'{{"model":"echo","input":{ids},-1]}}'.encode())

    assert response.json()["error"]["param"] == "input[50000]"


async def test_token_ids_that_stand_for_more_text_than_a_body_holds_are_refused() -> None:
    """A token of blanks has a hundred times the bytes of its id."""
    wide = Vocabulary("wide", [b" " * 128])
    model = make_model(
        vocabulary="wide", max_tokens=10**9, max_request_tokens=10**9, routes=(make_route(accepts_tokens=False),)
    )

    response = await Stage(models=[model], vocabularies=lambda _: wide).post(
        "/v1/embeddings", model="echo", input=[[0] * 30_000] * 3
    )

    assert response.status_code == 400
    assert str(MAX_TEXT) in message_of(response)
