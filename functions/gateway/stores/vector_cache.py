"""Vectors already computed: the warm function's memory first, DynamoDB second. It never fails: at worst it has nothing.

An item is `{key: B, vector: B (little-endian float32), tokens: N, expires_at: N (Unix seconds), owner: B}`. The owner
is the workspace's, for an operator who erases what is cached of it; items older than owners have none.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
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
from gateway.core.ports import CachedVector, PendingWrite, nothing_pending
from gateway.core.vectors import FLOAT32, to_base64
from gateway.stores.circuit_breaker import AdaptiveTimeout, CircuitBreaker

MEMORY: Final = 32 * 1024 * 1024
"""Bytes of vectors that a warm function remembers."""
OVERHEAD: Final = 400
"""Bytes that remembering a vector costs beyond the vector: its key, its place, its objects."""
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
        make_timeout: Callable[[], AdaptiveTimeout] = AdaptiveTimeout,
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._clock = clock
        self._on_failure = on_failure
        self._memory = VectorMemory(memory, clock)
        self._breaker = CircuitBreaker(clock)
        self._reading = make_timeout()
        self._writing = make_timeout()

    async def get(self, keys: Sequence[bytes]) -> Mapping[bytes, CachedVector]:
        """Those that are known; fewer, or none, when DynamoDB is slow or broken."""
        found = {key: vector for key in keys if (vector := self._memory.get(key))}
        missing: list[Ask] = [{"key": {"B": key}} for key in dict.fromkeys(keys) if key not in found]
        self._begin(missing, BatchPipeline(self._send_keys, partial(self._take, found), MAX_KEYS, self._reading))()
        return found

    def put(self, vectors: Mapping[bytes, CachedVector], ttl: int, owner: bytes) -> PendingWrite:
        """Keep them for `ttl` seconds: in memory at once, and in DynamoDB if it will."""
        if ttl <= 0:
            return nothing_pending
        expires_at = int(self._clock()) + ttl
        for key, vector in vectors.items():
            self._memory.put(key, vector, expires_at)
        items = [_to_send(key, vector, expires_at, owner) for key, vector in vectors.items()]
        return self._begin(items, BatchPipeline(self._send_items, lambda left_out: left_out, MAX_ITEMS, self._writing))

    def _send_keys(self, keys: Sequence[Ask]) -> BatchGet["_Item"]:
        return self._dynamodb.begin_batch_get(self._table, keys, _Item, attributes=_ATTRIBUTES)

    def _take(self, found: dict[bytes, CachedVector], page: BatchPage["_Item"]) -> Sequence[Ask]:
        found.update(self._vectors(page.items))
        return page.unprocessed

    def _send_items(self, items: Sequence[Ask]) -> BatchPut:
        return self._dynamodb.begin_batch_put(self._table, items)

    def _begin(self, asks: Sequence[Ask], pipeline: "BatchPipeline[Any]") -> PendingWrite:  # of whichever pages
        """Send the first batches; the rest is sent, and every reply read, when the result is called."""
        if not asks:
            return nothing_pending
        if self._breaker.is_open:
            self._on_failure("paused")
            return nothing_pending
        try:
            pipeline.start(asks)
        except AwsError as error:
            self._failed(error)
            return nothing_pending
        return partial(self._finish, pipeline)

    def _finish(self, pipeline: "BatchPipeline[Any]") -> None:  # of whichever pages
        try:
            is_complete = pipeline.finish()
        except AwsError as error:
            self._failed(error)
            return
        self._breaker.succeeded()
        if not is_complete:
            self._on_failure("unprocessed")

    def _failed(self, error: AwsError) -> None:
        self._breaker.failed()
        self._on_failure(reason_of(error))

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


class BatchPipeline(Generic[Page_co]):
    """Asks in batches of `size`, several of them on the wire at once.

    `send` sends a batch; `take` gets its page and returns what has to be asked once more.
    """

    def __init__(
        self,
        send: Callable[[Sequence[Ask]], _Batch[Page_co]],
        take: Callable[[Page_co], Sequence[Ask]],
        size: int,
        timeout: AdaptiveTimeout,
    ) -> None:
        self._send_batch = send
        self._take = take
        self._size = size
        self._timeout = timeout
        self._tries_left = 0
        self._waiting: deque[Sequence[Ask]] = deque()
        self._under_way: deque[_Batch[Page_co]] = deque()

    def start(self, asks: Sequence[Ask]) -> None:
        """Send the first batches. Raises `AwsError`."""
        self._waiting.extend(asks[start : start + self._size] for start in range(0, len(asks), self._size))
        # What DynamoDB left out is asked for at once, so there must be an end to it.
        self._tries_left = 2 * len(self._waiting) + 2
        try:
            self._send()
        except BaseException:
            self._abandon()
            raise

    def finish(self) -> bool:
        """Read every reply and send what still waits; whether DynamoDB left nothing out. Raises `AwsError`."""
        try:
            self._receive()
        finally:
            self._abandon()
        return not self._waiting

    def _send(self) -> None:
        while self._waiting and self._tries_left and len(self._under_way) < MAX_SIDE_BY_SIDE:
            self._tries_left -= 1
            self._under_way.append(self._send_batch(self._waiting.popleft()))

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
            return batch.finish(self._timeout.limit)
        finally:
            # The first reply shows the latency; those behind it have often arrived by then.
            if measured:
                self._timeout.saw(time.perf_counter() - started)

    def _abandon(self) -> None:
        for batch in self._under_way:
            batch.abandon()


def _to_send(key: bytes, vector: CachedVector, expires_at: int, owner: bytes) -> Attributes:
    return {
        "key": {"B": key},
        "vector": {"B": msgspec.Raw(to_base64(vector.vector))},  # four times as fast as msgspec's own base64
        "tokens": {"N": str(vector.tokens)},
        "expires_at": {"N": str(expires_at)},
        "owner": {"B": owner},
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


class VectorMemory:
    """The vectors that a warm function used latest, at most `size` bytes of them; `clock` is Unix time."""

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
        if not isinstance(vector.vector, bytes):  # a view would keep the whole reply alive that it was cut from
            vector = msgspec.structs.replace(vector, vector=bytes(vector.vector))
        self._vectors[key] = (vector, expires_at)
        self._used += len(vector.vector) + OVERHEAD
        while self._used > self._size:
            self._forget(next(iter(self._vectors)))

    def _forget(self, key: bytes) -> None:
        vector, _ = self._vectors.pop(key)
        self._used -= len(vector.vector) + OVERHEAD
