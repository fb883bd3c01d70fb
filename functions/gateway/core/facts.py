"""What one request did, noted as it happens: the source of its log line, its metrics and its informative headers."""

from collections.abc import Awaitable

import msgspec

from gateway.core.caller import Caller
from gateway.core.rate_limit import Reservation


class Record(msgspec.Struct, kw_only=True):
    """Facts of one request; `None` is not known (yet). Times are seconds. Never a key, never a text."""

    request_id: str
    caller: Caller | None = None
    model: str | None = None
    route: str | None = None
    inputs: int = 0
    hits: int = 0
    misses: int = 0
    """Inputs the cache was asked for and did not know."""
    tokens: int = 0
    billed_tokens: int = 0
    estimated: bool = False
    """Whether a vendor gave no count of its own."""
    upstream_calls: int = 0
    upstream_time: float = 0.0
    allowance: Reservation | None = None
    error: str | None = None
    unfinished: list[Awaitable[None]] = []
    """What is under way while the answer is made, and has to end before it goes out."""
