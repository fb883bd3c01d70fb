"""Requests and tokens per workspace and minute, counted in DynamoDB: one item per window, one write per request.

The write is conditional, so no request raises a counter above its limit. The difference to the actual use is kept
in memory and added to the next write of the same window, or written at once if large.
"""

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple, Protocol

import msgspec

from gateway.aws.dynamodb import Attribute, Attributes, DynamoDb, Pending, old_item
from gateway.aws.errors import AwsError, ConditionFailed, reason_of
from gateway.core.caller import Limits
from gateway.core.errors import AllowanceExhausted, RequestTooLarge
from gateway.core.ports import PendingWrite, nothing_pending
from gateway.core.rate_limit import WINDOW, Reservation, seconds_left, window_of
from gateway.stores.circuit_breaker import CircuitBreaker

TIMEOUT: Final = 0.3
"""Seconds to wait for DynamoDB before the function counts for itself."""
ITEM_TTL: Final = 600
"""Seconds for which a window's item outlives the window."""
MAX_CARRIED_WINDOWS: Final = 10
"""Windows from which an excess is taken: one request can overdraw at most ten."""
URGENT_FRACTION: Final = 1 / 16
"""A correction above this part of the budget is written at once, so that other functions see it."""
FALLBACK_DIVISOR: Final = 10
"""While DynamoDB cannot be asked, a function admits one tenth of the limits by its own count."""


class Counts(NamedTuple):
    """What a window's counters say."""

    requests: int = 0
    tokens: int = 0

    def plus(self, requests: int, tokens: int) -> "Counts":
        return Counts(requests=self.requests + requests, tokens=self.tokens + tokens)


class LimitReached(Exception):
    """A request was not counted because a limit would be exceeded; `counts` are as they stand."""

    def __init__(self, counts: Counts) -> None:
        super().__init__()
        self.counts = counts


class PendingCounts(Protocol):
    """A correction that was sent."""

    def finish(self) -> Counts:
        """The counters after it. Raises `AwsError`."""


class Counters(Protocol):
    """Where all functions count together. Failures are `AwsError`s."""

    def take(self, workspace: str, window: int, *, tokens: int, limits: Limits) -> Counts:
        """Count one request and `tokens` (which corrections may make negative), all or nothing.

        Raises `LimitReached`, and counts nothing, if either counter would then be above its limit.
        """

    def begin_correct(self, workspace: str, window: int, *, tokens: int) -> PendingCounts:
        """Begin to add `tokens` (or to take them away), whatever the limits."""


class SharedRateLimits:
    """The port `RateLimits`.

    `clock` is Unix time. `on_fallback` is called with a word (`timeout`, `throttled`, `refused`, `unavailable`,
    `paused`) whenever DynamoDB could not be asked and the function's own count decided.
    """

    def __init__(self, counters: Counters, *, clock: Callable[[], float], on_fallback: Callable[[str], None]) -> None:
        self._counters = counters
        self._clock = clock
        self._on_fallback = on_fallback
        self._breaker = CircuitBreaker(clock)
        self._window = 0
        self._owed: dict[str, int] = {}
        """Corrections not yet written, by workspace. These four are for the current window."""
        self._spent: dict[str, Counts] = {}
        """Counters that had no request left."""
        self._own: dict[str, Counts] = {}
        """What was admitted without DynamoDB."""
        self._seen: dict[str, Counts] = {}
        """Counters as they stood when this function last wrote or was refused."""

    async def reserve(self, workspace: str, limits: Limits, tokens: int) -> Reservation:
        """Take one request and `tokens` from this minute's allowance; raises `AllowanceExhausted`.

        Raises `RequestTooLarge` if `tokens` exceed the whole budget of a minute: waiting would not help.
        """
        if tokens > limits.tokens:
            raise RequestTooLarge(
                f"The request needs about {tokens} tokens, more than the {limits.tokens} tokens per minute "
                f"of this workspace: send fewer or shorter inputs at once.",
                param="input",
                by_tokens=True,
            )
        asked = _Asked(workspace, limits, tokens, self._clock())
        self._enter(asked.window)
        spent = self._spent.get(workspace)
        if spent and spent.requests >= limits.requests:
            raise asked.exhausted(spent)
        if self._breaker.is_open:
            return self._reserve_locally(asked, "paused")
        return self._reserve_shared(asked)

    def remaining(self, workspace: str, limits: Limits) -> Reservation:
        """What was left of this minute's allowance when this function last saw it; sends and takes nothing."""
        now = self._clock()
        self._enter(window_of(now))
        return _Asked(workspace, limits, 0, now).granted(self._seen.get(workspace, Counts()))

    def settle(self, reservation: Reservation, tokens: int) -> PendingWrite:
        """Begin to replace the reservation's estimate by what was used; to be called once."""
        self._enter(window_of(self._clock()))
        if reservation.window != self._window:
            return nothing_pending  # that window is over: its count is unused
        workspace, correction = reservation.workspace, tokens - reservation.tokens
        if reservation.local:
            self._own[workspace] = self._own.get(workspace, Counts()).plus(0, correction)
            return nothing_pending
        self._owe(workspace, self._window, correction)
        if self._is_urgent(self._owed.get(workspace, 0), reservation) and not self._breaker.is_open:
            return self._begin_correction(workspace, reservation)
        return nothing_pending

    @staticmethod
    def _is_urgent(owed: int, reservation: Reservation) -> bool:
        """Whether other functions need the correction now, to refuse requests over the limit."""
        return abs(owed) > URGENT_FRACTION * reservation.limits.tokens or owed > reservation.remaining_tokens

    def _enter(self, window: int) -> None:
        if window != self._window:
            self._window = window
            for of_the_window_before in (self._owed, self._spent, self._own, self._seen):
                of_the_window_before.clear()

    def _reserve_shared(self, asked: "_Asked") -> Reservation:
        owed = self._owed.pop(asked.workspace, 0)
        try:
            counts = self._counters.take(asked.workspace, asked.window, tokens=asked.tokens + owed, limits=asked.limits)
        except LimitReached as reached:
            self._breaker.succeeded()
            self._owe(asked.workspace, asked.window, owed)
            raise self._refusal(asked, reached.counts) from None
        except AwsError as error:
            self._breaker.failed()
            self._owe_unsure(asked.workspace, asked.window, owed)
            return self._reserve_locally(asked, reason_of(error))
        self._breaker.succeeded()
        self._seen[asked.workspace] = counts
        return asked.granted(counts)

    def _refusal(self, asked: "_Asked", counts: Counts) -> AllowanceExhausted:
        self._seen[asked.workspace] = counts
        if counts.requests >= asked.limits.requests:
            self._spent[asked.workspace] = counts  # requests are never given back: no need to ask again
        return asked.exhausted(counts)

    def _reserve_locally(self, asked: "_Asked", reason: str) -> Reservation:
        self._on_fallback(reason)
        share = Limits(requests=_share(asked.limits.requests), tokens=_share(asked.limits.tokens))
        before = self._own.get(asked.workspace, Counts())
        after = before.plus(1, asked.tokens)
        if after.requests > share.requests or after.tokens > share.tokens:
            raise asked.exhausted(before, share=share)
        self._own[asked.workspace] = after
        return asked.granted(after, share=share)

    def _begin_correction(self, workspace: str, reservation: Reservation) -> PendingWrite:
        owed = self._owed.pop(workspace, 0)
        try:
            pending = self._counters.begin_correct(workspace, reservation.window, tokens=owed)
        except AwsError:
            self._correction_failed(workspace, reservation.window, owed)
            return nothing_pending
        return partial(self._finish_correction, pending, reservation, owed)

    def _finish_correction(self, pending: PendingCounts, reservation: Reservation, owed: int) -> None:
        try:
            counts = pending.finish()
        except AwsError:
            self._correction_failed(reservation.workspace, reservation.window, owed)
        else:
            self._carry_over(reservation, min(owed, counts.tokens - reservation.limits.tokens))

    def _correction_failed(self, workspace: str, window: int, owed: int) -> None:
        self._breaker.failed()
        self._owe_unsure(workspace, window, owed)

    def _carry_over(self, reservation: Reservation, excess: int) -> None:
        """Take what a request used beyond the limit from the minutes that follow."""
        budget = reservation.limits.tokens
        if not budget:
            return  # those minutes admit nothing anyway
        later = range(reservation.window + 1, reservation.window + 1 + MAX_CARRIED_WINDOWS)
        try:
            for window, left in zip(later, range(excess, 0, -budget), strict=False):
                self._counters.begin_correct(reservation.workspace, window, tokens=min(left, budget)).finish()
        except AwsError:
            self._breaker.failed()

    def _owe(self, workspace: str, window: int, tokens: int) -> None:
        if tokens and window == self._window:
            self._owed[workspace] = self._owed.get(workspace, 0) + tokens

    def _owe_unsure(self, workspace: str, window: int, tokens: int) -> None:
        """Repeat a write that may have failed, but never a refund: twice it would admit too much."""
        self._owe(workspace, window, max(tokens, 0))


class _Asked(NamedTuple):
    """A reservation that somebody asks for, at that time."""

    workspace: str
    limits: Limits
    tokens: int
    now: float

    @property
    def window(self) -> int:
        return window_of(self.now)

    def granted(self, counts: Counts, *, share: Limits | None = None) -> Reservation:
        return self._allowance(counts, self.tokens, share)

    def exhausted(self, counts: Counts, *, share: Limits | None = None) -> AllowanceExhausted:
        limits = share or self.limits
        limited_by = "requests" if counts.requests >= limits.requests else "tokens"
        left = f"; this request needs about {self.tokens}, and {max(limits.tokens - counts.tokens, 0)} are left"
        return AllowanceExhausted(
            f"The workspace has used up its {limited_by} of this minute "
            f"({getattr(self.limits, limited_by)} {limited_by} per minute{left if limited_by == 'tokens' else ''}).",
            retry_after=seconds_left(self.now),
            limited_by=limited_by,
            allowance=self._allowance(counts, 0, share),
        )

    def _allowance(self, counts: Counts, tokens: int, share: Limits | None) -> Reservation:
        limits = share or self.limits
        return Reservation(
            workspace=self.workspace,
            window=self.window,
            tokens=tokens,
            limits=self.limits,
            remaining_requests=max(limits.requests - counts.requests, 0),
            remaining_tokens=max(limits.tokens - counts.tokens, 0),
            resets_in=seconds_left(self.now),
            local=share is not None,
        )


def _share(limit: int) -> int:
    return -(-limit // FALLBACK_DIVISOR)  # rounded up, in whole numbers: 30 * 0.1 is a little more than 3


class TableCounters:
    """The port `Counters` over DynamoDB: an item is `{window: S, requests: N, tokens: N, expires_at: N}`."""

    def __init__(self, dynamodb: DynamoDb, *, table: str) -> None:
        """`dynamodb` should have the timeout `TIMEOUT`."""
        self._dynamodb = dynamodb
        self._table = table

    def take(self, workspace: str, window: int, *, tokens: int, limits: Limits) -> Counts:
        """See `Counters`."""
        bounds: Attributes = {":most": {"N": str(limits.requests)}, ":room": {"N": str(limits.tokens - tokens)}}
        condition = _condition(tokens, limits)
        try:
            return self._begin_add(workspace, window, 1, tokens, condition=condition, bounds=bounds).finish()
        except ConditionFailed as error:
            raise LimitReached(_counts(old_item(error, _Item))) from error

    def begin_correct(self, workspace: str, window: int, *, tokens: int) -> PendingCounts:
        """See `Counters`."""
        return self._begin_add(workspace, window, 0, tokens)

    def _begin_add(
        self,
        workspace: str,
        window: int,
        requests: int,
        tokens: int,
        *,
        condition: str | None = None,
        bounds: Attributes | None = None,
    ) -> "_PendingItem":
        update = self._dynamodb.begin_update_item(
            self._table,
            {"window": {"S": f"{workspace}#{window}"}},
            _Item,
            update="ADD #requests :requests, #tokens :tokens SET #expires_at = :expires_at",
            condition=condition,
            names={"#requests": "requests", "#tokens": "tokens", "#expires_at": "expires_at"},
            values={
                ":requests": {"N": str(requests)},
                ":tokens": {"N": str(tokens)},
                ":expires_at": {"N": str((window + 1) * WINDOW + ITEM_TTL)},
                **(bounds or {}),
            },
            # Sent twice, a count admits too little, never too much; a refund sent twice would admit too much.
            repeatable=tokens >= 0,
        )
        return _PendingItem(update)


class _PendingItem(NamedTuple):
    update: "Pending[_Item]"

    def finish(self) -> Counts:
        return _counts(self.update.finish())


class _Item(msgspec.Struct):
    requests: Attribute
    tokens: Attribute


def _condition(tokens: int, limits: Limits) -> str:
    within = "#requests < :most AND #tokens <= :room"
    fits_empty = tokens <= limits.tokens and limits.requests > 0
    return f"attribute_not_exists(#requests) OR ({within})" if fits_empty else within


def _counts(item: _Item | None) -> Counts:
    if item is None:
        return Counts()
    return Counts(requests=int(item.requests.N or 0), tokens=int(item.tokens.N or 0))
