"""Reading a text in pieces finds the tokens of the whole text."""

# ruff: noqa: RUF001 - marks that look like others are the point

from __future__ import annotations

from collections.abc import Sequence
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedded_model import tokens
from embedded_model.encoder import Encoder

FRAGMENTS = (
    *("[SEP]", "[CLS]", "[", "]", "S", "word", "x" * 99, "é", "e\u0301", "\u0301", "ß", "#"),
    *("。", "你", "好", "が", "ไทย", "क्षि", "한", "😀", "👩\u200d👧", "\u200d", "\u200b"),
    *(".", ",", "-", "–", "“", "«", " ", "\n", "\u00a0", "\u3000", "\x00", "\x1c"),
)


@settings(max_examples=300, deadline=None)
@given(
    fragments=st.lists(st.sampled_from(FRAGMENTS) | st.characters(codec="utf-8"), max_size=60), size=st.integers(1, 9)
)
def test_pieces_of_any_size_have_the_tokens_of_the_whole(encoder: Encoder, fragments: Sequence[str], size: int) -> None:
    text = "".join(fragments)
    whole = encoder.tokenizer.encode(text).ids

    with patch.object(tokens, "PIECE", size):
        (reading,) = encoder.read([text])

    assert reading.count == len(whole)
    if len(whole) <= tokens.LIMIT:
        assert reading.ids == whole


def test_a_text_that_is_cut_ends_with_the_closing_token(encoder: Encoder) -> None:
    whole = encoder.tokenizer.encode("a b c " * 200).ids

    (reading,) = encoder.read(["a b c " * 200])

    assert reading.ids == [*whole[:255], tokens.SEP]


@pytest.mark.parametrize("letter", ["x", "7", "م", "ü", "が"])
def test_a_word_without_end_is_read_as_the_one_token_that_it_is(encoder: Encoder, letter: str) -> None:
    text = f"a {letter * 300_000} b"

    (reading,) = encoder.read([text])

    assert reading.ids == encoder.tokenizer.encode(text).ids
    assert reading.count == 5


def test_words_that_are_nearly_too_long_take_no_longer_than_others() -> None:
    """Searched again from every letter, this text would take a minute."""
    text = ("y" * (tokens.LONG_WORD - 1) + " ") * 2_500

    assert tokens.ENDLESS_WORD.search(text) is None


def test_no_more_than_a_piece_and_its_last_word_is_tokenized_at_once() -> None:
    texts = ["word " * 100_000, "short", "x" * 100_000]
    readings = [tokens.Reading() for _ in texts]

    sizes = [
        sum(len(piece) for _, piece in batch)
        for batch in tokens.batches(
            piece for reading, text in zip(readings, texts, strict=True) for piece in tokens.pieces(reading, text)
        )
    ]

    assert sum(sizes) == sum(map(len, texts))
    assert sizes[:7] == [pytest.approx(tokens.PIECE, abs=5)] * 7
