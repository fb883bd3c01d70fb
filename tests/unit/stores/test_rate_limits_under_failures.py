"""Functions that reserve and settle in any order, over counters whose calls get lost: nobody cheats the counter."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.aws.errors import AwsTimeout, AwsUnavailable
from gateway.core.caller import Limits
from gateway.core.errors import AllowanceExhausted
from gateway.core.ports import PendingWrite
from gateway.core.rate_limit import Reservation
from gateway.stores.circuit_breaker import PAUSE
from gateway.stores.rate_limits import Counts, PendingCounts, SharedRateLimits
from tests.fakes.stores import MemoryCounters

LIMITS = Limits(requests=6, tokens=100)
NOW = 60_000.0 + 15
WINDOW = 1000


@dataclass
class Fates:
    """Shared counters whose calls may be lost on the way there or back, or be carried out late."""

    draw: Any
    may_break: bool
    counters: MemoryCounters = field(default_factory=MemoryCounters)
    late: list[Callable[[], PendingCounts]] = field(default_factory=list)
    """Corrections that nobody waits for any more, and that will be carried out all the same."""

    def take(self, workspace: str, window: int, *, tokens: int, limits: Limits) -> Counts:
        fate = self._fate("lost before", "lost after")
        if fate == "lost before":
            raise AwsUnavailable("It never arrived.")
        counts = self.counters.take(workspace, window, tokens=tokens, limits=limits)
        if fate == "lost after":
            raise AwsTimeout("It was counted, and nobody heard of it.")
        return counts

    def begin_correct(self, workspace: str, window: int, *, tokens: int) -> PendingCounts:
        fate = self._fate("not sent", "lost before", "lost after", "late")
        if fate == "not sent":
            raise AwsUnavailable("There was no connection.")
        is_counted_at_once = self.draw(st.booleans())

        def count() -> PendingCounts:
            return self.counters.begin_correct(workspace, window, tokens=tokens)

        counted = count() if is_counted_at_once and fate in {"fine", "lost after"} else None
        return Sent(self, fate, counted, count)

    def come_to_rest(self) -> None:
        while self.late:
            self.late.pop()()

    @property
    def counted(self) -> Counts:
        return self.counters.windows.get(("acme", WINDOW), Counts())

    def _fate(self, *mishaps: str) -> str:
        fate: str = self.draw(st.sampled_from(["fine"] * len(mishaps) + [*mishaps])) if self.may_break else "fine"
        return fate


@dataclass
class Sent:
    """A correction that was sent; it is counted at some moment before its reply is read, or as its fate is."""

    fates: Fates
    fate: str
    counted: PendingCounts | None
    count: Callable[[], PendingCounts]

    def finish(self) -> Counts:
        if self.fate == "late":
            self.fates.late.append(self.count)
            raise AwsTimeout("It is still on its way.")
        if self.fate == "lost before":
            raise AwsUnavailable("It never arrived.")
        counts = (self.counted or self.count()).finish()
        if self.fate == "lost after":
            raise AwsTimeout("It was counted, and nobody heard of it.")
        return counts


@dataclass
class Play:
    """Warm functions that reserve, settle and finish in whatever order, and the truth about what was used."""

    functions: list[SharedRateLimits]
    pending: list[PendingWrite] = field(default_factory=list)
    admitted: list[tuple[Reservation, SharedRateLimits]] = field(default_factory=list)
    used: int = 0
    """Tokens: what was reserved, and once it is known what was used instead."""

    async def reserve(self, function: SharedRateLimits, tokens: int, limits: Limits = LIMITS) -> None:
        try:
            reservation = await function.reserve("acme", limits, tokens)
        except AllowanceExhausted:
            return
        self.admitted.append((reservation, function))
        self.used += 0 if reservation.local else tokens

    def settle(self, place: int, tokens: int) -> None:
        reservation, function = self.admitted.pop(place)
        if not reservation.local:
            self.used += tokens - reservation.tokens
        self.pending.append(function.settle(reservation, tokens))

    def finish(self, place: int) -> None:
        self.pending.pop(place)()

    def come_to_rest(self) -> None:
        while self.pending:
            self.finish(0)


@given(st.data(), st.sampled_from(["all goes well", "calls break"]), st.sampled_from([1, 2]))
async def test_no_order_and_no_failure_cheats_the_counter(data: Any, weather: str, most_used: int) -> None:
    """The counter never says less than what was used, and no admission takes it over the limit.

    `most_used` is how often its estimate a request may turn out to use.
    """
    fates = Fates(data.draw, may_break=weather == "calls break")
    now = [NOW]
    functions = [SharedRateLimits(fates, clock=lambda: now[0], on_fallback=lambda _: None) for _ in range(3)]
    play = Play(functions)
    await go_through(play, fates, data, most_used)

    play.come_to_rest()
    fates.come_to_rest()
    fates.may_break, now[0] = False, NOW + PAUSE
    for function in functions:  # each writes what it still remembers
        await play.reserve(function, 0, Limits(requests=10**9, tokens=10**9))
    assert fates.counted.tokens >= play.used
    if weather == "all goes well":
        assert fates.counted.tokens == play.used


async def go_through(play: Play, fates: Fates, data: Any, most_used: int) -> None:
    """Let functions reserve, settle and finish, and look at the counters after each step."""
    for _ in range(data.draw(st.integers(1, 40))):
        step = data.draw(st.sampled_from(["reserve", "settle", "finish"]))
        if step == "reserve":
            await play.reserve(data.draw(st.sampled_from(play.functions)), data.draw(st.integers(0, LIMITS.tokens)))
        elif step == "settle" and play.admitted:
            place = data.draw(st.integers(0, len(play.admitted) - 1))
            estimate = play.admitted[place][0].tokens
            play.settle(place, data.draw(st.integers(0, estimate * most_used)))
        elif step == "finish" and play.pending:
            play.finish(data.draw(st.integers(0, len(play.pending) - 1)))
        if most_used == 1:
            assert play.used <= fates.counted.tokens <= LIMITS.tokens
        assert fates.counted.requests <= LIMITS.requests
