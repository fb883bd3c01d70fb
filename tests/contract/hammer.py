"""One warm function among many that reserve at once: `python hammer.py ENDPOINT KEY_ID SECRET TABLE SEED`.

Prints, as JSON, `[workspace, window, reserved, used]` of every request it was admitted.
"""

import asyncio
import json
import random
import sys
from contextlib import closing

from gateway.aws.dynamodb import DynamoDb
from gateway.aws.signing import Credentials
from gateway.core.caller import Limits
from gateway.core.errors import AllowanceExhausted
from gateway.stores.rate_limits import SharedRateLimits, TableCounters
from tests.fakes.aws import make_aws

WINDOWS = (1_000, 1_001)
ENOUGH = 1_000_000
LIMITS = {
    "by-requests": Limits(requests=40, tokens=ENOUGH),
    "by-tokens": Limits(requests=ENOUGH, tokens=2_000),
    "settling": Limits(requests=ENOUGH, tokens=2_000),
}
LARGEST = 100
"""Tokens of a request of `settling`; the other workspaces always ask for `EVEN`."""
EVEN = 50
REFUSALS = 4
"""After so many in a row, a function believes that nothing is left."""

Admitted = tuple[str, int, int, int]


async def hammer(allowances: dict[int, SharedRateLimits], seed: int) -> list[Admitted]:
    """Reserve in every workspace and window, several at a time, until nothing is left."""
    dice = random.Random(seed)
    admitted: list[Admitted] = []
    asked = [(workspace, window) for workspace in LIMITS for window in WINDOWS]
    dice.shuffle(asked)
    await asyncio.gather(
        *(_drain(allowances[window], workspace, window, dice, admitted) for workspace, window in asked)
    )
    return admitted


async def _drain(
    allowances: SharedRateLimits, workspace: str, window: int, dice: random.Random, admitted: list[Admitted]
) -> None:
    refusals = 0
    while refusals < REFUSALS:
        tokens = dice.randint(1, LARGEST) if workspace == "settling" else EVEN
        try:
            reservation = await allowances.reserve(workspace, LIMITS[workspace], tokens)
        except AllowanceExhausted:
            refusals += 1
            continue
        if reservation.local:
            sys.exit("DynamoDB could not be asked.")
        used = dice.randint(0, tokens) if workspace == "settling" else tokens
        await allowances.settle(reservation, used)
        admitted.append((workspace, window, tokens, used))
        refusals = 0


def _allowances(dynamodb: DynamoDb, table: str, window: int) -> SharedRateLimits:
    counters = TableCounters(dynamodb, table=table)
    return SharedRateLimits(counters, clock=lambda: window * 60.0 + 30, on_fallback=print)


def main() -> None:
    endpoint, key_id, secret, table, seed = sys.argv[1:]
    with closing(make_aws(endpoint, credentials=lambda: Credentials(key_id, secret))) as aws:
        dynamodb = DynamoDb(aws, timeout=30)
        allowances = {window: _allowances(dynamodb, table, window) for window in WINDOWS}
        json.dump(asyncio.run(hammer(allowances, int(seed))), sys.stdout)


if __name__ == "__main__":
    main()
