"""Requests and tokens per minute: never more than the limits, whatever overlaps and whatever breaks."""

from collections.abc import Callable, Coroutine, Generator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.aws.errors import AwsTimeout, AwsUnavailable
from gateway.core.caller import Limits
from gateway.core.errors import AllowanceExhausted, RequestTooLarge
from gateway.core.rate_limit import Reservation
from gateway.stores.circuit_breaker import FAILURES_IN_A_ROW, PAUSE
from gateway.stores.rate_limits import LARGE, SHARE, Counters, Counts, SharedRateLimits
from tests.fakes.stores import MemoryCounters

LIMITS = Limits(requests=6, tokens=100)
NOW = 60_000.0 + 15
WINDOW = 1000

Result = TypeVar("Result")


@dataclass
class Stage:
    """Counters that count what is asked of them and can break, a clock, and what is reported."""

    now: float = NOW
    counters: MemoryCounters = field(default_factory=MemoryCounters)
    calls: int = 0
    down: bool = False
    reports: list[str] = field(default_factory=list)

    async def take(self, workspace: str, window: int, *, tokens: int, limits: Limits) -> Counts:
        self._call()
        return await self.counters.take(workspace, window, tokens=tokens, limits=limits)

    async def correct(self, workspace: str, window: int, *, tokens: int) -> Counts:
        self._call()
        return await self.counters.correct(workspace, window, tokens=tokens)

    def _call(self) -> None:
        self.calls += 1
        if self.down:
            raise AwsUnavailable("down")

    def function(self) -> SharedRateLimits:
        """The allowances of one warm function."""
        return SharedRateLimits(self, clock=lambda: self.now, on_fallback=self.reports.append)

    def counted(self, workspace: str = "acme") -> Counts:
        return self.counters.windows.get((workspace, int(self.now // 60)), Counts())


async def test_what_is_left_is_told_without_asking_and_without_taking() -> None:
    stage = Stage()
    function = stage.function()
    await function.reserve("acme", LIMITS, 10)
    calls = stage.calls

    seen, unseen = function.standing("acme", LIMITS), function.standing("another", LIMITS)

    assert (seen.remaining_requests, seen.remaining_tokens) == (5, 90)
    assert (unseen.remaining_requests, unseen.remaining_tokens) == (6, 100)
    assert stage.calls == calls


async def test_what_was_used_beyond_the_budget_is_taken_from_the_minutes_that_follow() -> None:
    stage = Stage()
    function = stage.function()
    reservation = await function.reserve("acme", LIMITS, 90)

    await function.settle(reservation, 330)

    windows = {window: counts.tokens for (_, window), counts in stage.counters.windows.items()}
    assert windows == {WINDOW: 330, WINDOW + 1: 100, WINDOW + 2: 100, WINDOW + 3: 30}
    stage.now += 60
    with pytest.raises(AllowanceExhausted):
        await function.reserve("acme", LIMITS, 1)


async def test_only_what_this_request_used_too_much_is_taken_from_later_minutes() -> None:
    stage = Stage()
    one, other = stage.function(), stage.function()
    first, second = await one.reserve("acme", LIMITS, 50), await other.reserve("acme", LIMITS, 50)
    await one.settle(first, 150)

    await other.settle(second, 70)

    assert stage.counters.windows["acme", WINDOW].tokens == 220
    assert stage.counters.windows["acme", WINDOW + 1].tokens == 100 + 20


async def test_what_is_left_is_everything_once_a_new_minute_begins() -> None:
    stage = Stage()
    function = stage.function()
    await function.reserve("acme", LIMITS, 10)

    stage.now += 60

    assert function.standing("acme", LIMITS).remaining_requests == 6


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
    assert caught.value.standing
    assert (caught.value.standing.remaining_requests, caught.value.standing.remaining_tokens) == (5, 30)


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
    assert refusals[-1].standing == refusals[0].standing
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

    await function.settle(reservation, 90 - 100 // LARGE)
    calls_after_settling = stage.calls
    await function.reserve("acme", LIMITS, 16)

    assert calls_after_settling == 1
    assert stage.calls == 2
    assert stage.counted() == Counts(requests=2, tokens=100)


async def test_a_large_difference_is_written_at_once_for_others_to_use() -> None:
    stage = Stage()
    function, other = stage.function(), stage.function()
    reservation = await function.reserve("acme", LIMITS, 90)

    await function.settle(reservation, 10)
    await other.reserve("acme", LIMITS, 90)

    assert stage.counted() == Counts(requests=2, tokens=100)


async def test_what_was_used_beyond_the_estimate_is_counted_and_nothing_more_admitted() -> None:
    stage = Stage()
    function = stage.function()
    reservation = await function.reserve("acme", LIMITS, 90)

    await function.settle(reservation, 150)

    with pytest.raises(AllowanceExhausted) as caught:
        await function.reserve("acme", LIMITS, 1)
    assert stage.counted() == Counts(requests=1, tokens=150)
    assert caught.value.standing
    assert caught.value.standing.remaining_tokens == 0


async def test_what_is_settled_after_its_window_changes_no_other_window() -> None:
    stage = Stage()
    function = stage.function()
    reservation = await function.reserve("acme", LIMITS, 90)
    stage.now += 60

    await function.settle(reservation, 0)
    await function.reserve("acme", LIMITS, 50)

    assert stage.counted() == Counts(requests=1, tokens=50)


async def test_a_correction_that_is_too_late_for_its_window_is_dropped() -> None:
    stage = Stage()
    function = stage.function()
    await function.settle(await function.reserve("acme", LIMITS, 10), 5)
    stage.now += 60

    await function.reserve("acme", LIMITS, 50)

    assert stage.counted() == Counts(requests=1, tokens=50)


async def test_a_refusal_keeps_the_correction_that_it_would_have_written() -> None:
    stage = Stage()
    function = stage.function()
    await function.settle(await function.reserve("acme", LIMITS, 50), 45)
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
    await function.reserve("acme", limits, 1000 // SHARE - 1)

    with pytest.raises(AllowanceExhausted) as caught:
        await function.reserve("acme", limits, 2)

    assert caught.value.limited_by == "tokens"


async def test_what_was_admitted_without_dynamodb_is_settled_without_it() -> None:
    stage = Stage(down=True)
    function = stage.function()
    limits = Limits(requests=1000, tokens=1000)
    reservation = await function.reserve("acme", limits, 100)
    stage.down = False

    await function.settle(reservation, 20)

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

    await function.settle(reservation, 0)

    assert stage.counted() == Counts(requests=1, tokens=100)


class Turn:
    """A place where another task may go on."""

    def __await__(self) -> Generator[None, None, None]:
        yield


@dataclass
class Fates(Counters):
    """Shared counters whose calls take time before and after they count, and may be lost on the way."""

    draw: Any
    may_break: bool
    counters: MemoryCounters = field(default_factory=MemoryCounters)

    async def take(self, workspace: str, window: int, *, tokens: int, limits: Limits) -> Counts:
        return await self._through(lambda: self.counters.take(workspace, window, tokens=tokens, limits=limits))

    async def correct(self, workspace: str, window: int, *, tokens: int) -> Counts:
        return await self._through(lambda: self.counters.correct(workspace, window, tokens=tokens))

    async def _through(self, call: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        fate = self.draw(st.sampled_from(["lost before", "lost after", "fine", "fine"])) if self.may_break else "fine"
        await Turn()
        if fate == "lost before":
            raise AwsUnavailable("It never arrived.")
        result = await call()
        await Turn()
        if fate == "lost after":
            raise AwsTimeout("It was counted, and nobody heard of it.")
        return result

    @property
    def counted(self) -> Counts:
        return self.counters.windows.get(("acme", WINDOW), Counts())


@dataclass
class Play:
    """Warm functions that reserve and settle in whatever order, and the truth about what was used."""

    functions: list[SharedRateLimits]
    under_way: list[tuple[Coroutine[Any, Any, Any], SharedRateLimits]] = field(default_factory=list)
    admitted: list[tuple[Reservation, SharedRateLimits]] = field(default_factory=list)
    used: int = 0
    """Tokens: what was reserved, and once it is known what was used instead."""

    def reserve(self, function: SharedRateLimits, tokens: int, limits: Limits = LIMITS) -> None:
        self.under_way.append((function.reserve("acme", limits, tokens), function))

    def settle(self, place: int, tokens: int) -> None:
        reservation, function = self.admitted.pop(place)
        if not reservation.local:
            self.used += tokens - reservation.tokens
        self.under_way.append((function.settle(reservation, tokens), function))

    def go_on(self, place: int) -> None:
        task, function = self.under_way[place]
        try:
            task.send(None)
        except StopIteration as ended:
            self.under_way.pop(place)
            if ended.value:
                self.admitted.append((ended.value, function))
                self.used += 0 if ended.value.local else ended.value.tokens
        except AllowanceExhausted:
            self.under_way.pop(place)

    def come_to_rest(self) -> None:
        while self.under_way:
            self.go_on(0)

    def close(self) -> None:
        for task, _ in self.under_way:
            task.close()


@given(st.data(), st.sampled_from(["all goes well", "calls break"]), st.sampled_from([1, 2]))
def test_no_interleaving_and_no_failure_cheats_the_counter(data: Any, weather: str, most_used: int) -> None:
    """The counter never says less than what was used, and no admission takes it over the limit.

    `most_used` is how often its estimate a request may turn out to use.
    """
    fates = Fates(data.draw, may_break=weather == "calls break")
    now = [NOW]
    functions = [SharedRateLimits(fates, clock=lambda: now[0], on_fallback=lambda _: None) for _ in range(3)]
    with closing(Play(functions)) as play:
        go_through(play, fates, data, most_used)

        play.come_to_rest()
        fates.may_break, now[0] = False, NOW + PAUSE
        for function in functions:  # each writes what it still remembers
            play.reserve(function, 0, Limits(requests=10**9, tokens=10**9))
        play.come_to_rest()
        assert fates.counted.tokens >= play.used
        if weather == "all goes well":
            assert fates.counted.tokens == play.used


def go_through(play: Play, fates: Fates, data: Any, most_used: int) -> None:
    """Let functions reserve, settle and go on, and look at the counters after each step."""
    for _ in range(data.draw(st.integers(1, 40))):
        step = data.draw(st.sampled_from(["reserve", "settle", "go on", "go on"]))
        if step == "reserve":
            play.reserve(data.draw(st.sampled_from(play.functions)), data.draw(st.integers(0, LIMITS.tokens)))
        elif step == "settle" and play.admitted:
            place = data.draw(st.integers(0, len(play.admitted) - 1))
            estimate = play.admitted[place][0].tokens
            play.settle(place, data.draw(st.integers(0, estimate * most_used)))
        elif step == "go on" and play.under_way:
            play.go_on(data.draw(st.integers(0, len(play.under_way) - 1)))
        if most_used == 1:
            assert play.used <= fates.counted.tokens <= LIMITS.tokens
        assert fates.counted.requests <= LIMITS.requests
