"""Values of a slow store in the memory of a warm function. They are used longer while the store is down."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from gateway.aws.errors import AwsError, NotFound

LOOK_AGAIN: Final = 10.0
"""Seconds between two look-ups of the same remembered name, once those that are granted at once are used up."""

Value = TypeVar("Value")


class TokenBucket:
    """How often something may be done: a few times at once, and then one time per interval.

    It holds up to `size` tokens, `tokens` at first, and gets one each `interval` seconds. `clock` is seconds.
    """

    def __init__(self, size: int, interval: float, clock: Callable[[], float], *, tokens: float) -> None:
        self._size = size
        self._interval = interval
        self._clock = clock
        self._tokens = tokens
        self._counted = clock()

    def take(self) -> bool:
        """Take a token; whether there was one."""
        now = self._clock()
        self._tokens = min(self._size, self._tokens + (now - self._counted) / self._interval)
        self._counted = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


@dataclass(slots=True)
class _Kept(Generic[Value]):
    value: Value
    loaded: float
    tried: float
    looks: TokenBucket


class TtlCache(Generic[Value]):
    """Values by name, the `size` most recently used of them.

    `load` fetches one; it raises `NotFound` where there is none, which is an answer and no failure, and any other
    `AwsError` when the store fails. A value is fresh for `fresh(value)` seconds.
    After that it is loaded again; while that fails, the old value serves until it is `stale` seconds old.
    A value that does not suffice is looked up again `rereads` times at once, and then every `LOOK_AGAIN` seconds.
    """

    def __init__(
        self,
        load: Callable[[str], Value],
        *,
        fresh: Callable[[Value], float],
        stale: float,
        size: int,
        clock: Callable[[], float],
        rereads: int = 0,
    ) -> None:
        self._load = load
        self._fresh = fresh
        self._stale = stale
        self._size = size
        self._clock = clock
        self._rereads = rereads
        self._kept: OrderedDict[str, _Kept[Value]] = OrderedDict()

    def get(self, name: str, *, suffices: Callable[[Value], bool] | None = None) -> Value:
        """The value of that name; raises `AwsError` if the store fails and no old value is young enough.

        A remembered value that does not suffice makes it look again, as often as it may.
        """
        kept = self._kept.get(name)
        if kept is None:
            return self._fetch(name)
        self._kept.move_to_end(name)
        now = self._clock()
        if now - kept.loaded < self._fresh(kept.value):
            is_enough = suffices is None or suffices(kept.value) or not kept.looks.take()
            return kept.value if is_enough else self._refresh(name, kept)
        if now - kept.tried < LOOK_AGAIN and now - kept.loaded < self._stale:
            return kept.value
        return self._refresh(name, kept)

    def peek(self, name: str) -> Value | None:
        """The remembered value, however old; `None` if there is none."""
        kept = self._kept.get(name)
        return kept.value if kept else None

    def _refresh(self, name: str, kept: _Kept[Value]) -> Value:
        kept.tried = self._clock()
        try:
            return self._fetch(name)
        except NotFound:
            del self._kept[name]
            raise
        except AwsError:
            if self._clock() - kept.loaded < self._stale:
                return kept.value
            raise

    def _fetch(self, name: str) -> Value:
        value = self._load(name)
        now = self._clock()
        before = self._kept.get(name)
        looks = before.looks if before else self._new_looks()
        self._kept[name] = _Kept(value, loaded=now, tried=now, looks=looks)
        self._kept.move_to_end(name)
        if len(self._kept) > self._size:
            self._kept.popitem(last=False)
        return value

    def _new_looks(self) -> TokenBucket:
        return TokenBucket(max(1, self._rereads), LOOK_AGAIN, self._clock, tokens=self._rereads)
