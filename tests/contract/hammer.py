"""One warm function among many that reserve at once.

    python -m tests.contract.hammer ENDPOINT KEY_ID SECRET TABLE SEED PLAY

It uses up minute after minute, as fast as it can. Prints, as JSON, `[account, window, reserved, used]` of every request
that it was admitted.
"""

import asyncio
import random
import sys
from contextlib import closing

import msgspec

from gateway.aws.dynamodb import DynamoDb
from gateway.aws.signing import Credentials
from gateway.core.caller import Caller, Limits, Workspace
from gateway.core.errors import AllowanceExhausted
from gateway.stores.minute_counters import TableCounters
from gateway.stores.rate_limits import SharedRateLimits
from tests.fakes.aws import make_aws
from tests.fakes.models import make_caller

REFUSALS = 4
"""After so many in a row, a function believes that nothing is left of a minute."""

Admitted = tuple[str, int, int, int]


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked in one workspace: requests that reserve `smallest` to `largest` tokens, each of them used `factor`
    times, or at random up to that.
    """

    workspace: str
    limits: Limits
    smallest: int
    largest: int
    factor: float = 1.0
    at_random: bool = False

    def used(self, reserved: int, dice: random.Random) -> int:
        """What a request turns out to use."""
        most = round(reserved * self.factor)
        return dice.randint(0, most) if self.at_random else most


class Play(msgspec.Struct, frozen=True):
    """What every function does: all loads, in every window, one after another."""

    loads: tuple[Load, ...]
    windows: tuple[int, ...]


class Function:
    """A warm function whose clock is set by hand."""

    def __init__(self, dynamodb: DynamoDb, table: str) -> None:
        self._window = 0
        self.rate_limits = SharedRateLimits(
            TableCounters(dynamodb, table=table), clock=lambda: self._window * 60.0 + 30, on_fallback=sys.exit
        )

    async def use_up(self, window: int, loads: tuple[Load, ...], dice: random.Random) -> list[Admitted]:
        """Reserve and settle in every workspace, in turn, until nothing is left of that minute."""
        self._window = window
        admitted: list[Admitted] = []
        refusals = dict.fromkeys(loads, 0)
        while asked := [load for load in loads if refusals[load] < REFUSALS]:
            for load in asked:
                try:
                    admitted.append(await self._request(load, dice))
                    refusals[load] = 0
                except AllowanceExhausted:
                    refusals[load] += 1
        return admitted

    async def _request(self, load: Load, dice: random.Random) -> Admitted:
        reserved = dice.randint(load.smallest, load.largest)
        reservation = await self.rate_limits.reserve(_caller(load), reserved)
        used = load.used(reserved, dice)
        self.rate_limits.settle(reservation, used)()
        return load.workspace, self._window, reserved, used


def _caller(load: Load) -> Caller:
    return make_caller(workspace=Workspace(name=load.workspace, limits=load.limits))


async def hammer(function: Function, play: Play, dice: random.Random) -> list[Admitted]:
    """Go through the whole play."""
    loads = tuple(dice.sample(play.loads, len(play.loads)))
    return [admitted for window in play.windows for admitted in await function.use_up(window, loads, dice)]


def main() -> None:
    endpoint, key_id, secret, table, seed, play = sys.argv[1:]
    with closing(make_aws(endpoint, credentials=lambda: Credentials(key_id, secret))) as aws:
        function = Function(DynamoDb(aws, timeout=30), table)
        admitted = asyncio.run(hammer(function, msgspec.json.decode(play, type=Play), random.Random(seed)))
    sys.stdout.buffer.write(msgspec.json.encode(admitted))


if __name__ == "__main__":
    main()
