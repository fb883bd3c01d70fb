"""Requests and tokens per minute: estimate before the call, reserve, settle after it.

The promise: in no clock minute (UTC) are more requests, or more reserved tokens, admitted than the limits say,
at any concurrency. A window is one such minute; it is counted in one place (see `stores/allowances.py`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.core.caller import Limits
from gateway.core.embedding import Input

WINDOW = 60
"""Seconds."""

BYTES_PER_TOKEN = 3
"""English has four to five UTF-8 bytes per token, code three to four, Chinese three: three errs on the safe side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """What was taken from a workspace's allowance, and what that left.

    `remaining_*` are after this request; `resets_in` is seconds until the window ends.
    `local` says that the shared counter could not be reached and this function's own fallback was used.
    """

    workspace: str
    window: int
    tokens: int
    limits: Limits
    remaining_requests: int
    remaining_tokens: int
    resets_in: float
    local: bool = False


def window_of(now: float) -> int:
    """The window of that Unix time: minutes since the epoch."""
    return int(now // WINDOW)


def seconds_left(now: float) -> float:
    """Seconds until the window of that Unix time ends: more than 0, at most 60."""
    return WINDOW - now % WINDOW


def retry_after(seconds: float) -> int:
    """Whole seconds for `Retry-After`: 1 to 60 (clients ignore longer waits, and 0 means "hammer")."""
    return min(max(math.ceil(seconds), 1), WINDOW)


def estimate_tokens(item: Input) -> int:
    """Tokens of one input: exact for token ids; for text from its UTF-8 bytes and its spaces, never 0."""
    if isinstance(item, str):
        # Words of one or two letters have fewer bytes than a token usually has.
        return max(1, -(-len(item.encode("utf-8", "surrogatepass")) // BYTES_PER_TOKEN), item.count(" "))
    return len(item)


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
