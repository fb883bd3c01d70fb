"""Estimates of tokens: on the high side, never more than there are bytes, and made only when they are needed."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.text_samples import samples
from benchmarks.tokenizers import cl100k_base
from gateway.core.estimates import MARKERS, Estimates, estimate_tokens, least_tokens, most_tokens
from gateway.core.token_weights import HIGHEST, WEIGHTS, Weights

ENOUGH = 50
"""Tokens of a sample from which an estimate is held to its promise."""


@pytest.fixture(scope="module")
def counted() -> dict[str, list[tuple[str, int]]]:
    """Texts by kind, with their true number of tokens."""
    tokenizer, drawn = cl100k_base(), list(samples(seed=7, draws=3))
    counts = [len(encoding.ids) for encoding in tokenizer.encode_batch_fast([sample.text for sample in drawn])]
    by_kind: dict[str, list[tuple[str, int]]] = {}
    for sample, count in zip(drawn, counts, strict=True):
        if count >= ENOUGH:
            by_kind.setdefault(sample.kind, []).append((sample.text, count))
    return by_kind


def test_an_estimate_is_nowhere_a_tenth_below_the_truth(counted: dict[str, list[tuple[str, int]]]) -> None:
    """Texts drawn with another seed than those by which the weights were found."""
    worst = {
        kind: min(estimate_tokens(text, WEIGHTS["cl100k_base"]) / count for text, count in texts)
        for kind, texts in counted.items()
    }

    assert len(worst) > 60
    assert not {kind: ratio for kind, ratio in worst.items() if ratio < 0.9}


def test_an_estimate_of_usual_texts_is_less_than_twice_the_truth(counted: dict[str, list[tuple[str, int]]]) -> None:
    usual = [text for kind in ("English", "Python", "JSON", "German", "Russian", "Chinese") for text in counted[kind]]

    assert max(estimate_tokens(text, WEIGHTS["cl100k_base"]) / count for text, count in usual) < 2


@given(st.text(), st.sampled_from(list(WEIGHTS.values())))
def test_an_estimate_lies_between_what_is_certain_and_what_is_possible(text: str, weights: Weights) -> None:
    estimate = estimate_tokens(text, weights)

    assert least_tokens(text) <= estimate <= most_tokens(text)
    assert estimate <= MARKERS + len(text.encode("utf-8", "surrogatepass"))


@given(st.text(max_size=200), st.sampled_from(list(WEIGHTS.values())))
def test_a_longer_text_is_not_estimated_lower_by_much(text: str, weights: Weights) -> None:
    """Texts that are joined gain a break at most: nobody gets a large text in by adding to it."""
    assert estimate_tokens(text + " and so on, as one says", weights) >= estimate_tokens(text, weights) - MARKERS


@pytest.mark.parametrize("weights", [HIGHEST, *WEIGHTS.values()])
def test_every_family_has_a_weight_for_every_class(weights: Weights) -> None:
    assert len(weights) == 31
    assert all(math.isfinite(weight) and weight >= 0 for weight in weights)


@pytest.mark.parametrize(("item", "tokens"), [("", 2), ("a", 3), ("\ud800", 5), ((1, 2, 3), 3), ((), 0)])
def test_token_ids_are_counted_and_text_is_estimated(item: str | tuple[int, ...], tokens: int) -> None:
    assert estimate_tokens(item) == tokens


@pytest.mark.parametrize(
    ("item", "tokens"), [("two words", 2), ("  a\tb\nc ", 3), ("\u200b " * 9, 0), ("嵌入 向量", 0), ((1, 2), 2)]
)
def test_only_plain_words_are_tokens_for_certain(item: str | tuple[int, ...], tokens: int) -> None:
    assert least_tokens(item) == tokens


class Untouchable(str):
    """A text that must not be read."""

    __slots__ = ()

    def encode(self, *_: object) -> bytes:
        raise AssertionError("It was estimated.")


def test_only_what_is_asked_for_is_estimated_and_once() -> None:
    texts = ["known", "new"]
    estimates = Estimates([Untouchable(texts[0]), texts[1]], HIGHEST)

    assert estimates[1] == estimates[1] == estimate_tokens("new")


def test_an_input_that_is_cut_counts_no_more_than_is_read_of_it() -> None:
    assert Estimates(["a b c d e f"], HIGHEST, most=4)[0] == 4
