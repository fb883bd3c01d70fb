"""Requests and tokens per minute: never more than the limits, and what is written when."""

import threading
from dataclasses import dataclass, field

import pytest

from gateway.aws.dynamodb import DynamoDb
from gateway.aws.errors import AwsUnavailable
from gateway.core.caller import Limits
from gateway.core.errors import AllowanceExhausted, RequestTooLarge
from gateway.core.rate_limit import Reservation
from gateway.stores.circuit_breaker import FAILURES_IN_A_ROW, PAUSE
from gateway.stores.rate_limits import (
    FALLBACK_DIVISOR,
    MAX_CARRIED_WINDOWS,
    URGENT_FRACTION,
    Counts,
    PendingCounts,
    SharedRateLimits,
    TableCounters,
)
from tests.fakes.aws import Request, ScriptedAws, reply
from tests.fakes.stores import MemoryCounters

LIMITS = Limits(requests=6, tokens=100)
NOW = 60_000.0 + 15
WINDOW = 1000


@dataclass
class Stage:
    """Counters that count what is asked of them and can break, a clock, and what is reported."""

    now: float = NOW
    counters: MemoryCounters = field(default_factory=MemoryCounters)
    calls: int = 0
    down: bool = False
    reports: list[str] = field(default_factory=list)
    replies_read: int = 0

    def take(self, workspace: str, window: int, *, tokens: int, limits: Limits) -> Counts:
        self._call()
        return self.counters.take(workspace, window, tokens=tokens, limits=limits)

    def begin_correct(self, workspace: str, window: int, *, tokens: int) -> PendingCounts:
        self._call()
        return Sent(self, self.counters.begin_correct(workspace, window, tokens=tokens))

    def _call(self) -> None:
        self.calls += 1
        self.fail_if_down()

    def fail_if_down(self) -> None:
        if self.down:
            raise AwsUnavailable("down")

    def function(self) -> SharedRateLimits:
        """The allowances of one warm function."""
        return SharedRateLimits(self, clock=lambda: self.now, on_fallback=self.reports.append)

    def counted(self, workspace: str = "acme") -> Counts:
        return self.counters.windows.get((workspace, int(self.now // 60)), Counts())


@dataclass
class Sent:
    """A correction on its way; its reply is lost if the counters are down when it is read."""

    stage: Stage
    counted: PendingCounts

    def finish(self) -> Counts:
        self.stage.replies_read += 1
        self.stage.fail_if_down()
        return self.counted.finish()


async def test_what_is_left_is_told_without_asking_and_without_taking() -> None:
    stage = Stage()
    function = stage.function()
    await function.reserve("acme", LIMITS, 10)
    calls = stage.calls

    seen, unseen = function.remaining("acme", LIMITS), function.remaining("another", LIMITS)

    assert (seen.remaining_requests, seen.remaining_tokens) == (5, 90)
    assert (unseen.remaining_requests, unseen.remaining_tokens) == (6, 100)
    assert stage.calls == calls


async def test_what_was_used_beyond_the_budget_is_taken_from_the_minutes_that_follow() -> None:
    stage = Stage()
    function = stage.function()
    reservation = await function.reserve("acme", LIMITS, 90)

    function.settle(reservation, 330)()

    windows = {window: counts.tokens for (_, window), counts in stage.counters.windows.items()}
    assert windows == {WINDOW: 330, WINDOW + 1: 100, WINDOW + 2: 100, WINDOW + 3: 30}
    stage.now += 60
    with pytest.raises(AllowanceExhausted):
        await function.reserve("acme", LIMITS, 1)


async def test_only_what_this_request_used_too_much_is_taken_from_later_minutes() -> None:
    stage = Stage()
    one, other = stage.function(), stage.function()
    first, second = await one.reserve("acme", LIMITS, 50), await other.reserve("acme", LIMITS, 50)
    one.settle(first, 150)()

    other.settle(second, 70)()

    assert stage.counters.windows["acme", WINDOW].tokens == 220
    assert stage.counters.windows["acme", WINDOW + 1].tokens == 100 + 20


async def test_what_is_left_is_everything_once_a_new_minute_begins() -> None:
    stage = Stage()
    function = stage.function()
    await function.reserve("acme", LIMITS, 10)

    stage.now += 60

    assert function.remaining("acme", LIMITS).remaining_requests == 6


async def test_a_reservation_says_what_is_left() -> None:
    function = Stage().function()

    reservation = await function.reserve("acme", LIMITS, 30)

    assert reservation == Reservation(
        workspace="acme",
        window=WINDOW,
        tokens=30,
        limits=LIMITS,
        remaining_requests=5,
        remaining_tokens=70,
        resets_in=45.0,
    )


async def test_workspaces_and_windows_are_counted_apart() -> None:
    stage = Stage()
    function = stage.function()
    await function.reserve("acme", LIMITS, 100)

    other = await function.reserve("other", LIMITS, 100)
    stage.now += 60
    later = await function.reserve("acme", LIMITS, 100)

    assert (other.remaining_requests, later.remaining_requests) == (5, 5)


async def test_tokens_that_are_used_up_are_refused_until_the_window_ends() -> None:
    function = Stage().function()
    await function.reserve("acme", LIMITS, 70)

    with pytest.raises(AllowanceExhausted) as caught:
        await function.reserve("acme", LIMITS, 31)

    assert (caught.value.limited_by, caught.value.retry_after) == ("tokens", 45.0)
    left = caught.value.facts.allowance
    assert left
    assert (left.remaining_requests, left.remaining_tokens) == (5, 30)


async def test_requests_that_are_used_up_are_refused_without_a_write() -> None:
    stage = Stage()
    function = stage.function()
    for _ in range(6):
        await function.reserve("acme", LIMITS, 1)

    refusals = []
    for _ in range(10):
        with pytest.raises(AllowanceExhausted) as caught:
            await function.reserve("acme", LIMITS, 1)
        refusals.append(caught.value)

    assert {refusal.limited_by for refusal in refusals} == {"requests"}
    assert refusals[-1].facts == refusals[0].facts
    assert stage.calls == 6 + 1


async def test_a_raised_limit_is_believed_at_once() -> None:
    function = Stage().function()
    for _ in range(6):
        await function.reserve("acme", LIMITS, 1)
    with pytest.raises(AllowanceExhausted):
        await function.reserve("acme", LIMITS, 1)

    reservation = await function.reserve("acme", Limits(requests=8, tokens=100), 1)

    assert reservation.remaining_requests == 1


async def test_a_request_larger_than_the_whole_budget_says_so() -> None:
    stage = Stage()

    with pytest.raises(RequestTooLarge, match=r"101 tokens.*100 tokens per minute"):
        await stage.function().reserve("acme", LIMITS, 101)

    assert stage.calls == 0


async def test_a_request_as_large_as_the_whole_budget_is_admitted() -> None:
    reservation = await Stage().function().reserve("acme", LIMITS, 100)

    assert reservation.remaining_tokens == 0


async def test_a_workspace_without_requests_is_admitted_nothing() -> None:
    with pytest.raises(AllowanceExhausted):
        await Stage().function().reserve("acme", Limits(requests=0, tokens=100), 1)


async def test_what_was_not_used_is_given_back_with_the_next_write() -> None:
    stage = Stage()
    function = stage.function()
    reservation = await function.reserve("acme", LIMITS, 90)

    function.settle(reservation, 90 - int(100 * URGENT_FRACTION))()
    calls_after_settling = stage.calls
    await function.reserve("acme", LIMITS, 16)

    assert calls_after_settling == 1
    assert stage.calls == 2
    assert stage.counted() == Counts(requests=2, tokens=100)


async def test_a_large_difference_is_written_at_once_for_others_to_use() -> None:
    stage = Stage()
    function, other = stage.function(), stage.function()
    reservation = await function.reserve("acme", LIMITS, 90)

    function.settle(reservation, 10)()
    await other.reserve("acme", LIMITS, 90)

    assert stage.counted() == Counts(requests=2, tokens=100)


async def test_what_was_used_beyond_the_estimate_is_counted_and_nothing_more_admitted() -> None:
    stage = Stage()
    function = stage.function()
    reservation = await function.reserve("acme", LIMITS, 90)

    function.settle(reservation, 150)()

    with pytest.raises(AllowanceExhausted) as caught:
        await function.reserve("acme", LIMITS, 1)
    assert stage.counted() == Counts(requests=1, tokens=150)
    assert caught.value.facts.allowance
    assert caught.value.facts.allowance.remaining_tokens == 0


async def test_what_is_settled_after_its_window_changes_no_other_window() -> None:
    stage = Stage()
    function = stage.function()
    reservation = await function.reserve("acme", LIMITS, 90)
    stage.now += 60

    function.settle(reservation, 0)()
    await function.reserve("acme", LIMITS, 50)

    assert stage.counted() == Counts(requests=1, tokens=50)


async def test_a_correction_that_is_too_late_for_its_window_is_dropped() -> None:
    stage = Stage()
    function = stage.function()
    function.settle(await function.reserve("acme", LIMITS, 10), 5)()
    stage.now += 60

    await function.reserve("acme", LIMITS, 50)

    assert stage.counted() == Counts(requests=1, tokens=50)


async def test_a_refusal_keeps_the_correction_that_it_would_have_written() -> None:
    stage = Stage()
    function = stage.function()
    function.settle(await function.reserve("acme", LIMITS, 50), 45)()
    with pytest.raises(AllowanceExhausted):
        await function.reserve("acme", LIMITS, 60)

    await function.reserve("acme", LIMITS, 55)

    assert stage.counted() == Counts(requests=2, tokens=100)


async def test_without_dynamodb_a_function_admits_its_share_and_says_so() -> None:
    stage = Stage(down=True)
    function = stage.function()
    limits = Limits(requests=30, tokens=1000)

    reservations = [await function.reserve("acme", limits, 10) for _ in range(3)]
    with pytest.raises(AllowanceExhausted) as caught:
        await function.reserve("acme", limits, 10)

    assert [reservation.local for reservation in reservations] == [True, True, True]
    assert [reservation.remaining_requests for reservation in reservations] == [2, 1, 0]
    assert caught.value.limited_by == "requests"
    assert stage.reports == ["unavailable"] * 3 + ["paused"]


async def test_without_dynamodb_tokens_have_their_share_too() -> None:
    function = Stage(down=True).function()
    limits = Limits(requests=1000, tokens=1000)
    await function.reserve("acme", limits, 1000 // FALLBACK_DIVISOR - 1)

    with pytest.raises(AllowanceExhausted) as caught:
        await function.reserve("acme", limits, 2)

    assert caught.value.limited_by == "tokens"


async def test_what_was_admitted_without_dynamodb_is_settled_without_it() -> None:
    stage = Stage(down=True)
    function = stage.function()
    limits = Limits(requests=1000, tokens=1000)
    reservation = await function.reserve("acme", limits, 100)
    stage.down = False

    function.settle(reservation, 20)()

    assert stage.counted() == Counts()
    stage.down = True
    again = await function.reserve("acme", limits, 80)
    assert again.remaining_tokens == 0


async def test_a_counter_that_keeps_failing_is_left_alone_for_a_while_and_then_asked_again() -> None:
    stage = Stage(down=True)
    function = stage.function()
    limits = Limits(requests=1000, tokens=1000)
    for _ in range(FAILURES_IN_A_ROW + 2):
        await function.reserve("acme", limits, 1)
    calls_while_down = stage.calls
    stage.now, stage.down = stage.now + PAUSE, False

    reservation = await function.reserve("acme", limits, 1)

    assert calls_while_down == FAILURES_IN_A_ROW
    assert not reservation.local


async def test_settling_never_fails() -> None:
    stage = Stage()
    function = stage.function()
    reservation = await function.reserve("acme", LIMITS, 100)
    stage.down = True

    function.settle(reservation, 0)()

    assert stage.counted() == Counts(requests=1, tokens=100)


async def test_a_correction_whose_reply_is_lost_does_not_fail_the_request() -> None:
    stage = Stage()
    function = stage.function()
    finish = function.settle(await function.reserve("acme", LIMITS, 100), 0)
    stage.down = True

    finish()

    assert stage.replies_read == 1


async def test_a_refund_whose_reply_is_lost_is_not_given_back_twice() -> None:
    stage = Stage()
    function = stage.function()
    finish = function.settle(await function.reserve("acme", LIMITS, 100), 40)
    stage.down = True
    finish()
    stage.down = False

    await function.reserve("acme", LIMITS, 20)

    assert stage.counted() == Counts(requests=2, tokens=60)


async def test_a_correction_is_sent_at_once_and_its_reply_read_when_it_is_finished() -> None:
    stage = Stage()
    function = stage.function()
    reservation = await function.reserve("acme", LIMITS, 90)

    finish = function.settle(reservation, 10)
    sent, read_before = stage.counted(), stage.replies_read
    finish()

    assert sent == Counts(requests=1, tokens=10)
    assert (read_before, stage.replies_read) == (0, 1)


async def test_minutes_that_follow_are_corrected_only_when_the_write_is_finished() -> None:
    """How much of the excess is this request's is known from the reply."""
    stage = Stage()
    function = stage.function()

    finish = function.settle(await function.reserve("acme", LIMITS, 90), 130)
    before = set(stage.counters.windows)
    finish()

    assert before == {("acme", WINDOW)}
    assert stage.counters.windows["acme", WINDOW + 1] == Counts(tokens=30)


async def test_one_request_is_taken_from_so_many_minutes_and_no_more() -> None:
    stage = Stage()
    function = stage.function()

    function.settle(await function.reserve("acme", LIMITS, 0), 100_000)()

    assert max(window for _, window in stage.counters.windows) == WINDOW + MAX_CARRIED_WINDOWS


async def test_a_workspace_without_tokens_may_settle_what_it_used_all_the_same() -> None:
    stage, limits = Stage(), Limits(requests=6, tokens=0)
    function = stage.function()

    function.settle(await function.reserve("acme", limits, 0), 5)()

    assert stage.counters.windows == {("acme", WINDOW): Counts(requests=1, tokens=5)}


def test_the_table_is_sent_a_correction_before_its_reply_is_read() -> None:
    arrived, may_answer = threading.Event(), threading.Event()

    def answer_when_allowed(request: Request) -> bytes:
        arrived.set()
        may_answer.wait(5)
        added = request.json["ExpressionAttributeValues"]
        return reply({"Attributes": {"requests": {"N": "1"}, "tokens": added[":tokens"]}})

    with ScriptedAws(answer_when_allowed) as server:
        pending = TableCounters(DynamoDb(server.client()), table="t").begin_correct("acme", WINDOW, tokens=7)

        was_sent = arrived.wait(5)
        may_answer.set()
        counts = pending.finish()

    assert was_sent
    assert counts == Counts(requests=1, tokens=7)
