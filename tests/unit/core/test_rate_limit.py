"""The arithmetic of allowances."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import rate_limit
from gateway.core.caller import Limits
from gateway.core.rate_limit import Account, part_of, shards_of, shares_of

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


limits = st.builds(Limits, requests=st.integers(0, 2_000_000), tokens=st.integers(0, 10**9))
DYNAMODB_WRITES = 1_000
"""What DynamoDB takes of one item in a second."""


@given(limits)
def test_the_parts_of_all_shards_add_up_to_the_limits(whole: Limits) -> None:
    parts = [part_of(whole, shard) for shard in range(shards_of(whole))]

    assert sum(part.requests for part in parts) == whole.requests
    assert sum(part.tokens for part in parts) == whole.tokens


@given(limits, st.data())
def test_a_request_up_to_the_whole_limit_fits_its_shards(whole: Limits, data: st.DataObject) -> None:
    tokens, first = data.draw(st.integers(0, whole.tokens)), data.draw(st.integers(0, shards_of(whole) - 1))

    shares = shares_of(Account("acme", whole), tokens, first)

    assert sum(share.tokens for share in shares) == tokens
    assert [share.requests for share in shares] == [1] + [0] * (len(shares) - 1)
    assert len({share.shard for share in shares}) == len(shares)
    for share in shares:
        assert share.limits == part_of(whole, share.shard)
        assert share.tokens <= share.limits.tokens


@pytest.mark.parametrize(
    ("requests", "shards"), [(0, 1), (500, 1), (12_000, 1), (12_001, 2), (100_000, 9), (1_000_000, 84)]
)
def test_no_item_is_written_more_often_than_dynamodb_takes(requests: int, shards: int) -> None:
    """A request is two writes: what it reserves, and what it used."""
    assert shards_of(Limits(requests=requests)) == shards
    assert part_of(Limits(requests=requests), 0).requests * 2 / 60 < DYNAMODB_WRITES / 2


@pytest.mark.parametrize(("limit", "tokens"), [(100_000_000, 300_000), (100_000_000, 0), (10, 0), (0, 0)])
def test_a_small_request_is_counted_in_one_place(limit: int, tokens: int) -> None:
    many = Account("acme", Limits(requests=1_000_000, tokens=limit))

    assert len(shares_of(many, tokens, 5)) == 1


@given(st.integers(-(10**6), 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_what_a_change_adds_to_the_excess_is_what_another_change_takes_back(
    change: int, count: int, limit: int
) -> None:
    there = rate_limit.excess_after(change, count, limit)

    assert there == -rate_limit.excess_after(-change, count - change, limit)
    assert abs(there) <= abs(change)
