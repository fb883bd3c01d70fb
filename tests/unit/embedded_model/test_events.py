"""What the function answers to which event, with a model that only counts words."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import pytest

from embedded_model.events import answer
from embedded_model.tokens import LIMIT, Reading


class WordCounter:
    """Reads a word as a token, and embeds a text as one float: how many tokens it has."""

    def read(self, texts: Sequence[str]) -> list[Reading]:
        counts = [len(text.split()) for text in texts]
        return [Reading(ids=[0] * min(count, LIMIT), count=count) for count in counts]

    def embed(self, ids: Sequence[list[int]]) -> bytes:
        return bytes(len(row) % 256 for row in ids)


def test_texts_become_vectors_and_token_counts_in_input_order() -> None:
    answered = answer({"texts": ["one two three", "one"], "truncate": False}, WordCounter())

    assert answered == {"vectors": base64.b64encode(bytes([3, 1])).decode(), "tokens": [3, 1]}


def test_truncate_may_be_left_out() -> None:
    answered = answer({"texts": ["one"]}, WordCounter())

    assert answered["tokens"] == [1]


def test_no_texts_give_no_vectors() -> None:
    answered = answer({"texts": []}, WordCounter())

    assert answered == {"vectors": "", "tokens": []}


def test_warming_computes_nothing() -> None:
    answered = answer({"warm": True}, WordCounter())

    assert answered == {"ready": True}


def test_the_first_text_that_is_too_long_is_named() -> None:
    answered = answer({"texts": ["one", "one " * 300, "one " * 400]}, WordCounter())

    assert answered == {"error": {"code": "input_too_long", "index": 1, "tokens": 300, "limit": 256}}


def test_tokens_tell_what_was_used_of_a_truncated_text() -> None:
    answered = answer({"texts": ["one " * 300], "truncate": True}, WordCounter())

    assert answered["tokens"] == [256]


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (None, "The event must be an object, not NoneType."),
        ([], "The event must be an object, not list."),
        ({}, "'texts' must be an array of strings."),
        ({"texts": "one"}, "'texts' must be an array of strings."),
        ({"texts": ["one", 2]}, "texts[1] must be a string, not int."),
        ({"texts": [None]}, "texts[0] must be a string, not NoneType."),
        ({"texts": ["one"], "truncate": 1}, "'truncate' must be true or false."),
        ({"texts": ["one"], "truncate": None}, "'truncate' must be true or false."),
        ({"texts": ["one"], "model": "other"}, "The event has unknown fields: model."),
        ({"warm": False}, "The event has unknown fields: warm."),
        ({"texts": ["fine", "\ud83d"]}, "texts[1] holds half of a surrogate pair, which no UTF-8 can write."),
    ],
)
def test_a_malformed_event_is_refused_with_the_reason(event: object, message: str) -> None:
    answered = answer(event, WordCounter())

    assert answered == {"error": {"code": "invalid_event", "message": message}}


def test_a_refusal_does_not_repeat_the_texts() -> None:
    answered = answer({"texts": ["a secret", 1]}, WordCounter())

    assert "secret" not in str(answered)
