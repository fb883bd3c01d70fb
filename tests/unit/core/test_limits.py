"""Lambda's limits are those that the local stack refuses beyond."""

from gateway.core.limits import MAX_LAMBDA_ANSWER, MAX_LAMBDA_EVENT
from infra.local.limits import ANSWER_LIMIT, EVENT_LIMIT


def test_an_event_stays_below_the_limit() -> None:
    assert MAX_LAMBDA_EVENT == EVENT_LIMIT - 1


def test_an_answer_may_reach_the_limit() -> None:
    assert MAX_LAMBDA_ANSWER == ANSWER_LIMIT
