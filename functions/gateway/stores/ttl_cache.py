"""Values of a slow store in the memory of a warm function. They are used longer while the store is down."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from gateway.aws.errors import AwsError, NotFound

LOOK_AGAIN: Final = 10.0
"""Least seconds between two look-ups of the same remembered name."""

Value = TypeVar("Value")


@dataclass(slots=True)
class _Kept(Generic[Value]):
    value: Value
    loaded: float
    tried: float


class TtlCache(Generic[Value]):
    """Values by name, the `size` most recently used of them.

    `load` fetches one; it raises `NotFound` where there is none, which is an answer and no failure, and any other
    `AwsError` when the store fails. A value is fresh for `fresh(value)` seconds.
    After that it is loaded again; while that fails, the old value serves until it is `stale` seconds old.
    """

    def __init__(
        self,
        load: Callable[[str], Value],
        *,
        fresh: Callable[[Value], float],
        stale: float,
        size: int,
        clock: Callable[[], float],
    ) -> None:
        self._load = load
        self._fresh = fresh
        self._stale = stale
        self._size = size
        self._clock = clock
        self._kept: OrderedDict[str, _Kept[Value]] = OrderedDict()

    def get(self, name: str, *, suffices: Callable[[Value], bool] | None = None) -> Value:
        """The value of that name; raises `AwsError` if the store fails and no old value is young enough.

        A remembered value that does not suffice makes it look again, but not more often than every `LOOK_AGAIN`.
        """
        kept = self._kept.get(name)
        if kept is None:
            return self._fetch(name)
        self._kept.move_to_end(name)
        now = self._clock()
        if now - kept.loaded < self._fresh(kept.value) and (suffices is None or suffices(kept.value)):
            return kept.value
        if now - kept.tried < LOOK_AGAIN and now - kept.loaded < self._stale:
            return kept.value
        return self._refresh(name, kept)

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
        self._kept[name] = _Kept(value, loaded=now, tried=now)
        self._kept.move_to_end(name)
        if len(self._kept) > self._size:
            self._kept.popitem(last=False)
        return value
