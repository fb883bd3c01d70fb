"""When waiting ends, and when asking does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.stores.circuit_breaker import (
    FAILURES_IN_A_ROW,
    MAX_USUAL,
    OVER_USUAL,
    PAUSE,
    AdaptiveTimeout,
    CircuitBreaker,
)


def test_patience_follows_the_usual_latency() -> None:
    patience = AdaptiveTimeout()

    for _ in range(50):
        patience.saw(0.004)

    assert patience.limit == pytest.approx(0.004 + OVER_USUAL, abs=0.001)


def test_the_first_call_is_given_more_time() -> None:
    patience = AdaptiveTimeout()

    assert patience.limit > MAX_USUAL + OVER_USUAL


@given(st.lists(st.floats(min_value=0, max_value=100), min_size=1))
def test_patience_never_waits_for_what_is_too_slow_to_be_usual(latencies: list[float]) -> None:
    patience = AdaptiveTimeout()

    for latency in latencies:
        patience.saw(latency)

    assert OVER_USUAL <= patience.limit <= MAX_USUAL + OVER_USUAL


def test_a_store_that_fails_often_enough_is_left_alone_for_a_while() -> None:
    now = [100.0]
    breaker = CircuitBreaker(lambda: now[0])

    states = []
    for _ in range(FAILURES_IN_A_ROW):
        breaker.failed()
        states.append(breaker.is_open)
    now[0] += PAUSE
    states.append(breaker.is_open)

    assert states == [False, False, True, False]


def test_a_store_that_still_fails_after_the_pause_is_left_alone_at_once() -> None:
    now = [100.0]
    breaker = CircuitBreaker(lambda: now[0])
    for _ in range(FAILURES_IN_A_ROW):
        breaker.failed()
    now[0] += PAUSE

    breaker.failed()

    assert breaker.is_open


def test_a_success_makes_up_for_failures() -> None:
    breaker = CircuitBreaker(lambda: 100.0)

    for _ in range(10):
        breaker.failed()
        breaker.succeeded()

    assert not breaker.is_open
