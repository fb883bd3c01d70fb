"""How long to wait for a store that may fail, and when not to ask it at all.

A slow store is worse than a dead one: each request would pay for it.
"""

from collections.abc import Callable
from typing import Final

OVER_USUAL: Final = 0.05
"""Seconds beyond the usual after which a call is given up."""
FIRST_GUESS: Final = 0.45
"""The first value of the average, in seconds: a cold function's first call to AWS is slow."""
MAX_USUAL: Final = 0.2
"""Seconds: what takes longer never becomes usual."""
WEIGHT: Final = 0.2
"""Weight of the newest call in the average."""

FAILURES_IN_A_ROW: Final = 3
PAUSE: Final = 5.0
"""Seconds for which a store that failed so often is not asked."""


class AdaptiveTimeout:
    """The usual latency of a store, an exponentially weighted average in seconds, and what is too much."""

    def __init__(self, over_usual: float = OVER_USUAL) -> None:
        self.usual = FIRST_GUESS
        self._over_usual = over_usual

    @property
    def limit(self) -> float:
        """Seconds after which to give up."""
        return self.usual + self._over_usual

    def saw(self, seconds: float) -> None:
        """Take a call into account; one that was given up counts with the time it was given."""
        self.usual = min(self.usual + WEIGHT * (seconds - self.usual), MAX_USUAL)


class CircuitBreaker:
    """Open after `FAILURES_IN_A_ROW`, for `PAUSE` seconds; then one failure more opens it again."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures = 0
        self._open_until = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the store should be left alone."""
        return self._clock() < self._open_until

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self) -> None:
        self._failures += 1
        if self._failures >= FAILURES_IN_A_ROW:
            self._open_until = self._clock() + PAUSE
