"""What one function admits by its own count while DynamoDB cannot be asked: a tenth of the limits."""

from collections.abc import Sequence
from typing import Final

from gateway.core.caller import Limits
from gateway.core.rate_limit import Account, Share
from gateway.stores.minute_counters import Counts, LimitReached

FALLBACK_DIVISOR: Final = 10
"""While DynamoDB cannot be asked, a function admits one tenth of the limits by its own count."""


class LocalCounts:
    """This minute's requests and tokens by account."""

    def __init__(self) -> None:
        self._window = 0
        self._counts: dict[str, Counts] = {}

    def take(self, accounts: Sequence[Account], window: int, tokens: int) -> list[tuple[Share, Counts]]:
        """Count one request and `tokens` in every account, or in none; raises `LimitReached`."""
        if window != self._window:
            self._window, self._counts = window, {}
        taken = [self._taken(account, tokens) for account in accounts]
        self._counts |= {share.account: counts for share, counts in taken}
        return taken

    def correct(self, share: Share, window: int, tokens: int) -> None:
        """Add `tokens`, or take them away, unless that minute is over."""
        if window == self._window:
            self._counts[share.account] = self._counts[share.account].plus(0, tokens)

    def _taken(self, account: Account, tokens: int) -> tuple[Share, Counts]:
        part = Limits(requests=_part(account.limits.requests), tokens=_part(account.limits.tokens))
        before = self._counts.get(account.name, Counts())
        after = before.plus(1, tokens)
        if after.requests > part.requests or after.tokens > part.tokens:
            raise LimitReached(account.name, part, before)
        return Share(account.name, 0, 1, tokens, part), after


def _part(limit: int) -> int:
    return -(-limit // FALLBACK_DIVISOR)  # rounded up, in whole numbers: 30 * 0.1 is a little more than 3
