"""Requests and tokens per minute: whose they are, and how they are divided over the places where they are counted.

While DynamoDB answers, a clock minute (UTC) admits no more requests or reserved tokens than the limits, at any
concurrency. What turns out to have been used beyond the limit is taken from the minutes that follow.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from gateway.core.caller import Caller, Limits

WINDOW = 60
"""Seconds."""

REQUESTS_PER_SHARD = 12_000
"""Requests per minute that one item counts: 200 a second, of two writes each, where DynamoDB takes 1,000."""

MAX_SHARDS = 128
"""Enough for 1,536,000 requests per minute."""


class Account(NamedTuple):
    """Whose requests and tokens are counted together. `owner` is `workspace` or `key`, as a refusal names it."""

    name: str
    limits: Limits
    owner: str = "workspace"


class Share(NamedTuple):
    """What a request takes from one shard of an account; `limits` are that shard's part of the account's.

    `requests` is 1 in the first share of a request, and 0 in others.
    """

    account: str
    shard: int
    requests: int
    tokens: int
    limits: Limits


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    """What was taken from a caller's allowance, and what that left.

    `limits` and `remaining_*` are the tighter ones where a key has limits of its own; `remaining_*` are after this
    request. `resets_in` is seconds until the window ends. `local` says that the shared counters could not be reached
    and this function's own count decided.
    """

    window: int
    tokens: int
    limits: Limits
    remaining_requests: int
    remaining_tokens: int
    resets_in: float
    shares: tuple[Share, ...] = ()
    local: bool = False


def accounts_of(caller: Caller) -> tuple[Account, ...]:
    """Everything that a caller's request is counted in: the workspace, and before it a key with limits of its own."""
    workspace = Account(caller.workspace.name, caller.workspace.limits)
    if caller.limits is None:
        return (workspace,)
    # No name of a workspace has a dot.
    return Account(f"{workspace.name}.{caller.key_id}", caller.limits, "key"), workspace


def shards_of(limits: Limits) -> int:
    """In how many shards an account with these limits is counted."""
    return min(max(1, math.ceil(limits.requests / REQUESTS_PER_SHARD)), MAX_SHARDS)


def part_of(limits: Limits, shard: int) -> Limits:
    """What one shard may admit; the parts of all shards add up to the limits."""
    shards = shards_of(limits)
    return Limits(requests=_part(limits.requests, shard, shards), tokens=_part(limits.tokens, shard, shards))


def shares_of(account: Account, tokens: int, first: int) -> tuple[Share, ...]:
    """Where to count a request of so many tokens, beginning with the shard `first`.

    One shard, unless the request needs more than half of its part: then it is spread, so that it is admitted although
    others have used some of each.
    """
    shards = shards_of(account.limits)
    if shards == 1:
        return (Share(account.name, 0, 1, tokens, account.limits),)
    places = [(first + step) % shards for step in range(_spread(tokens, account.limits.tokens // shards // 2, shards))]
    parts = [part_of(account.limits, shard) for shard in places]
    taken = apportion(tokens, [part.tokens for part in parts])
    return tuple(
        Share(account.name, shard, int(shard == first), part, limits)
        for shard, part, limits in zip(places, taken, parts, strict=True)
    )


def excess_after(change: int, count: int, limit: int) -> int:
    """By how much a counter's excess over its limit grew (or shrank) when a change took it to `count`."""
    return max(0, count - limit) - max(0, count - change - limit)


def window_of(now: float) -> int:
    """The window of that Unix time: minutes since the epoch."""
    return int(now // WINDOW)


def seconds_left(now: float) -> float:
    """Seconds until the window of that Unix time ends: more than 0, at most 60."""
    return WINDOW - now % WINDOW


def retry_after(seconds: float) -> int:
    """Whole seconds for `Retry-After`: 1 to 60 (clients ignore longer waits, and 0 means no wait)."""
    return math.ceil(min(max(1, seconds), WINDOW))  # in this order NaN is 1, and infinity has no ceiling


def apportion(total: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Split a vendor's total over the inputs of a call in proportion to their estimates; the parts add up to it."""
    whole = sum(weights)
    if not whole:
        return (total, *[0] * (len(weights) - 1)) if weights else ()
    parts, given, weighed = [], 0, 0
    for weight in weights:
        weighed += weight
        upto = total * weighed // whole
        parts.append(upto - given)
        given = upto
    return tuple(parts)


def _spread(tokens: int, half: int, shards: int) -> int:
    """Over how many shards to spread a request, so that it takes no more than half of each part if that can be."""
    if not tokens:
        return 1
    return min(shards, math.ceil(tokens / half)) if half else shards


def _part(limit: int, shard: int, shards: int) -> int:
    return limit * (shard + 1) // shards - limit * shard // shards
