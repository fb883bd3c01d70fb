"""The function, with the real model, against sentence-transformers; how the fixture was made is told in its make.py."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from embedded_model.encoder import DIMENSIONS, Encoder
from embedded_model.events import answer

if TYPE_CHECKING:
    from tests.unit.embedded_model.conftest import Expected

TEXTS = 83


@pytest.fixture(scope="module")
def alone(encoder: Encoder, expected: Expected) -> NDArray[np.float32]:
    """The vector of each text of the fixture, embedded by itself."""
    return np.concatenate([vectors_of(answer({"texts": [text], "truncate": True}, encoder)) for text in expected.texts])


def vectors_of(answered: dict[str, Any]) -> NDArray[np.float32]:
    return np.frombuffer(base64.b64decode(answered["vectors"]), dtype="<f4").reshape(-1, DIMENSIONS)


def test_vectors_are_those_of_sentence_transformers(encoder: Encoder, expected: Expected) -> None:
    vectors = vectors_of(answer({"texts": expected.texts, "truncate": True}, encoder))

    assert vectors.shape == (TEXTS, DIMENSIONS)
    differences = np.abs(vectors - expected.vectors).max(axis=1)
    assert dict(zip(expected.kinds, differences, strict=True)) == dict.fromkeys(
        expected.kinds, pytest.approx(0, abs=1e-4)
    )
    assert (vectors * expected.vectors).sum(axis=1).min() >= 0.99999


def test_token_counts_are_those_of_sentence_transformers(encoder: Encoder, expected: Expected) -> None:
    readings = encoder.read(expected.texts)

    counted = {kind: reading.count for kind, reading in zip(expected.kinds, readings, strict=True)}
    assert counted == dict(zip(expected.kinds, expected.tokens, strict=True))


def test_vectors_have_length_one(encoder: Encoder, expected: Expected) -> None:
    vectors = vectors_of(answer({"texts": expected.texts, "truncate": True}, encoder))

    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(TEXTS), abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(positions=st.lists(st.integers(0, TEXTS - 1), max_size=16))
def test_a_text_has_the_same_vector_in_any_company_and_place(
    encoder: Encoder, expected: Expected, alone: NDArray[np.float32], positions: Sequence[int]
) -> None:
    texts = [expected.texts[position] for position in positions]

    together = vectors_of(answer({"texts": texts, "truncate": True}, encoder))

    assert together.shape == (len(texts), DIMENSIONS)
    assert np.abs(together - alone[list(positions)]).max(initial=0) <= 1e-5


def test_a_large_batch_comes_back_in_input_order(
    encoder: Encoder, expected: Expected, alone: NDArray[np.float32]
) -> None:
    short = [position for position, tokens in enumerate(expected.tokens) if tokens < 20]
    positions = short * 20

    together = vectors_of(answer({"texts": [expected.texts[position] for position in positions]}, encoder))

    assert np.abs(together - alone[positions]).max() <= 1e-5


def test_the_longest_input_that_fits_is_embedded(encoder: Encoder) -> None:
    answered = answer({"texts": ["a " * 254]}, encoder)

    assert answered["tokens"] == [256]


def test_one_token_more_is_refused_with_the_count_and_the_position(encoder: Encoder) -> None:
    answered = answer({"texts": ["short", "a " * 255, "a " * 999]}, encoder)

    assert answered == {"error": {"code": "input_too_long", "index": 1, "tokens": 257, "limit": 256}}


def test_truncating_reads_the_first_256_tokens_and_says_so(encoder: Encoder) -> None:
    answered = answer({"texts": ["short", "a " * 255 + "b"], "truncate": True}, encoder)

    assert answered["tokens"] == [3, 256]
    expected = vectors_of(answer({"texts": ["a " * 254]}, encoder))
    assert vectors_of(answered)[1] == pytest.approx(expected[0], abs=1e-5)


def test_truncating_a_text_of_many_pieces_reads_its_beginning(encoder: Encoder) -> None:
    answered = answer({"texts": ["a " * 254 + "word, " * 50_000], "truncate": True}, encoder)

    assert answered["tokens"] == [256]
    assert vectors_of(answered) == pytest.approx(vectors_of(answer({"texts": ["a " * 254]}, encoder)), abs=1e-5)


def test_a_very_long_text_is_refused_with_its_exact_count(encoder: Encoder) -> None:
    answered = answer({"texts": ["one, two " * 100_000]}, encoder)

    assert answered["error"]["tokens"] == 300_002


def test_an_empty_text_is_no_special_case(encoder: Encoder) -> None:
    answered = answer({"texts": ["", "   "]}, encoder)

    assert answered["tokens"] == [2, 2]
    assert np.isfinite(vectors_of(answered)).all()
