"""A workspace whose limits are beyond what one item takes: counted in several, and admitted no more and no less."""

import random
from dataclasses import dataclass, field

import pytest

from gateway.aws.errors import AwsUnavailable
from gateway.core.caller import Caller, Limits, Workspace
from gateway.core.errors import AllowanceExhausted
from gateway.core.rate_limit import Reservation, part_of
from gateway.stores.minute_counters import Counts, Minute, PendingCounts, Write
from gateway.stores.rate_limits import SharedRateLimits
from tests.fakes.models import make_caller
from tests.fakes.stores import MemoryCounters

WINDOW = 1000
REFUSALS = 20
"""After so many in a row, a function believes that nothing is left."""


@dataclass
class Stage:
    """Counters of some shards, one of which may be down, and the writes that were sent."""

    counters: MemoryCounters = field(default_factory=MemoryCounters)
    down: int | None = None
    writes: list[Write] = field(default_factory=list)

    def begin(self, write: Write) -> PendingCounts:
        if write.minute.shard == self.down:
            raise AwsUnavailable("down")
        self.writes.append(write)
        return self.counters.begin(write)

    def function(self, seed: int = 0) -> SharedRateLimits:
        choose = random.Random(seed).randrange
        return SharedRateLimits(self, clock=lambda: WINDOW * 60.0, on_fallback=lambda _: None, choose=choose)


def acme(requests: int, tokens: int = 10**9) -> Caller:
    return make_caller(workspace=Workspace(name="acme", limits=Limits(requests=requests, tokens=tokens)))


async def use_up(functions: list[SharedRateLimits], caller: Caller, tokens: int) -> list[Reservation]:
    """What functions are admitted that reserve in turn until all are refused."""
    admitted: list[Reservation] = []
    refusals = dict.fromkeys(functions, 0)
    while asking := [function for function in functions if refusals[function] < REFUSALS]:
        for function in asking:
            try:
                admitted.append(await function.reserve(caller, tokens))
                refusals[function] = 0
            except AllowanceExhausted:
                refusals[function] += 1
    return admitted


@pytest.mark.parametrize("functions", [1, 2, 7, 30])
async def test_all_requests_of_the_limit_are_admitted_and_none_more(functions: int) -> None:
    stage = Stage()

    admitted = await use_up([stage.function(seed) for seed in range(functions)], acme(25_000), 1)

    assert len(admitted) == 25_000
    assert stage.counters.sum(WINDOW) == Counts(requests=25_000, tokens=25_000)


@pytest.mark.parametrize(
    ("tokens", "at_least"), [(7, 940), (100, 700), (250, 500), (333, 600), (500, 500), (1000, 1000)]
)
async def test_no_more_tokens_are_admitted_than_the_limit_and_hardly_fewer(tokens: int, at_least: int) -> None:
    """Also to requests that are larger than one shard's part, up to the whole; of those not every last one may fit."""
    stage = Stage()

    admitted = await use_up([stage.function(seed) for seed in range(5)], acme(100_000, 1_000), tokens)

    used = len(admitted) * tokens
    assert stage.counters.sum(WINDOW) == Counts(requests=len(admitted), tokens=used)
    assert at_least <= used <= 1_000


async def test_a_function_keeps_to_its_shard_until_that_refuses_and_tries_one_other_then() -> None:
    stage = Stage()
    function, caller = stage.function(), acme(30_000, 3_000)
    first = (await function.reserve(caller, 1)).shares[0].shard
    stage.writes.clear()
    stage.counters.minutes[Minute("acme", first, WINDOW)] = Counts(1, part_of(caller.workspace.limits, first).tokens)

    again = [await function.reserve(caller, 1) for _ in range(2)]

    ((second,), (third,)) = (reservation.shares for reservation in again)
    assert second.shard == third.shard != first
    assert [write.minute.shard for write in stage.writes] == [first, second.shard, second.shard]


async def test_a_refusal_is_two_writes_at_most() -> None:
    stage = Stage()
    for shard in range(3):
        stage.counters.minutes[Minute("acme", shard, WINDOW)] = Counts(1, 1000)

    with pytest.raises(AllowanceExhausted) as caught:
        await stage.function().reserve(acme(30_000, 3_000), 1)

    assert len(stage.writes) == 2
    left = caught.value.facts.allowance
    assert left
    assert (left.limits.tokens, left.remaining_tokens) == (3_000, 0)


async def test_what_is_left_is_told_as_if_all_shards_were_like_this_one() -> None:
    function, caller = Stage().function(), acme(30_000, 3_000)

    reservation = await function.reserve(caller, 100)

    assert (reservation.remaining_requests, reservation.remaining_tokens) == (3 * 9_999, 3 * 900)


async def test_a_large_request_whose_second_shard_refuses_leaves_nothing_behind() -> None:
    stage = Stage()
    stage.counters.minutes[Minute("acme", 1, WINDOW)] = Counts(5, 990)
    before = dict(stage.counters.minutes)

    with pytest.raises(AllowanceExhausted):
        await stage.function().reserve(acme(30_000, 3_000), 2_900)

    assert {at: counts for at, counts in stage.counters.minutes.items() if counts != Counts()} == before


async def test_a_large_request_is_settled_in_all_its_shards() -> None:
    stage = Stage()
    function = stage.function()
    reservation = await function.reserve(acme(30_000, 3_000), 3_000)

    function.settle(reservation, 600)()

    assert stage.counters.sum(WINDOW) == Counts(requests=1, tokens=600)
    assert len(reservation.shares) == 3


async def test_a_large_request_one_of_whose_shards_cannot_be_asked_is_counted_by_the_function_alone() -> None:
    stage = Stage(down=1)

    reservation = await stage.function().reserve(acme(30_000, 30_000), 2_900 * 10 // 10)

    assert not reservation.local or stage.counters.sum(WINDOW) == Counts()
