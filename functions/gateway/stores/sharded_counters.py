"""One account's requests, counted in one shard or in several (see `core/rate_limit.py`)."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from gateway.aws.errors import AwsError
from gateway.core.rate_limit import Account, Share, part_of, shards_of, shares_of
from gateway.stores.minute_counters import Counters, Counts, LimitReached, Minute, PendingCounts, Write
from gateway.stores.settlements import Settlements

_Outcome = Counts | LimitReached | AwsError


class Taken(NamedTuple):
    """Where a request was counted, and the counters of its first share after it."""

    shares: tuple[Share, ...]
    counts: Counts


class ShardedCounters:
    """A function keeps to one shard of an account until that refuses, so that few functions meet in an item.

    `choose` returns a random number below its argument.
    """

    def __init__(self, counters: Counters, settlements: Settlements, choose: Callable[[int], int]) -> None:
        self._counters = counters
        self._settlements = settlements
        self._choose = choose
        self._homes: dict[str, int] = {}
        self._window = 0
        self._spent: dict[tuple[str, int], Counts] = {}
        """Shards that had no request left in this window; requests are hardly ever given back."""

    def take(self, account: Account, window: int, tokens: int) -> Taken:
        """Count one request and `tokens`, in the usual shard or in one other; raises `LimitReached`, `AwsError`."""
        self._enter(window)
        refusal: LimitReached | None = None
        for first in self._candidates(account):
            shares = shares_of(account, tokens, first)
            try:
                taken = self._take_all(shares, window)
            except LimitReached as reached:
                refusal = reached
                if reached.by_requests and len(shares) == 1:
                    self._spent[account.name, first] = reached.counts
            else:
                self._homes[account.name] = first
                return taken
        raise refusal or self._spent_refusal(account)

    def give_back(self, shares: Iterable[Share], window: int) -> None:
        """Undo what was taken."""
        for share in shares:
            self._settlements.begin(share, window, requests=-share.requests, tokens=-share.tokens)()

    def _enter(self, window: int) -> None:
        if window != self._window:
            self._window = window
            self._spent.clear()

    def _take_all(self, shares: tuple[Share, ...], window: int) -> Taken:
        """Count all shares of a request, or none."""
        sent = [self._begin(share, window) for share in shares]
        outcomes = [_outcome(pending) for pending in sent]
        counts = [outcome for outcome in outcomes if isinstance(outcome, Counts)]
        if len(counts) == len(shares):
            return Taken(shares, counts[0])
        counted = [share for share, outcome in zip(shares, outcomes, strict=True) if isinstance(outcome, Counts)]
        self.give_back(counted, window)
        raise _first_of(outcomes)

    def _begin(self, share: Share, window: int) -> PendingCounts | AwsError:
        minute = Minute(share.account, share.shard, window)
        try:
            return self._counters.begin(Write(minute, share.requests, share.tokens, share.limits))
        except AwsError as error:
            return error

    def _home(self, account: Account) -> int:
        shards = shards_of(account.limits)
        return self._homes.setdefault(account.name, self._choose(shards)) % shards if shards > 1 else 0

    def _candidates(self, account: Account) -> Iterator[int]:
        """The usual shard, then another one at random; none that is known to be spent."""
        home = self._home(account)
        if not self._is_spent(account, home):
            yield home
        others = [
            shard for shard in range(shards_of(account.limits)) if shard != home and not self._is_spent(account, shard)
        ]
        if others:
            yield others[self._choose(len(others))]

    def _is_spent(self, account: Account, shard: int) -> bool:
        counts = self._spent.get((account.name, shard))
        return counts is not None and counts.requests >= part_of(account.limits, shard).requests

    def _spent_refusal(self, account: Account) -> LimitReached:
        """The refusal if no shard is left to be asked."""
        home = self._home(account)
        part = part_of(account.limits, home)
        return LimitReached(account.name, part, self._spent.get((account.name, home), Counts(part.requests)))


def _outcome(pending: PendingCounts | AwsError) -> _Outcome:
    if isinstance(pending, AwsError):
        return pending
    try:
        return pending.finish()
    except (LimitReached, AwsError) as error:
        return error


def _first_of(outcomes: Iterable[_Outcome]) -> LimitReached | AwsError:
    """The failure that counts: what is not known matters more than what was refused."""
    failures = [outcome for outcome in outcomes if not isinstance(outcome, Counts)]
    return next((failure for failure in failures if isinstance(failure, AwsError)), failures[0])
