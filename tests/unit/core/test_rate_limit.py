"""The arithmetic of allowances."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import rate_limit

moments = st.floats(0, 4e9, allow_nan=False)


@given(moments)
def test_a_window_never_has_more_than_a_minute_left(now: float) -> None:
    assert 0 < rate_limit.seconds_left(now) <= rate_limit.WINDOW


@given(moments)
def test_waiting_as_told_leads_to_the_next_window(now: float) -> None:
    wait = rate_limit.retry_after(rate_limit.seconds_left(now))

    assert 1 <= wait <= rate_limit.WINDOW
    assert rate_limit.window_of(now + wait) >= rate_limit.window_of(now) + (wait == rate_limit.WINDOW)


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**6), min_size=1, max_size=50))
def test_the_parts_of_a_total_add_up_to_it(total: int, weights: list[int]) -> None:
    parts = rate_limit.apportion(total, weights)

    assert sum(parts) == total
    assert len(parts) == len(weights)
    assert min(parts) >= 0


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=50))
def test_a_total_that_equals_the_estimates_is_split_as_estimated(weights: list[int]) -> None:
    assert rate_limit.apportion(sum(weights), weights) == tuple(weights)


def test_nothing_is_split_among_nobody() -> None:
    assert rate_limit.apportion(0, []) == ()


@pytest.mark.parametrize(
    ("item", "tokens"),
    [
        ("hello world", 2 + 4),
        ("a b c d e f g ", 2 + 7),
        ("a", 2 + 1),
        ("", 2),
        ("!?;", 2 + 3),
        ("嵌入向量", 2 + 6),
        ((1, 2, 3), 3),
        ("\ud800", 2 + 2),
    ],
)
def test_token_ids_are_counted_and_text_is_estimated(item: str | tuple[int, ...], tokens: int) -> None:
    assert rate_limit.estimate_tokens(item) == tokens


@pytest.mark.parametrize(
    ("item", "tokens"), [("two words", 2), ("  a\tb\nc ", 3), ("\u200b " * 9, 0), ("嵌入 向量", 0), ((1, 2), 2)]
)
def test_only_plain_words_are_tokens_for_certain(item: str | tuple[int, ...], tokens: int) -> None:
    assert rate_limit.least_tokens(item) == tokens


@given(st.text())
def test_what_is_certain_is_never_more_than_what_is_estimated(text: str) -> None:
    assert rate_limit.least_tokens(text) <= rate_limit.estimate_tokens(text)
