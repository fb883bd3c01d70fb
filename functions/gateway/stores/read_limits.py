"""Requests per workspace and minute that embed nothing, such as lists of models, counted by each function for itself.

They cost no vendor anything and next to nothing here, so no counter is shared: what is bounded is how long one
workspace can keep one function busy with them.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

from gateway.core.errors import AllowanceExhausted
from gateway.core.rate_limit import seconds_left, window_of

MOST: Final = 600
"""Per workspace, minute and function: ten a second."""


class OwnReadLimits:
    """The port `ReadLimits`; `clock` is Unix time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._window = 0
        self._taken: Counter[str] = Counter()
        """By workspace, in the current window."""

    def take(self, workspace: str) -> None:
        """Count one; raises `AllowanceExhausted`."""
        now = self._clock()
        if window_of(now) != self._window:
            self._window = window_of(now)
            self._taken.clear()
        if self._taken[workspace] >= MOST:
            raise AllowanceExhausted(
                f"The workspace has asked for models too often this minute: more than {MOST} times of one function.",
                retry_after=seconds_left(now),
                limited_by="requests",
            )
        self._taken[workspace] += 1
