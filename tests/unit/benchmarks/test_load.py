"""The load's judge: it must see what is wrong with an answer, and the requests must be of every kind."""

import asyncio
from collections.abc import Iterator
from itertools import islice

import httpx
import numpy
import orjson
import pybase64
import pytest

from benchmarks import load
from benchmarks.load import Tally
from benchmarks.load_asks import OPENAI_LIKE, REFUSED, Ask, Asks, Vectors
from gateway.core.api_key import ApiKey


@pytest.fixture(scope="module")
def asks() -> list[Ask]:
    keys = [ApiKey(workspace=name, key_id="k" * 8, secret="s" * 32).text for name in ("one", "two")]
    return list(islice(Asks(keys, "wrong", seed=3), 800))


def right_answer(ask: Ask, vectors: Vectors) -> bytes:
    """What the gateway would send, vectors as numbers or as base64."""
    if ask.name.startswith("gemini"):
        embeddings = [{"values": row.tolist()} for row in vectors]
        return orjson.dumps({"embedding": embeddings[0]} if ":embed" in ask.path else {"embeddings": embeddings})
    shown = [pybase64.b64encode_as_string(row.tobytes()) if "base64" in ask.name else row.tolist() for row in vectors]
    data = [{"index": place, "embedding": value, "embeddings": value} for place, value in enumerate(shown)]
    return orjson.dumps({"data": data})


def test_every_dialect_is_asked_and_every_mistake_is_made(asks: list[Ask]) -> None:
    names = {ask.name.partition(",")[0] for ask in asks}

    assert names == {*OPENAI_LIKE, "gemini", *(name for name, *_ in REFUSED)}


def embedding(asks: list[Ask]) -> Iterator[tuple[Ask, Vectors]]:
    """Some that must be answered with vectors."""
    return islice(((ask, ask.vectors) for ask in asks if ask.vectors is not None), 60)


def test_a_right_answer_is_right(asks: list[Ask]) -> None:
    assert all(ask.is_answered_by(200, right_answer(ask, vectors)) for ask, vectors in embedding(asks))


def test_a_vector_of_another_text_is_wrong(asks: list[Ask]) -> None:
    for ask, vectors in embedding(asks):
        exchanged = numpy.roll(vectors, 1, axis=0)
        assert ask.is_answered_by(200, right_answer(ask, exchanged)) == numpy.array_equal(exchanged, vectors)


def test_a_missing_vector_is_wrong(asks: list[Ask]) -> None:
    several = [(ask, vectors) for ask, vectors in embedding(asks) if len(vectors) > 1]

    assert not any(ask.is_answered_by(200, right_answer(ask, vectors[:-1])) for ask, vectors in several)


@pytest.mark.parametrize("status", [400, 429, 500, 503])
def test_a_good_request_that_is_refused_is_not_answered(asks: list[Ask], status: int) -> None:
    assert not any(ask.is_answered_by(status, b"{}") for ask in asks if ask.status != status)


def test_what_should_not_have_come_is_counted_and_told(asks: list[Ask]) -> None:
    (good, vectors), (wrong, others), (failed, _) = islice(embedding(asks), 3)
    tally = Tally(concurrency=1)

    tally.note(good, httpx.Response(200, content=right_answer(good, vectors)), 0.1)
    tally.note(wrong, httpx.Response(200, content=right_answer(wrong, -others)), 0.2)
    tally.note(failed, httpx.Response(503, text="busy"), 0.3)

    assert (tally.wrong, tally.unexplained, len(tally.faults)) == (1, 1, 2)
    assert tally.faults[1] == f"{failed.name}: expected 200, came 503 busy"
    line = str(load.summarise([tally], 60))
    assert line.startswith(
        "load: 60 s: MISSED: wrong at 1 1 > 0; MISSED: unexplained errors at 1 1 > 0; at 1: 3 requests"
    )


def test_a_request_without_an_answer_is_an_unexplained_error(asks: list[Ask]) -> None:
    tally = asyncio.run(load.run("http://127.0.0.1:9", iter(asks), seconds=0.05, concurrency=2))

    assert tally.unexplained == len(tally.faults) > 0
