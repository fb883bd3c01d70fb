"""Requests and tokens per minute: never more than the limits, and what is written when."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.aws.errors import AwsRefused, AwsUnavailable
from gateway.core.caller import Caller, Limits, Workspace
from gateway.core.errors import AllowanceExhausted, RequestTooLarge
from gateway.core.rate_limit import Reservation, Share
from gateway.stores.circuit_breaker import FAILURES_IN_A_ROW, PAUSE
from gateway.stores.local_counts import FALLBACK_DIVISOR
from gateway.stores.minute_counters import Counts, Minute, PendingCounts, Write
from gateway.stores.rate_limits import SharedRateLimits
from gateway.stores.settlements import MAX_CARRIED_WINDOWS
from tests.fakes.models import make_caller
from tests.fakes.stores import MemoryCounters

LIMITS = Limits(requests=6, tokens=100)
NOW = 60_000.0 + 15
WINDOW = 1000


def of(workspace: str, limits: Limits = LIMITS) -> Caller:
    """A caller of that workspace."""
    return make_caller(workspace=Workspace(name=workspace, limits=limits))


ACME = of("acme")


@dataclass
class Stage:
    """Counters that count what is asked of them and can break, a clock, and what is reported."""

    now: float = NOW
    counters: MemoryCounters = field(default_factory=MemoryCounters)
    calls: int = 0
    down: bool = False
    refuses: bool = False
    """Whether corrections are refused, then and whenever they are sent again."""
    reports: list[str] = field(default_factory=list)
    replies_read: int = 0

    def begin(self, write: Write) -> PendingCounts:
        self.calls += 1
        self.fail_if_down()
        if self.refuses and write.limits is None:
            return Refused()
        return Sent(self, lambda: self.counters.begin(write))

    def fail_if_down(self) -> None:
        if self.down:
            raise AwsUnavailable("down")

    def function(self, **options: Any) -> SharedRateLimits:
        """The allowances of one warm function."""
        return SharedRateLimits(self, clock=lambda: self.now, on_fallback=self.reports.append, **options)

    def counted(self, account: str = "acme") -> Counts:
        """What was counted in this minute."""
        return self.counters.sum(int(self.now // 60), account)

    @property
    def tokens(self) -> dict[int, int]:
        """Tokens by window."""
        return {at.window: counts.tokens for at, counts in self.counters.minutes.items()}


class Refused:
    """A write that DynamoDB will never take."""

    def finish(self) -> Counts:
        raise AwsRefused("Item size has exceeded the maximum.", code="ValidationException")


class Sent:
    """A write that is counted when it is sent; its reply is lost if the counters are down when it is read."""

    def __init__(self, stage: Stage, count: Callable[[], PendingCounts]) -> None:
        self._stage = stage
        self._counted = count()

    def finish(self) -> Counts:
        self._stage.replies_read += 1
        self._stage.fail_if_down()
        return self._counted.finish()


async def test_what_is_left_is_told_without_asking_and_without_taking() -> None:
    stage = Stage()
    function = stage.function()
    await function.reserve(ACME, 10)
    calls = stage.calls

    seen, unseen = function.remaining(ACME), function.remaining(of("another"))

    assert (seen.remaining_requests, seen.remaining_tokens) == (5, 90)
    assert (unseen.remaining_requests, unseen.remaining_tokens) == (6, 100)
    assert stage.calls == calls


async def test_what_was_used_beyond_the_budget_is_taken_from_the_minutes_that_follow() -> None:
    stage = Stage()
    function = stage.function()
    reservation = await function.reserve(ACME, 90)

    function.settle(reservation, 330)()

    assert stage.tokens == {WINDOW: 330, WINDOW + 1: 230, WINDOW + 2: 130, WINDOW + 3: 30}
    admitted = []
    for _ in range(4):
        stage.now += 60
        admitted.append(await what_is_admitted(function))
    assert admitted == [0, 0, 70, 100]


async def what_is_admitted(function: SharedRateLimits) -> int:
    """Tokens of the largest request that is."""
    for tokens in range(LIMITS.tokens, 0, -1):
        try:
            return (await function.reserve(ACME, tokens)).tokens
        except AllowanceExhausted:
            continue
    return 0


async def test_only_what_this_request_used_too_much_is_taken_from_later_minutes() -> None:
    stage = Stage()
    one, other = stage.function(), stage.function()
    first, second = await one.reserve(ACME, 50), await other.reserve(ACME, 50)
    one.settle(first, 150)()

    other.settle(second, 70)()

    assert stage.tokens == {WINDOW: 220, WINDOW + 1: 120, WINDOW + 2: 20}


async def test_what_is_given_back_later_shortens_the_debt() -> None:
    stage = Stage()
    one, other = stage.function(), stage.function()
    first, second = await one.reserve(ACME, 50), await other.reserve(ACME, 50)
    one.settle(first, 150)()
    assert stage.tokens == {WINDOW: 200, WINDOW + 1: 100}

    other.settle(second, 10)()

    assert stage.tokens == {WINDOW: 160, WINDOW + 1: 60}


async def test_what_the_minutes_that_follow_had_admitted_already_is_owed_by_those_after_them() -> None:
    stage = Stage()
    function = stage.function()
    reservation = await function.reserve(ACME, 100)
    stage.now += 60
    await function.reserve(ACME, 80)

    function.settle(reservation, 150)()

    assert stage.tokens == {WINDOW: 150, WINDOW + 1: 130, WINDOW + 2: 30}


async def test_what_is_left_is_everything_once_a_new_minute_begins() -> None:
    stage = Stage()
    function = stage.function()
    await function.reserve(ACME, 10)

    stage.now += 60

    assert function.remaining(ACME).remaining_requests == 6


async def test_a_reservation_says_what_is_left() -> None:
    function = Stage().function()

    reservation = await function.reserve(ACME, 30)

    assert reservation == Reservation(
        window=WINDOW,
        tokens=30,
        limits=LIMITS,
        remaining_requests=5,
        remaining_tokens=70,
        resets_in=45.0,
        shares=(Share(account="acme", shard=0, requests=1, tokens=30, limits=LIMITS),),
    )


async def test_workspaces_and_windows_are_counted_apart() -> None:
    stage = Stage()
    function = stage.function()
    await function.reserve(ACME, 100)

    other = await function.reserve(of("other"), 100)
    stage.now += 60
    later = await function.reserve(ACME, 100)

    assert (other.remaining_requests, later.remaining_requests) == (5, 5)


async def test_tokens_that_are_used_up_are_refused_until_the_window_ends() -> None:
    function = Stage().function()
    await function.reserve(ACME, 70)

    with pytest.raises(AllowanceExhausted) as caught:
        await function.reserve(ACME, 31)

    assert (caught.value.limited_by, caught.value.retry_after) == ("tokens", 45.0)
    left = caught.value.facts.allowance
    assert left
    assert (left.remaining_requests, left.remaining_tokens) == (5, 30)


async def test_requests_that_are_used_up_are_refused_without_a_write() -> None:
    stage = Stage()
    function = stage.function()
    for _ in range(6):
        await function.reserve(ACME, 1)

    refusals = []
    for _ in range(10):
        with pytest.raises(AllowanceExhausted) as caught:
            await function.reserve(ACME, 1)
        refusals.append(caught.value)

    assert {refusal.limited_by for refusal in refusals} == {"requests"}
    assert refusals[-1].facts == refusals[0].facts
    assert stage.calls == 6 + 1


async def test_a_raised_limit_is_believed_at_once() -> None:
    function = Stage().function()
    for _ in range(6):
        await function.reserve(ACME, 1)
    with pytest.raises(AllowanceExhausted):
        await function.reserve(ACME, 1)

    reservation = await function.reserve(of("acme", Limits(requests=8, tokens=100)), 1)

    assert reservation.remaining_requests == 1


async def test_a_request_larger_than_the_whole_budget_says_so() -> None:
    stage = Stage()

    with pytest.raises(RequestTooLarge, match=r"101 tokens.*100 tokens per minute"):
        await stage.function().reserve(ACME, 101)

    assert stage.calls == 0


async def test_a_request_as_large_as_the_whole_budget_is_admitted() -> None:
    reservation = await Stage().function().reserve(ACME, 100)

    assert reservation.remaining_tokens == 0


async def test_a_workspace_without_requests_is_admitted_nothing() -> None:
    with pytest.raises(AllowanceExhausted):
        await Stage().function().reserve(of("acme", Limits(requests=0, tokens=100)), 1)


async def test_what_was_not_used_is_given_back_before_the_answer_leaves() -> None:
    stage = Stage()
    function, other = stage.function(), stage.function()
    reservation = await function.reserve(ACME, 90)

    function.settle(reservation, 89)()

    assert stage.counted() == Counts(requests=1, tokens=89)
    assert (await other.reserve(ACME, 11)).remaining_tokens == 0
    assert stage.calls == 3


@pytest.mark.parametrize("tokens", [0, 30])
async def test_a_request_that_used_what_it_reserved_is_one_write(tokens: int) -> None:
    """Such as one whose every vector was known."""
    stage = Stage()
    function = stage.function()

    function.settle(await function.reserve(ACME, tokens), tokens)()

    assert stage.calls == 1


async def test_what_was_used_beyond_the_estimate_is_counted_and_nothing_more_admitted() -> None:
    stage = Stage()
    function = stage.function()
    reservation = await function.reserve(ACME, 90)

    function.settle(reservation, 150)()

    with pytest.raises(AllowanceExhausted) as caught:
        await function.reserve(ACME, 1)
    assert stage.counted() == Counts(requests=1, tokens=150)
    assert caught.value.facts.allowance
    assert caught.value.facts.allowance.remaining_tokens == 0


async def test_what_is_settled_after_its_minute_changes_that_minute_and_no_other() -> None:
    stage = Stage()
    function = stage.function()
    reservation = await function.reserve(ACME, 90)
    stage.now += 60

    function.settle(reservation, 20)()
    await function.reserve(ACME, 50)

    assert stage.tokens == {WINDOW: 20, WINDOW + 1: 50}


async def test_without_dynamodb_a_function_admits_its_share_and_says_so() -> None:
    stage = Stage(down=True)
    function = stage.function()
    limits = Limits(requests=30, tokens=1000)

    reservations = [await function.reserve(of("acme", limits), 10) for _ in range(3)]
    with pytest.raises(AllowanceExhausted) as caught:
        await function.reserve(of("acme", limits), 10)

    assert [reservation.local for reservation in reservations] == [True, True, True]
    assert [reservation.remaining_requests for reservation in reservations] == [2, 1, 0]
    assert caught.value.limited_by == "requests"
    assert stage.reports == ["unavailable"] * 3 + ["paused"]


async def test_without_dynamodb_tokens_have_their_share_too() -> None:
    function = Stage(down=True).function()
    limits = Limits(requests=1000, tokens=1000)
    await function.reserve(of("acme", limits), 1000 // FALLBACK_DIVISOR - 1)

    with pytest.raises(AllowanceExhausted) as caught:
        await function.reserve(of("acme", limits), 2)

    assert caught.value.limited_by == "tokens"


async def test_what_was_admitted_without_dynamodb_is_settled_without_it() -> None:
    stage = Stage(down=True)
    function = stage.function()
    limits = Limits(requests=1000, tokens=1000)
    reservation = await function.reserve(of("acme", limits), 100)
    stage.down = False

    function.settle(reservation, 20)()

    assert stage.counted() == Counts()
    stage.down = True
    again = await function.reserve(of("acme", limits), 80)
    assert again.remaining_tokens == 0


async def test_a_counter_that_keeps_failing_is_left_alone_for_a_while_and_then_asked_again() -> None:
    stage = Stage(down=True)
    function = stage.function()
    limits = Limits(requests=1000, tokens=1000)
    for _ in range(FAILURES_IN_A_ROW + 2):
        await function.reserve(of("acme", limits), 1)
    calls_while_down = stage.calls
    stage.now, stage.down = stage.now + PAUSE, False

    reservation = await function.reserve(of("acme", limits), 1)

    assert calls_while_down == FAILURES_IN_A_ROW
    assert not reservation.local


async def test_settling_never_fails() -> None:
    stage = Stage()
    function = stage.function()
    reservation = await function.reserve(ACME, 100)
    stage.down = True

    function.settle(reservation, 0)()

    assert stage.counted() == Counts(requests=1, tokens=100)


async def test_a_correction_without_a_reply_is_sent_again_at_once_and_fails_nothing() -> None:
    stage = Stage()
    function = stage.function()
    finish = function.settle(await function.reserve(ACME, 100), 0)
    stage.down = True

    finish()

    assert stage.replies_read == 1 + 2
    assert stage.reports == ["unsettled"]


async def test_a_correction_that_was_not_taken_is_sent_before_the_next_request() -> None:
    stage = Stage()
    function = stage.function()
    reservation = await function.reserve(ACME, 100)
    stage.down = True
    function.settle(reservation, 30)()
    stage.down = False

    again = await function.reserve(ACME, 70)

    assert not again.local
    assert stage.counted() == Counts(requests=2, tokens=100)


async def test_a_correction_that_dynamodb_refuses_for_good_holds_up_no_later_request() -> None:
    stage = Stage()
    function = stage.function()
    reservation = await function.reserve(ACME, 50)
    stage.refuses = True
    function.settle(reservation, 30)()
    stage.refuses = False

    assert not (await function.reserve(ACME, 5)).local


async def test_nothing_is_counted_in_dynamodb_while_a_correction_cannot_be() -> None:
    """It would overtake the correction, which could not be sent again then."""
    stage = Stage()
    function = stage.function()
    reservation = await function.reserve(ACME, 50)
    stage.down = True
    function.settle(reservation, 30)()

    again = await function.reserve(ACME, 5)

    assert again.local
    assert stage.reports == ["unsettled", "unavailable"]


async def test_a_debt_whose_reply_is_lost_is_still_carried_to_later_minutes() -> None:
    stage = Stage()
    function = stage.function()
    finish = function.settle(await function.reserve(ACME, 50), 250)
    stage.down = True
    finish()
    stage.down = False

    with pytest.raises(AllowanceExhausted):
        await function.reserve(ACME, 1)

    assert stage.tokens == {WINDOW: 250, WINDOW + 1: 150, WINDOW + 2: 50}


async def test_a_correction_is_sent_at_once_and_its_reply_read_when_it_is_finished() -> None:
    stage = Stage()
    function = stage.function()
    reservation = await function.reserve(ACME, 90)

    finish = function.settle(reservation, 10)
    sent, read_before = stage.counted(), stage.replies_read
    finish()

    assert sent == Counts(requests=1, tokens=10)
    assert stage.replies_read == read_before + 1


async def test_minutes_that_follow_are_corrected_only_when_the_write_is_finished() -> None:
    """How much of the excess is this request's is known from the reply."""
    stage = Stage()
    function = stage.function()

    finish = function.settle(await function.reserve(ACME, 90), 130)
    before = set(stage.tokens)
    finish()

    assert before == {WINDOW}
    assert stage.tokens == {WINDOW: 130, WINDOW + 1: 30}


async def test_one_excess_is_taken_from_so_many_minutes_and_no_more() -> None:
    stage = Stage()
    function = stage.function()

    function.settle(await function.reserve(ACME, 0), 100_000)()

    assert max(stage.tokens) == WINDOW + MAX_CARRIED_WINDOWS


async def test_a_workspace_without_tokens_may_settle_what_it_used_all_the_same() -> None:
    stage, limits = Stage(), Limits(requests=6, tokens=0)
    function = stage.function()

    function.settle(await function.reserve(of("acme", limits), 0), 5)()

    assert stage.counters.minutes == {Minute("acme", 0, WINDOW): Counts(requests=1, tokens=5)}
