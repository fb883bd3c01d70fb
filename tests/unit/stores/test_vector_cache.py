"""The cache never fails: it only forgets, says why, and stops asking a store that is of no help."""

import base64
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.aws.dynamodb import DynamoDb
from gateway.core.ports import CachedVector
from gateway.stores.circuit_breaker import FAILURES_IN_A_ROW, PAUSE, AdaptiveTimeout
from gateway.stores.vector_cache import MAX_SIDE_BY_SIDE, TableVectorCache
from tests.fakes.aws import Answer, Request, ScriptedAws, failure, reply

NOW = 1_000_000.0
TTL = 60
OWNER = b"8 bytes!"


def key(number: int) -> bytes:
    return number.to_bytes(32, "big")


def vectors(count: int) -> dict[bytes, CachedVector]:
    return {key(number): CachedVector(vector=number.to_bytes(8, "little"), tokens=number) for number in range(count)}


@dataclass
class Table:
    """DynamoDB with one table, which leaves out what `skips` says."""

    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    skips: Callable[[int, int], bool] = lambda request, place: False
    requests: int = 0

    def __call__(self, request: Request) -> bytes:
        self.requests += 1
        asked = request.json["RequestItems"]["cache"]
        return self._get(asked["Keys"]) if request.operation == "BatchGetItem" else self._put(asked)

    def _get(self, keys: list[dict[str, Any]]) -> bytes:
        served, left = self._split(keys)
        found = [self.items[wanted["key"]["B"]] for wanted in served if wanted["key"]["B"] in self.items]
        return reply({"Responses": {"cache": found}, "UnprocessedKeys": {"cache": {"Keys": left}} if left else {}})

    def _put(self, puts: list[dict[str, Any]]) -> bytes:
        served, left = self._split(puts)
        self.items |= {put["PutRequest"]["Item"]["key"]["B"]: put["PutRequest"]["Item"] for put in served}
        return reply({"UnprocessedItems": {"cache": left} if left else {}})

    def _split(self, asked: list[Any]) -> tuple[list[Any], list[Any]]:
        skipped = [self.skips(self.requests, place) for place in range(len(asked))]
        pairs = list(zip(asked, skipped, strict=True))
        return [one for one, is_left in pairs if not is_left], [one for one, is_left in pairs if is_left]


@dataclass
class Gateway:
    """A warm function's cache, its clock, and what it reports."""

    server: ScriptedAws
    now: float = NOW
    failures: list[str] = field(default_factory=list)

    def cache(self, over_usual: float = 10) -> TableVectorCache:
        """A cache that is patient: the machine of a test may be slow."""
        return TableVectorCache(
            DynamoDb(self.server.client()),
            table="cache",
            clock=lambda: self.now,
            on_failure=self.failures.append,
            make_timeout=lambda: AdaptiveTimeout(over_usual),
        )


async def test_what_one_function_puts_another_gets_however_many_there_are() -> None:
    table = Table()
    with ScriptedAws(table) as server:
        gateway = Gateway(server)
        gateway.cache().put(vectors(2048), TTL, OWNER)()

        found = await gateway.cache().get(list(vectors(2048)))

    assert found == vectors(2048)
    assert gateway.failures == []
    writes = [len(request.json["RequestItems"]["cache"]) for request in server.requests[:82]]
    assert sorted(writes) == [23] + [25] * 81  # in any order: they overlap
    assert len(server.requests) == 82 + 21


async def test_vectors_are_sent_at_once_and_the_reply_is_read_when_the_write_is_finished() -> None:
    table, arrived, may_answer = Table(), threading.Event(), threading.Event()

    def answer_when_allowed(request: Request) -> bytes:
        arrived.set()
        may_answer.wait(5)
        return table(request)

    with ScriptedAws(answer_when_allowed) as server:
        gateway = Gateway(server)
        finish = gateway.cache().put(vectors(3), TTL, OWNER)

        was_sent, kept_before = arrived.wait(5), len(table.items)
        may_answer.set()
        finish()

    assert was_sent
    assert (kept_before, len(table.items)) == (0, 3)
    assert gateway.failures == []


async def test_a_function_finds_what_it_put_before_dynamodb_has_answered() -> None:
    with ScriptedAws(Table()) as server:
        cache = Gateway(server).cache()
        finish = cache.put(vectors(3), TTL, OWNER)

        found = await cache.get(list(vectors(3)))
        finish()

    assert found == vectors(3)


async def test_only_so_many_batches_are_sent_before_the_write_is_finished() -> None:
    table, count, arrived = Table(), 25 * (MAX_SIDE_BY_SIDE + 1), threading.Semaphore(0)

    def count_and_answer(request: Request) -> bytes:
        arrived.release()
        return table(request)

    with ScriptedAws(count_and_answer) as server:
        finish = Gateway(server).cache().put(vectors(count), TTL, OWNER)

        all_arrived = all(arrived.acquire(timeout=5) for _ in range(MAX_SIDE_BY_SIDE))
        sent_before = len(server.requests)
        finish()

    assert all_arrived

    assert sent_before == MAX_SIDE_BY_SIDE
    assert len(server.requests) == MAX_SIDE_BY_SIDE + 1
    assert len(table.items) == count


async def test_a_write_that_fails_is_reported_when_it_is_finished() -> None:
    with ScriptedAws(lambda _: failure("InternalServerError", 500)) as server:
        gateway = Gateway(server)

        finish = gateway.cache().put(vectors(3), TTL, OWNER)
        before = list(gateway.failures)
        finish()

    assert before == []
    assert gateway.failures == ["unavailable"]


async def test_memory_answers_first() -> None:
    with ScriptedAws(Table()) as server:
        cache = Gateway(server).cache()
        cache.put(vectors(3), TTL, OWNER)()

        found = await cache.get(list(vectors(3)))

    assert found == vectors(3)
    assert [request.operation for request in server.requests] == ["BatchWriteItem"]


async def test_what_came_from_dynamodb_is_remembered() -> None:
    with ScriptedAws(Table()) as server:
        gateway = Gateway(server)
        gateway.cache().put(vectors(3), TTL, OWNER)()
        cache = gateway.cache()
        await cache.get(list(vectors(3)))

        found = await cache.get(list(vectors(3)))

    assert found == vectors(3)
    assert [request.operation for request in server.requests] == ["BatchWriteItem", "BatchGetItem"]


async def test_only_what_memory_does_not_know_is_asked_for() -> None:
    with ScriptedAws(Table()) as server:
        gateway = Gateway(server)
        gateway.cache().put(vectors(5), TTL, OWNER)()
        cache = gateway.cache()
        await cache.get([key(0), key(3)])

        found = await cache.get(list(vectors(5)))

    assert found == vectors(5)
    asked = server.requests[-1].json["RequestItems"]["cache"]["Keys"]
    assert [base64.b64decode(wanted["key"]["B"]) for wanted in asked] == [key(1), key(2), key(4)]


async def test_batches_travel_side_by_side() -> None:
    table, all_are_here = Table(), threading.Barrier(MAX_SIDE_BY_SIDE, timeout=5)

    def answer_when_all_are_here(request: Request) -> bytes:
        all_are_here.wait()
        return table(request)

    with ScriptedAws(answer_when_all_are_here) as server:
        gateway = Gateway(server)

        found = await gateway.cache().get([key(number) for number in range(100 * MAX_SIDE_BY_SIDE)])

    assert found == {}
    assert gateway.failures == []
    assert len(server.requests) == MAX_SIDE_BY_SIDE


async def test_what_dynamodb_left_out_is_asked_for_again() -> None:
    table = Table(skips=lambda request, place: request < 3 and place % 2 == 0)
    with ScriptedAws(table) as server:
        gateway = Gateway(server)
        gateway.cache().put(vectors(10), TTL, OWNER)()
        table.requests = 0

        found = await gateway.cache().get(list(vectors(10)))

    assert found == vectors(10)
    assert gateway.failures == []


@pytest.mark.parametrize("operation", ["BatchGetItem", "BatchWriteItem"])
async def test_what_dynamodb_always_leaves_out_is_not_asked_for_without_end(operation: str) -> None:
    table = Table()
    with ScriptedAws(table) as server:
        gateway = Gateway(server)
        gateway.cache().put(vectors(10), TTL, OWNER)()
        table.skips = lambda request, place: place == 0

        if operation == "BatchGetItem":
            found = await gateway.cache().get(list(vectors(10)))
        else:
            gateway.cache().put(vectors(10), TTL, OWNER)()
            found = {key(0): vectors(1)[key(0)]}

    again = [request for request in server.requests[1:] if request.operation == operation]
    assert gateway.failures == ["unprocessed"]
    assert 1 < len(again) < 6
    assert len(found) in {1, 9}


async def test_an_item_that_dynamodb_has_not_yet_deleted_is_no_hit() -> None:
    with ScriptedAws(Table()) as server:
        gateway = Gateway(server)
        gateway.cache().put(vectors(3), TTL, OWNER)()
        gateway.now += TTL

        found = await gateway.cache().get(list(vectors(3)))

    assert found == {}
    assert gateway.failures == []


def item(**changes: Any) -> dict[str, Any]:
    whole = {
        "key": {"B": base64.b64encode(key(0)).decode()},
        "vector": {"B": base64.b64encode(bytes(8)).decode()},
        "tokens": {"N": "3"},
        "expires_at": {"N": str(int(NOW) + 5)},
    }
    return {name: value for name, value in {**whole, **changes}.items() if value is not None}


@pytest.mark.parametrize(
    "changes",
    [
        {"vector": {"B": base64.b64encode(bytes(7)).decode()}},
        {"vector": {"B": ""}},
        {"vector": {"S": "text"}},
        {"vector": None},
        {"tokens": None},
        {"tokens": {"N": "1.5"}},
        {"tokens": {"N": "-1"}},
        {"expires_at": None},
        {"expires_at": {"S": "tomorrow"}},
        {"key": None},
    ],
)
async def test_an_item_that_is_no_vector_is_no_hit_and_does_not_spoil_the_others(changes: dict[str, Any]) -> None:
    good = item(key={"B": base64.b64encode(key(1)).decode()})
    page = {"Responses": {"cache": [item(**changes), good]}, "UnprocessedKeys": {}}
    with ScriptedAws(lambda _: reply(page)) as server:
        gateway = Gateway(server)

        found = await gateway.cache().get([key(0), key(1)])

    assert found == {key(1): CachedVector(vector=bytes(8), tokens=3)}
    assert gateway.failures == ["corrupt"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda _: failure("ResourceNotFoundException"), "refused"),
        (lambda _: failure("AccessDeniedException"), "refused"),
        (lambda _: failure("ProvisionedThroughputExceededException"), "throttled"),
        (lambda _: failure("InternalServerError", 500), "unavailable"),
        (lambda _: reply(b"<html>"), "unavailable"),
        (lambda _: None, "unavailable"),
    ],
)
async def test_a_broken_store_is_served_without(answer: Answer, reason: str) -> None:
    with ScriptedAws(answer) as server:
        gateway = Gateway(server)
        cache = gateway.cache()

        found = await cache.get([key(1)])
        cache.put(vectors(3), TTL, OWNER)()

    assert found == {}
    assert gateway.failures == [reason, reason]


async def test_a_store_that_cannot_be_reached_is_served_without() -> None:
    with ScriptedAws(lambda _: None) as server:
        gateway = Gateway(server)
        cache = gateway.cache()

    assert await cache.get([key(1)]) == {}
    assert gateway.failures == ["unavailable"]


async def test_a_slow_store_is_served_without() -> None:
    is_over = threading.Event()

    def answer_too_late(request: Request) -> bytes:
        is_over.wait(5)
        return Table()(request)

    with ScriptedAws(answer_too_late) as server:
        gateway = Gateway(server)

        found = await gateway.cache(over_usual=-0.4).get([key(1)])
        is_over.set()

    assert found == {}
    assert gateway.failures == ["timeout"]


async def test_what_arrived_before_a_store_broke_is_used() -> None:
    table = Table()

    def break_in_the_second_batch(request: Request) -> bytes:
        first = request.operation == "BatchWriteItem" or base64.b64encode(key(0)) in request.body
        return table(request) if first else failure("InternalServerError", 500)

    with ScriptedAws(break_in_the_second_batch) as server:
        gateway = Gateway(server)
        gateway.cache().put(vectors(200), TTL, OWNER)()

        found = await gateway.cache().get(list(vectors(200)))

    assert found == vectors(100)
    assert gateway.failures == ["unavailable"]


async def test_replies_that_were_given_up_are_never_taken_for_another_call() -> None:
    table, breaks = Table(), [True]

    def break_in_the_first_batch(request: Request) -> bytes:
        if breaks[0] and request.operation == "BatchGetItem" and base64.b64encode(key(0)) in request.body:
            return failure("InternalServerError", 500)
        return table(request)

    with ScriptedAws(break_in_the_first_batch) as server:
        gateway = Gateway(server)
        gateway.cache().put(vectors(500), TTL, OWNER)()
        cache = gateway.cache()
        await cache.get(list(vectors(500)))
        breaks[0] = False

        found = [await cache.get([key(number)]) for number in (0, 1, 400)]

    assert found == [{key(number): vectors(500)[key(number)]} for number in (0, 1, 400)]
    assert gateway.failures == ["unavailable"]


async def test_a_store_that_keeps_failing_is_left_alone_for_a_while() -> None:
    with ScriptedAws(lambda _: failure("InternalServerError", 500)) as server:
        gateway = Gateway(server)
        cache = gateway.cache()
        for _ in range(FAILURES_IN_A_ROW + 2):
            await cache.get([key(1)])
        asked_before = len(server.requests)
        gateway.now += PAUSE

        await cache.get([key(1)])

    assert asked_before == FAILURES_IN_A_ROW
    assert len(server.requests) == FAILURES_IN_A_ROW + 1
    assert gateway.failures == ["unavailable"] * 3 + ["paused"] * 2 + ["unavailable"]


@pytest.mark.parametrize("ttl", [0, -1])
async def test_nothing_is_kept_where_the_model_does_not_allow_it(ttl: int) -> None:
    with ScriptedAws(Table()) as server:
        cache = Gateway(server).cache()
        cache.put(vectors(3), ttl, OWNER)()

        found = await cache.get(list(vectors(3)))

    assert found == {}


async def test_nothing_asked_is_nothing_sent() -> None:
    with ScriptedAws(Table()) as server:
        cache = Gateway(server).cache()

        found = await cache.get([])
        cache.put({}, TTL, OWNER)()

    assert found == {}
    assert server.requests == []
