"""Functions that reserve and settle in any order, over counters whose calls get lost: nobody cheats the counter."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from gateway.aws.dynamodb import DynamoDb
from gateway.core.caller import Limits, Workspace
from gateway.core.errors import AllowanceExhausted
from gateway.core.ports import PendingWrite
from gateway.core.rate_limit import REQUESTS_PER_SHARD, Reservation, apportion, part_of, shards_of
from gateway.stores.circuit_breaker import PAUSE
from gateway.stores.minute_counters import TableCounters
from gateway.stores.rate_limits import SharedRateLimits
from tests.fakes.models import make_caller
from tests.fakes.table_of_minutes import TableOfMinutes, all_well

NOW = 60_000.0 + 15
"""In the minute 40 of an hour."""
FUNCTIONS = 3
ONE_SHARD = Limits(requests=6, tokens=100)
THREE_SHARDS = Limits(requests=3 * REQUESTS_PER_SHARD - 1, tokens=200)
UNLIMITED = Limits(requests=REQUESTS_PER_SHARD, tokens=10**9)

Place = tuple[int, int]
"""A shard and a minute."""


@dataclass
class Play:
    """Warm functions that reserve, settle and finish in whatever order, and the truth about what was used."""

    draw: Any
    limits: Limits
    table: TableOfMinutes
    now: float = NOW
    pending: list[PendingWrite] = field(default_factory=list)
    admitted: list[tuple[Reservation, SharedRateLimits]] = field(default_factory=list)
    used: Counter[Place] = field(default_factory=Counter)
    """Tokens: what was reserved, and once it is known what was used instead."""

    def __post_init__(self) -> None:
        self.functions = [self._function() for _ in range(FUNCTIONS)]

    def _function(self) -> SharedRateLimits:
        counters = TableCounters(cast("DynamoDb", self.table), table="t")  # it is one as far as it is used
        return SharedRateLimits(
            counters,
            clock=lambda: self.now,
            on_fallback=lambda _: None,
            choose=lambda below: self.draw(st.integers(0, below - 1)),
        )

    async def reserve(self, function: SharedRateLimits, tokens: int, limits: Limits) -> None:
        try:
            reservation = await function.reserve(make_caller(workspace=Workspace(name="acme", limits=limits)), tokens)
        except AllowanceExhausted:
            return
        self.admitted.append((reservation, function))
        self._use(reservation, [share.tokens for share in reservation.shares])

    def settle(self, place: int, tokens: int) -> None:
        reservation, function = self.admitted.pop(place)
        reserved = [share.tokens for share in reservation.shares]
        used = apportion(tokens, reserved)
        self._use(reservation, [after - before for after, before in zip(used, reserved, strict=True)])
        self.pending.append(function.settle(reservation, tokens))

    def finish(self, place: int) -> None:
        self.pending.pop(place)()

    async def come_to_rest(self) -> None:
        """Every write arrives, and every function sends again what it still has to."""
        while self.pending:
            self.finish(0)
        self.table.fate = all_well
        self.now += PAUSE
        for function in self.functions:
            await self.reserve(function, 0, UNLIMITED)
        self.table.come_to_rest()

    def _use(self, reservation: Reservation, tokens: list[int]) -> None:
        if not reservation.local:
            minute = reservation.window % 60
            for share, used in zip(reservation.shares, tokens, strict=True):
                self.used[share.shard, minute] += used


@given(st.data(), st.sampled_from([ONE_SHARD, THREE_SHARDS]), st.sampled_from([1, 2, 5]))
async def test_every_minute_counts_what_was_used_and_what_the_minute_before_had_too_much(
    data: Any, limits: Limits, most_used: int
) -> None:
    """To the last token, however many functions write in whatever order.

    `most_used` is how often its estimate a request may turn out to use.
    """
    play = Play(data.draw, limits, TableOfMinutes())
    await go_through(play, most_used)
    await play.come_to_rest()

    counted, right = play.table.tokens(), as_it_should_be(play)
    for place in counted | right:
        assert counted.get(place, 0) == right.get(place, 0)


@given(st.data(), st.sampled_from([ONE_SHARD, THREE_SHARDS]))
async def test_no_failure_cheats_the_counter(data: Any, limits: Limits) -> None:
    """It never says less than what was used, and every correction is counted once."""
    fates = st.sampled_from(["fine", "fine", "fine", "not sent", "lost before", "lost after", "late"])
    play = Play(data.draw, limits, TableOfMinutes(fate=lambda _: data.draw(fates)))
    await go_through(play, most_used=1)
    await play.come_to_rest()

    counted = play.table.tokens()
    for place, used in play.used.items():
        assert counted[place] >= used


def as_it_should_be(play: Play) -> dict[Place, int]:
    """What was used, and the debt of the minute before."""
    counted = dict(play.used)
    for shard in range(shards_of(play.limits)):
        limit = part_of(play.limits, shard).tokens
        minute = 40
        while (shard, minute) in counted or counted.get((shard, minute - 1), 0) > limit or minute < 45:
            debt = max(0, counted.get((shard, minute - 1), 0) - limit)
            if debt or (shard, minute) in counted:
                counted[shard, minute] = counted.get((shard, minute), 0) + debt
            minute += 1
    return counted


async def go_through(play: Play, most_used: int) -> None:
    """Let functions reserve, settle and finish over some minutes, and look at the counters after each step."""
    for _ in range(play.draw(st.integers(1, 40))):
        step = play.draw(st.sampled_from(["reserve", "reserve", "settle", "settle", "finish", "finish", "wait"]))
        if step == "reserve":
            function = play.draw(st.sampled_from(play.functions))
            await play.reserve(function, play.draw(st.integers(0, play.limits.tokens)), play.limits)
        elif step == "settle" and play.admitted:
            place = play.draw(st.integers(0, len(play.admitted) - 1))
            estimate = play.admitted[place][0].tokens
            play.settle(place, play.draw(st.integers(0, estimate * most_used)))
        elif step == "finish" and play.pending:
            play.finish(play.draw(st.integers(0, len(play.pending) - 1)))
        elif step == "wait" and play.now < NOW + 180:
            play.now += 20
        check_limits(play, most_used)


def check_limits(play: Play, most_used: int) -> None:
    for (shard, _), requests in play.table.requests().items():
        assert requests <= part_of(play.limits, shard).requests
    if most_used == 1:
        for (shard, _), tokens in play.table.tokens().items():
            assert 0 <= tokens <= part_of(play.limits, shard).tokens
