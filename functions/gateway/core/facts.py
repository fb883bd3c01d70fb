"""What a request did: the source of its log line, its metrics and its informative headers."""

import msgspec

from gateway.core.rate_limit import Reservation


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Facts of one request, or of a part of it; `None` is not known (yet). Never a key, never a text.

    Parts add up with `+`: numbers are summed, and of names and allowances the later one counts.
    """

    model: str | None = None
    route: str | None = None
    inputs: int = 0
    hits: int = 0
    """Inputs of an admitted request whose vector came from the cache."""
    misses: int = 0
    """Inputs of an admitted request whose vector did not."""
    input_tokens: int = 0
    """Tokens of all inputs."""
    billed_tokens: int = 0
    """Tokens that a vendor was paid for."""
    estimated: bool = False
    """Whether a vendor gave no count of its own."""
    upstream_calls: int = 0
    upstream_time: float = 0.0
    """Seconds spent waiting for providers; calls side by side count once."""
    allowance: Reservation | None = None
    """What was taken from the allowance, and what that left."""

    def __add__(self, other: "Facts") -> "Facts":
        return Facts(
            model=other.model or self.model,
            route=other.route or self.route,
            inputs=self.inputs + other.inputs,
            hits=self.hits + other.hits,
            misses=self.misses + other.misses,
            input_tokens=self.input_tokens + other.input_tokens,
            billed_tokens=self.billed_tokens + other.billed_tokens,
            estimated=self.estimated or other.estimated,
            upstream_calls=self.upstream_calls + other.upstream_calls,
            upstream_time=self.upstream_time + other.upstream_time,
            allowance=other.allowance or self.allowance,
        )


NOTHING_DONE = Facts()
