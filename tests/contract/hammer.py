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
from gateway.core.ports import PendingWrite
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
MAX_PENDING = 3
"""Corrections under way at once."""
REFUSALS = 4
"""After so many in a row, a function believes that nothing is left."""

Admitted = tuple[str, int, int, int]


async def hammer(allowances: dict[int, SharedRateLimits], seed: int) -> list[Admitted]:
    """Reserve in every workspace and window, in turn, until nothing is left."""
    dice = random.Random(seed)
    admitted: list[Admitted] = []
    asked = [(workspace, window) for workspace in LIMITS for window in WINDOWS]
    dice.shuffle(asked)
    pending: list[PendingWrite] = []
    refusals = dict.fromkeys(asked, 0)
    while asked := [drain for drain in asked if refusals[drain] < REFUSALS]:
        for workspace, window in asked:
            try:
                admitted.append(await _request(allowances[window], workspace, window, dice, pending))
                refusals[workspace, window] = 0
            except AllowanceExhausted:
                refusals[workspace, window] += 1
    _finish(pending, 0)
    return admitted


async def _request(
    allowances: SharedRateLimits, workspace: str, window: int, dice: random.Random, pending: list[PendingWrite]
) -> Admitted:
    """Reserve and settle; what is written at once overlaps the requests that follow, as it overlaps rendering."""
    tokens = dice.randint(1, LARGEST) if workspace == "settling" else EVEN
    reservation = await allowances.reserve(workspace, LIMITS[workspace], tokens)
    if reservation.local:
        sys.exit("DynamoDB could not be asked.")
    used = dice.randint(0, tokens) if workspace == "settling" else tokens
    pending.append(allowances.settle(reservation, used))
    _finish(pending, MAX_PENDING)
    return workspace, window, tokens, used


def _finish(pending: list[PendingWrite], left: int) -> None:
    while len(pending) > left:
        pending.pop(0)()


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
