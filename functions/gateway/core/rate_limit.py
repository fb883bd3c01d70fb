"""Requests and tokens per minute: estimate before the call, reserve, settle after it.

While DynamoDB answers, a clock minute (UTC) admits no more requests or reserved tokens than the limits, at any
concurrency. A window is one such minute; it is counted in one place (see `stores/rate_limits.py`).
"""

import math
import re
import string
from collections.abc import Sequence

import msgspec

from gateway.core.caller import Limits
from gateway.core.embedding import Input

WINDOW = 60
"""Seconds."""

BYTES_PER_TOKEN = 3
"""Of letters, digits and spaces: English has four to five of them per token, code three to four."""

BYTES_PER_FOREIGN_TOKEN = 2
"""Of everything beyond ASCII, in UTF-8: Cyrillic has two to four bytes per token, Chinese two to three."""

MARKERS = 2
"""Tokens that models put around each input."""

ESTIMATE_MARGIN = 2
"""An estimate is seldom above twice the vendor's count, so one above twice a limit is refused."""

_PLAIN = b" \t\n\r" + (string.ascii_letters + string.digits).encode()
_FOREIGN = bytes(range(128, 256))
_PLAIN_WORDS = re.compile(r"(?:^|\s)[A-Za-z0-9]")


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
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
    """Whole seconds for `Retry-After`: 1 to 60 (clients ignore longer waits, and 0 means no wait)."""
    return math.ceil(min(max(1, seconds), WINDOW))  # in this order NaN is 1, and infinity has no ceiling


def estimate_tokens(item: Input) -> int:
    """Tokens of one input: exact for token ids; for text a guess on the high side, from what its bytes are."""
    return _estimate_text(item.encode("utf-8", "surrogatepass")) if isinstance(item, str) else len(item)


def _estimate_text(text: bytes) -> int:
    special = text.translate(None, _PLAIN)
    signs = len(special.translate(None, _FOREIGN))  # each may be a token of its own
    words = text.count(b" ") - text.count(b"  ")  # short ones have fewer bytes than a token usually has
    # -(-a // b) is a / b, rounded up.
    plain = max(-((len(special) - len(text)) // BYTES_PER_TOKEN), words)
    return MARKERS + plain + signs - ((signs - len(special)) // BYTES_PER_FOREIGN_TOKEN)


def least_tokens(item: Input) -> int:
    """Tokens an input has for certain: no vocabulary joins plain words that white space parts."""
    return len(_PLAIN_WORDS.findall(item)) if isinstance(item, str) else len(item)


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
