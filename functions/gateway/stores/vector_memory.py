"""The vectors that a warm function remembers: those used latest, within a number of bytes."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from gateway.core.ports import CachedVector

OVERHEAD: Final = 400
"""Bytes that remembering a vector costs beyond the vector: its key, its place, its objects."""


class VectorMemory:
    """`size` is in bytes, `clock` Unix time."""

    def __init__(self, size: int, clock: Callable[[], float]) -> None:
        self._size = size
        self._clock = clock
        self._used = 0
        self._vectors: OrderedDict[bytes, tuple[CachedVector, float]] = OrderedDict()

    @property
    def used(self) -> int:
        """Bytes."""
        return self._used

    def get(self, key: bytes) -> CachedVector | None:
        """The vector of that key, if it is remembered and has not expired."""
        kept = self._vectors.get(key)
        if kept is None:
            return None
        vector, expires_at = kept
        if expires_at <= self._clock():
            self._forget(key)
            return None
        self._vectors.move_to_end(key)
        return vector

    def put(self, key: bytes, vector: CachedVector, expires_at: float) -> None:
        """Remember until that Unix time, or until others need the room."""
        if key in self._vectors:
            self._forget(key)
        self._vectors[key] = (_own(vector), expires_at)
        self._used += _cost(vector)
        while self._used > self._size:
            self._forget(next(iter(self._vectors)))

    def _forget(self, key: bytes) -> None:
        vector, _ = self._vectors.pop(key)
        self._used -= _cost(vector)


def _cost(vector: CachedVector) -> int:
    return len(vector.vector) + OVERHEAD


def _own(vector: CachedVector) -> CachedVector:
    # A view would keep the whole reply alive that it was cut from.
    if isinstance(vector.vector, bytes):
        return vector
    return CachedVector(vector=bytes(vector.vector), tokens=vector.tokens)
