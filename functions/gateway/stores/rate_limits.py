"""Requests and tokens per minute: reserved before a call, settled before its answer leaves.

A reservation is a conditional write, so no request raises a counter above its limit. What was used differently is
written before the answer leaves; what was used beyond the limit is carried to the minutes that follow.
"""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import groupby
from random import randrange
from typing import Final, NamedTuple

from gateway.aws.errors import AwsError, reason_of
from gateway.core.caller import Caller, Limits
from gateway.core.errors import AllowanceExhausted, RequestTooLarge
from gateway.core.ports import PendingWrite, nothing_pending
from gateway.core.rate_limit import (
    Account,
    Reservation,
    Share,
    accounts_of,
    apportion,
    seconds_left,
    shards_of,
    window_of,
)
from gateway.stores.circuit_breaker import CircuitBreaker
from gateway.stores.local_counts import LocalCounts
from gateway.stores.minute_counters import Counters, Counts, LimitReached
from gateway.stores.settlements import Settlements
from gateway.stores.sharded_counters import ShardedCounters

TIMEOUT: Final = 0.3
"""Seconds to wait for DynamoDB before the function counts for itself."""


class _Asked(NamedTuple):
    """A reservation that somebody asks for, at that time."""

    accounts: tuple[Account, ...]
    tokens: int
    now: float

    @property
    def window(self) -> int:
        return window_of(self.now)


class _Left(NamedTuple):
    """What is left of an account's minute, of that much."""

    limits: Limits
    requests: int
    tokens: int


class SharedRateLimits:
    """The port `RateLimits`.

    `clock` is Unix time. `on_fallback` is called with a word whenever DynamoDB could not be asked: `timeout`,
    `throttled`, `refused`, `unavailable`, `paused` if the function's own count decided; `unsettled` if a correction
    has to be sent again. `choose` returns a random number below its argument.
    """

    def __init__(
        self,
        counters: Counters,
        *,
        clock: Callable[[], float],
        on_fallback: Callable[[str], None],
        choose: Callable[[int], int] = randrange,
    ) -> None:
        self._clock = clock
        self._on_fallback = on_fallback
        self._breaker = CircuitBreaker(clock)
        self._settlements = Settlements(counters, self._breaker, partial(on_fallback, "unsettled"))
        self._counters = ShardedCounters(counters, self._settlements, choose)
        self._local = LocalCounts()
        self._window = 0
        self._left: dict[str, _Left] = {}
        """By account, as it stood when this function last wrote or was refused in the current window."""

    async def reserve(self, caller: Caller, tokens: int) -> Reservation:
        """Take one request and `tokens` from this minute's allowance; raises `AllowanceExhausted`.

        Raises `RequestTooLarge` if `tokens` exceed the whole budget of a minute: waiting would not help.
        """
        asked = _Asked(accounts_of(caller), tokens, self._clock())
        for account in asked.accounts:
            _check_size(account, tokens)
        self._enter(asked.window)
        try:
            return self._reserve(asked)
        except LimitReached as reached:
            raise self._exhausted(asked, reached) from None

    def remaining(self, caller: Caller) -> Reservation:
        """What was left of this minute's allowance when this function last saw it; sends and takes nothing."""
        asked = _Asked(accounts_of(caller), 0, self._clock())
        self._enter(asked.window)
        return self._reservation(asked)

    def settle(self, reservation: Reservation, tokens: int) -> PendingWrite:
        """Begin to replace the reservation's estimate by what was used; to be called once."""
        differences = _differences(reservation.shares, tokens)
        if reservation.local:
            for share, difference in differences:
                self._local.correct(share, reservation.window, difference)
            return nothing_pending
        begun = [
            self._settlements.begin(share, reservation.window, tokens=difference)
            for share, difference in differences
            if difference
        ]
        return partial(_finish, begun) if begun else nothing_pending

    def _enter(self, window: int) -> None:
        if window != self._window:
            self._window = window
            self._left.clear()

    def _reserve(self, asked: _Asked) -> Reservation:
        """In the shared counters, or in this function's own if those cannot be asked; raises `LimitReached`."""
        if self._breaker.is_open:
            return self._reserve_locally(asked, "paused")
        try:
            self._settlements.send_again()
            shares = self._reserve_shared(asked)
        except AwsError as error:
            self._breaker.failed()
            return self._reserve_locally(asked, reason_of(error))
        except LimitReached:
            self._breaker.succeeded()
            raise
        self._breaker.succeeded()
        return self._reservation(asked, shares)

    def _reserve_shared(self, asked: _Asked) -> tuple[Share, ...]:
        """One account after the other. If one refuses, those before it get back what they gave."""
        shares: tuple[Share, ...] = ()
        for account in asked.accounts:
            try:
                taken = self._counters.take(account, asked.window, asked.tokens)
            except (LimitReached, AwsError):
                self._counters.give_back(shares, asked.window)
                raise
            self._left[account.name] = _left_of(account, taken.shares[0].limits, taken.counts)
            shares += taken.shares
        return shares

    def _reserve_locally(self, asked: _Asked, reason: str) -> Reservation:
        self._on_fallback(reason)
        taken = self._local.take(asked.accounts, asked.window, asked.tokens)
        for account, (share, counts) in zip(asked.accounts, taken, strict=True):
            self._left[account.name] = _Left(account.limits, *_rest(share.limits, counts))
        return self._reservation(asked, tuple(share for share, _ in taken), local=True)

    def _exhausted(self, asked: _Asked, reached: LimitReached) -> AllowanceExhausted:
        account = next(account for account in asked.accounts if account.name == reached.account)
        left = _Left(account.limits, *_rest(reached.limits, reached.counts))
        self._left[account.name] = left
        limited_by = "requests" if reached.by_requests else "tokens"
        needs = f"; this request needs about {asked.tokens}, and {left.tokens} are left"
        return AllowanceExhausted(
            f"The {account.owner} has used up its {limited_by} of this minute "
            f"({getattr(account.limits, limited_by)} {limited_by} per minute{'' if reached.by_requests else needs}).",
            retry_after=seconds_left(asked.now),
            limited_by=limited_by,
            allowance=self._reservation(asked),
        )

    def _reservation(self, asked: _Asked, shares: tuple[Share, ...] = (), *, local: bool = False) -> Reservation:
        """What was taken, and what is left of the account that has least."""
        left = [self._left.get(account.name) or _all_of(account.limits) for account in asked.accounts]
        by_requests, by_tokens = min(left, key=lambda it: it.requests), min(left, key=lambda it: it.tokens)
        return Reservation(
            window=asked.window,
            tokens=asked.tokens,
            limits=Limits(requests=by_requests.limits.requests, tokens=by_tokens.limits.tokens),
            remaining_requests=by_requests.requests,
            remaining_tokens=by_tokens.tokens,
            resets_in=seconds_left(asked.now),
            shares=shares,
            local=local,
        )


def _check_size(account: Account, tokens: int) -> None:
    if tokens > account.limits.tokens:
        raise RequestTooLarge(
            f"The request needs about {tokens} tokens, more than the {account.limits.tokens} tokens per minute "
            f"of this {account.owner}: send fewer or shorter inputs at once.",
            param="input",
            by_tokens=True,
        )


def _all_of(limits: Limits) -> _Left:
    return _Left(limits, limits.requests, limits.tokens)


def _left_of(account: Account, part: Limits, counts: Counts) -> _Left:
    """What is left of an account if its other shards have as much left as this one."""
    shards, limits = shards_of(account.limits), account.limits
    requests, tokens = _rest(part, counts)
    return _Left(limits, min(requests * shards, limits.requests), min(tokens * shards, limits.tokens))


def _rest(part: Limits, counts: Counts) -> tuple[int, int]:
    return max(part.requests - counts.requests, 0), max(part.tokens - counts.tokens, 0)


def _differences(shares: Iterable[Share], used: int) -> list[tuple[Share, int]]:
    """What each share has to be corrected by, if an account's shares used so many tokens together."""
    differences: list[tuple[Share, int]] = []
    for _, group in groupby(shares, key=lambda share: share.account):
        of_account = list(group)
        parts = apportion(used, [share.tokens for share in of_account])
        differences += [(share, part - share.tokens) for share, part in zip(of_account, parts, strict=True)]
    return differences


def _finish(begun: Iterable[PendingWrite]) -> None:
    for finish in begun:
        finish()
