"""Corrections of what was counted, and what they change in the minutes that follow."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

from gateway.aws.errors import AwsError, AwsRefused
from gateway.core.ports import PendingWrite
from gateway.core.rate_limit import Share, excess_after
from gateway.stores.circuit_breaker import CircuitBreaker
from gateway.stores.minute_counters import Counters, Counts, Minute, PendingCounts, Write

MAX_CARRIED_WINDOWS: Final = 60
"""Minutes from which one excess is taken."""


class Settlements:
    """Writes corrections. One that may not have been counted is sent again, at once and before the next request."""

    def __init__(self, counters: Counters, breaker: CircuitBreaker, on_unsettled: Callable[[], None]) -> None:
        self._counters = counters
        self._breaker = breaker
        self._on_unsettled = on_unsettled
        self._undone: list[_Settlement] = []

    def begin(self, share: Share, window: int, *, tokens: int, requests: int = 0) -> PendingWrite:
        """Send what is to be added to the counters of a share, whatever its limits."""
        write = Write(Minute(share.account, share.shard, window), requests, tokens)
        settlement = _Settlement(self._counters, write, share.limits.tokens)
        if not self._breaker.is_open:
            settlement.begin()
        return partial(self._finish, settlement)

    def send_again(self) -> None:
        """Send what is left from requests before; raises `AwsError`, and nothing else may be counted then.

        What DynamoDB refuses is given up: it was not counted, and never would be.
        """
        while self._undone:
            with suppress(AwsRefused):
                self._undone[0].finish()
            del self._undone[0]

    def _finish(self, settlement: "_Settlement") -> None:
        if self._breaker.is_open or not (self._is_done(settlement) or self._is_done(settlement)):
            self._undone.append(settlement)
            self._on_unsettled()

    def _is_done(self, settlement: "_Settlement") -> bool:
        try:
            settlement.finish()
        except AwsError:
            self._breaker.failed()
            return False
        return True


class _Settlement:
    """A correction of one minute, and of later ones by what it changed in the excess over the limit."""

    def __init__(self, counters: Counters, write: Write, limit: int) -> None:
        self._counters = counters
        self._write: Write | None = write
        self._limit = limit
        self._last = write.minute.window + MAX_CARRIED_WINDOWS
        self._pending: PendingCounts | None = None

    def begin(self) -> None:
        """Send it, if that is possible; `finish` tries again."""
        if self._write is not None:
            with suppress(AwsError):
                self._pending = self._counters.begin(self._write)

    def finish(self) -> None:
        """Carry it through; raises `AwsError`, and goes on where it was when it is called again."""
        while self._write is not None:
            self._pending = self._pending or self._counters.begin(self._write)
            counts = self._pending.finish()
            self._write, self._pending = self._carried(self._write, counts), None

    def _carried(self, write: Write, counts: Counts) -> Write | None:
        """What the next minute owes for it, or is owed."""
        excess = excess_after(write.tokens, counts.tokens, self._limit)
        following = write.minute._replace(window=write.minute.window + 1)
        if not (excess and self._limit) or following.window > self._last:
            return None  # a limit of nothing admits nothing later, either
        return Write(following, requests=0, tokens=excess)
