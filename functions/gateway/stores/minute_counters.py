"""Requests and tokens of one minute, counted by all functions together in DynamoDB: `Counters`, and the table.

An item is `{account: "<account>#<shard>#<yyyymmdd>", minute: "<hhmm>", requests, tokens, expires_at, s.<function>}`.
The last is about the latest write of one warm function: its number, and what `tokens` were right after it. A write
whose reply was lost is sent again under its own number; it is counted once, and still says what it led to. So a
function's writes to one item go one after another.
"""

import secrets
import time
from typing import Final, NamedTuple, Protocol

from gateway.aws.dynamodb import Attribute, Attributes, DynamoDb, Pending, old_item
from gateway.aws.errors import AwsError, AwsUnavailable, ConditionFailed
from gateway.core.caller import Limits
from gateway.core.rate_limit import WINDOW

ITEM_TTL: Final = 3 * 24 * 3600
"""Seconds for which a minute's item outlives the minute: long enough to count it once more."""

NUMBER: Final = 10**15
"""`s.<function>` is the number of a write times this, plus the tokens after it (which are fewer than half of this)."""

_Item = dict[str, Attribute]

_UPDATE: Final = (
    "ADD #requests :requests, #tokens :tokens "
    "SET #expires_at = :expires_at, #seen = if_not_exists(#tokens, :zero) + :seen"
)


class Minute(NamedTuple):
    """The place where one shard of an account is counted for one window."""

    account: str
    shard: int
    window: int


class Counts(NamedTuple):
    """What the counters of a minute say."""

    requests: int = 0
    tokens: int = 0

    def plus(self, requests: int, tokens: int) -> "Counts":
        return Counts(requests=self.requests + requests, tokens=self.tokens + tokens)


class Write(NamedTuple):
    """What is added to a minute, either of which may be negative; not at all if a counter would pass `limits` then."""

    minute: Minute
    requests: int
    tokens: int
    limits: Limits | None = None


class LimitReached(Exception):
    """Nothing was counted: that account has not enough left of `limits`, its part; `counts` are as they stand."""

    def __init__(self, account: str, limits: Limits, counts: Counts) -> None:
        super().__init__()
        self.account = account
        self.limits = limits
        self.counts = counts

    @property
    def by_requests(self) -> bool:
        """Whether no request is left; else there are too few tokens."""
        return self.counts.requests >= self.limits.requests


class PendingCounts(Protocol):
    """A write that was sent."""

    def finish(self) -> Counts:
        """The counters after it. Raises `LimitReached`, and `AwsError` if it is not known whether it was counted.

        Called again after an `AwsError`, it sends the write once more; it is counted once. Otherwise it says the same.
        """


class Counters(Protocol):
    """Where all functions count together."""

    def begin(self, write: Write) -> PendingCounts:
        """Send a write; raises `AwsError` if it cannot be sent."""


class TableCounters:
    """The port `Counters` over DynamoDB, for one warm function."""

    def __init__(self, dynamodb: DynamoDb, *, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._name = f"s.{secrets.token_urlsafe(6)}"
        self._number = 0
        self._unanswered: dict[Minute, _Sent] = {}

    def begin(self, write: Write) -> PendingCounts:
        """See `Counters`. A write to the same minute that was sent before is finished first."""
        if before := self._unanswered.get(write.minute):
            _finish_first(before)
        self._number += 1
        sent = _Sent(self, write, self._number)
        sent.send()
        self._unanswered[write.minute] = sent
        return sent

    def send(self, write: Write, number: int) -> Pending[_Item]:
        """Send a write under a number of its own; raises `AwsError`."""
        return self._dynamodb.begin_update_item(
            self._table,
            _key(write.minute),
            _Item,
            update=_UPDATE,
            condition=_condition(write),
            names={
                "#requests": "requests",
                "#tokens": "tokens",
                "#expires_at": "expires_at",
                "#seen": self._name,
            },
            values=_values(write, number),
            repeatable=True,
        )

    def forget(self, sent: "_Sent") -> None:
        """A write whose outcome is known, or that will not be sent again, holds up no other."""
        if self._unanswered.get(sent.write.minute) is sent:
            del self._unanswered[sent.write.minute]

    def tokens_after(self, item: _Item | None, number: int) -> int | None:
        """What the write of this number led to, `None` if the item shows that it was not counted.

        Raises `AwsUnavailable` if the item no longer shows it.
        """
        seen, tokens = divmod(_number(item, self._name) + NUMBER // 2, NUMBER)
        if seen > number:
            raise AwsUnavailable(f"A later write ({seen}) overtook the write {number} of this function.")
        return tokens - NUMBER // 2 if seen == number else None


class _Sent:
    """One write: its number, the reply it waits for, and its outcome once that is known."""

    def __init__(self, counters: TableCounters, write: Write, number: int) -> None:
        self.write = write
        self._counters = counters
        self._number = number
        self._call: Pending[_Item] | None = None
        self._outcome: Counts | LimitReached | None = None

    def send(self) -> None:
        self._call = self._counters.send(self.write, self._number)

    def finish(self) -> Counts:
        if self._outcome is None:
            self._outcome = self._read()
            self._counters.forget(self)
        if isinstance(self._outcome, LimitReached):
            raise self._outcome
        return self._outcome

    def _read(self) -> Counts | LimitReached:
        call, self._call = self._call or self._counters.send(self.write, self._number), None
        try:
            return _counts(call.finish())
        except ConditionFailed as error:
            return self._refused(old_item(error, _Item))
        except AwsError:
            if self.write.limits:
                self._counters.forget(self)
            raise

    def _refused(self, item: _Item | None) -> Counts | LimitReached:
        """It was counted before, and its reply was lost; or a limit was reached."""
        tokens = self._counters.tokens_after(item, self._number)
        if tokens is not None:
            return Counts(_number(item, "requests"), tokens)
        return LimitReached(self.write.minute.account, self.write.limits or Limits(), _counts(item))


def _finish_first(sent: _Sent) -> None:
    """A correction that may not have been counted must not be overtaken: it could not be sent again then."""
    try:
        sent.finish()
    except LimitReached:
        return  # its sender will hear of it
    except AwsError:
        if sent.write.limits is None:
            raise


def _key(minute: Minute) -> Attributes:
    at = time.gmtime(minute.window * WINDOW)
    account = f"{minute.account}#{minute.shard}#{time.strftime('%Y%m%d', at)}"
    return {"account": {"S": account}, "minute": {"S": time.strftime("%H%M", at)}}


def _condition(write: Write) -> str:
    once = "(attribute_not_exists(#seen) OR #seen < :unseen)"
    if write.limits is None:
        return once
    within = "#requests < :most AND #tokens <= :room" if write.requests else "#tokens <= :room"
    fits_empty = write.tokens <= write.limits.tokens and write.requests <= write.limits.requests
    return f"{once} AND ({f'attribute_not_exists(#requests) OR ({within})' if fits_empty else within})"


def _values(write: Write, number: int) -> Attributes:
    values: dict[str, dict[str, str | bytes | memoryview]] = {
        ":requests": {"N": str(write.requests)},
        ":tokens": {"N": str(write.tokens)},
        ":expires_at": {"N": str((write.minute.window + 1) * WINDOW + ITEM_TTL)},
        ":zero": {"N": "0"},
        ":seen": {"N": str(number * NUMBER + write.tokens)},
        ":unseen": {"N": str(number * NUMBER - NUMBER // 2)},
    }
    if write.limits is None:
        return values
    values[":room"] = {"N": str(write.limits.tokens - write.tokens)}
    return values | {":most": {"N": str(write.limits.requests)}} if write.requests else values


def _counts(item: _Item | None) -> Counts:
    return Counts(requests=_number(item, "requests"), tokens=_number(item, "tokens"))


def _number(item: _Item | None, name: str) -> int:
    return int((item or {}).get(name, Attribute()).N or 0)
