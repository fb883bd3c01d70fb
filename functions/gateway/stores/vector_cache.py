"""Vectors already computed: the warm function's memory first, DynamoDB second. It never fails: it only forgets.

An item is `{key: B, vector: B (little-endian float32), tokens: N, expires_at: N (Unix seconds)}`.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec

from gateway.aws.dynamodb import (
    MAX_ITEMS,
    MAX_KEYS,
    Attribute,
    Attributes,
    BatchGet,
    BatchPage,
    BatchPut,
    DynamoDb,
)
from gateway.aws.errors import AwsError, reason_of
from gateway.core.ports import CachedVector
from gateway.core.vectors import FLOAT32
from gateway.stores.circuit_breaker import AdaptiveTimeout, CircuitBreaker
from gateway.stores.vector_memory import VectorMemory

MEMORY: Final = 32 * 1024 * 1024
"""Bytes of vectors that a warm function remembers."""
MAX_SIDE_BY_SIDE: Final = 8
"""Batches on the wire at the same time, each on its own connection."""

_ATTRIBUTES: Final = ("key", "vector", "tokens", "expires_at")

Ask = Attributes | msgspec.Raw
Page_co = TypeVar("Page_co", covariant=True)


class TableVectorCache:
    """The port `VectorCache`.

    `on_failure` is called with a word whenever DynamoDB was of no help: `timeout`, `throttled`, `refused`,
    `unavailable`, `unprocessed` (it left keys or items out), `corrupt` (an item that is no vector), `paused` (it
    failed so often that it is left alone for some seconds). `clock` is Unix time, `memory` bytes.
    """

    def __init__(
        self,
        dynamodb: DynamoDb,
        *,
        table: str,
        clock: Callable[[], float],
        on_failure: Callable[[str], None],
        memory: int = MEMORY,
        patience: Callable[[], AdaptiveTimeout] = AdaptiveTimeout,
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._clock = clock
        self._on_failure = on_failure
        self._memory = VectorMemory(memory, clock)
        self._breaker = CircuitBreaker(clock)
        self._reading = patience()
        self._writing = patience()

    async def get(self, keys: Sequence[bytes]) -> Mapping[bytes, CachedVector]:
        """Those that are known; fewer, or none, when DynamoDB is slow or broken."""
        found = {key: vector for key in keys if (vector := self._memory.get(key))}
        missing: list[Ask] = [{"key": {"B": key}} for key in dict.fromkeys(keys) if key not in found]

        def take(page: BatchPage[_Item]) -> Sequence[Ask]:
            found.update(self._vectors(page.items))
            return page.unprocessed

        def begin(keys: Sequence[Ask]) -> BatchGet[_Item]:
            return self._dynamodb.begin_batch_get(self._table, keys, _Item, attributes=_ATTRIBUTES)

        await self._exchange(missing, _Traffic(begin, take, MAX_KEYS, self._reading))
        return found

    async def put(self, vectors: Mapping[bytes, CachedVector], ttl: int) -> None:
        """Remember for `ttl` seconds: in memory, and in DynamoDB if it will."""
        if ttl <= 0:
            return
        expires_at = int(self._clock()) + ttl
        for key, vector in vectors.items():
            self._memory.put(key, vector, expires_at)
        items = [_to_send(key, vector, expires_at) for key, vector in vectors.items()]

        def begin(items: Sequence[Ask]) -> BatchPut:
            return self._dynamodb.begin_batch_put(self._table, items)

        await self._exchange(items, _Traffic(begin, lambda unprocessed: unprocessed, MAX_ITEMS, self._writing))

    async def _exchange(self, asks: Sequence[Ask], traffic: "_Traffic[Any]") -> None:  # of whatever pages
        if not asks:
            return
        if self._breaker.is_open:
            self._on_failure("paused")
            return
        try:
            left = await traffic.run(asks)
        except AwsError as error:
            self._breaker.failed()
            self._on_failure(reason_of(error))
            return
        self._breaker.succeeded()
        if left:
            self._on_failure("unprocessed")

    def _vectors(self, items: Iterable["_Item"]) -> Iterator[tuple[bytes, CachedVector]]:
        for item in items:
            read = _read(item)
            if read is None:
                self._on_failure("corrupt")
                continue
            key, vector, expires_at = read
            # DynamoDB deletes what has expired only within days.
            if expires_at > self._clock():
                self._memory.put(key, vector, expires_at)
                yield key, vector


_NOTHING: Final = Attribute()


class _Item(msgspec.Struct, gc=False):
    key: Attribute = _NOTHING
    vector: Attribute = _NOTHING
    tokens: Attribute = _NOTHING
    expires_at: Attribute = _NOTHING


class _Batch(Protocol[Page_co]):
    def finish(self, timeout: float | None = None) -> Page_co: ...

    def abandon(self) -> None: ...


class _Traffic(Generic[Page_co]):
    """Asks in batches of `size`, several of them on the wire at once.

    `begin` sends a batch; `take` is given its page, and says what has to be asked once more.
    """

    def __init__(
        self,
        begin: Callable[[Sequence[Ask]], _Batch[Page_co]],
        take: Callable[[Page_co], Sequence[Ask]],
        size: int,
        patience: AdaptiveTimeout,
    ) -> None:
        self._begin = begin
        self._take = take
        self._size = size
        self._patience = patience
        self._granted = 0
        self._waiting: deque[Sequence[Ask]] = deque()
        self._under_way: deque[_Batch[Page_co]] = deque()

    async def run(self, asks: Sequence[Ask]) -> bool:
        """Exchange everything; whether DynamoDB left something out. Raises `AwsError`."""
        self._waiting.extend(asks[start : start + self._size] for start in range(0, len(asks), self._size))
        # What DynamoDB left out is asked for at once, and so not without end.
        self._granted = 2 * len(self._waiting) + 2
        try:
            self._send()
            self._receive()
        finally:
            for batch in self._under_way:
                batch.abandon()
        return bool(self._waiting)

    def _send(self) -> None:
        while self._waiting and self._granted and len(self._under_way) < MAX_SIDE_BY_SIDE:
            self._granted -= 1
            self._under_way.append(self._begin(self._waiting.popleft()))

    def _receive(self) -> None:
        is_first = True
        while self._under_way:
            page = self._wait(self._under_way.popleft(), measured=is_first)
            if again := self._take(page):
                self._waiting.append(again)
            self._send()
            is_first = False

    def _wait(self, batch: _Batch[Page_co], *, measured: bool) -> Page_co:
        started = time.perf_counter()
        try:
            return batch.finish(self._patience.limit)
        finally:
            # The first reply tells the latency; those behind it have often arrived by then.
            if measured:
                self._patience.saw(time.perf_counter() - started)


def _to_send(key: bytes, vector: CachedVector, expires_at: int) -> Attributes:
    return {
        "key": {"B": key},
        "vector": {"B": vector.vector},
        "tokens": {"N": str(vector.tokens)},
        "expires_at": {"N": str(expires_at)},
    }


def _read(item: _Item) -> tuple[bytes, CachedVector, int] | None:
    """Key, vector and expiry of an item, `None` if it is not of ours."""
    key, vector = item.key.B, item.vector.B
    tokens, expires_at = _number(item.tokens), _number(item.expires_at)
    if not key or not vector or len(vector) % FLOAT32 or tokens is None or expires_at is None:
        return None
    return key, CachedVector(vector=vector, tokens=tokens), expires_at


def _number(attribute: Attribute) -> int | None:
    return int(attribute.N) if attribute.N and attribute.N.isdigit() else None
