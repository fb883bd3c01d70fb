"""Vectors already computed: in memory and in DynamoDB."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from gateway.aws.dynamodb import DynamoDb
from gateway.core.ports import CachedVector, VectorCache
from gateway.stores.circuit_breaker import AdaptiveTimeout
from gateway.stores.vector_cache import TableVectorCache
from tests.fakes.stores import MemoryVectorCache

TTL = 60
OWNER = b"8 bytes!"


@dataclass
class Place:
    """Where vectors are kept; `function` is the cache of one warm function."""

    function: Callable[[], VectorCache]
    now: list[float]


@pytest.fixture
def failures() -> list[str]:
    return []


@pytest.fixture(params=["memory", "emulator"])
def place(request: pytest.FixtureRequest, failures: list[str]) -> Place:
    now = [2_000_000_000.0]  # in the future, or the emulator would delete what has expired
    if request.param == "memory":
        store = MemoryVectorCache(lambda: now[0])
        return Place(lambda: store, now)
    aws, make_table = map(request.getfixturevalue, ("aws", "make_table"))
    table, dynamodb = make_table("key:B"), DynamoDb(aws)

    def function() -> VectorCache:
        return TableVectorCache(
            dynamodb,
            table=table,
            clock=lambda: now[0],
            on_failure=failures.append,
            make_timeout=lambda: AdaptiveTimeout(10),
        )

    return Place(function, now)


@pytest.fixture(autouse=True)
def nothing_failed(failures: list[str]) -> object:
    yield
    assert failures == []


def key(number: int) -> bytes:
    return number.to_bytes(32, "big")


def vectors(count: int, size: int = 8) -> dict[bytes, CachedVector]:
    return {
        key(number): CachedVector(vector=number.to_bytes(4, "little") * (size // 4), tokens=number)
        for number in range(count)
    }


async def test_what_was_put_is_found_by_every_function(place: Place) -> None:
    place.function().put(vectors(3), TTL, OWNER)()

    found = await place.function().get([key(2), key(9), key(0)])

    assert found == {number: vectors(3)[number] for number in (key(2), key(0))}


@pytest.mark.parametrize("count", [1, 25, 26, 100, 101, 250])
async def test_any_number_of_vectors_is_found(place: Place, count: int) -> None:
    place.function().put(vectors(count, size=6144), TTL, OWNER)()

    found = await place.function().get(list(vectors(count + 10)))

    assert found == vectors(count, size=6144)


async def test_any_bytes_come_back(place: Place) -> None:
    every_byte = CachedVector(vector=memoryview(bytes(range(256))), tokens=0)
    place.function().put({bytes(range(32)): every_byte}, TTL, OWNER)()

    found = await place.function().get([bytes(range(32))])

    assert found == {bytes(range(32)): CachedVector(vector=bytes(range(256)), tokens=0)}


async def test_a_vector_that_is_put_again_replaces_the_first(place: Place) -> None:
    place.function().put({key(0): CachedVector(vector=b"old!", tokens=1)}, TTL, OWNER)()
    place.function().put({key(0): CachedVector(vector=b"new!", tokens=2)}, TTL, OWNER)()

    found = await place.function().get([key(0)])

    assert found == {key(0): CachedVector(vector=b"new!", tokens=2)}


async def test_a_vector_is_found_until_it_expires(place: Place) -> None:
    place.function().put(vectors(1), TTL, OWNER)()

    place.now[0] += TTL - 1
    before = await place.function().get([key(0)])
    place.now[0] += 1
    after = await place.function().get([key(0)])

    assert before == vectors(1)
    assert after == {}


async def test_nothing_is_kept_for_no_time(place: Place) -> None:
    place.function().put(vectors(1), 0, OWNER)()

    found = await place.function().get([key(0)])

    assert found == {}


async def test_nothing_in_nothing_out(place: Place) -> None:
    place.function().put({}, TTL, OWNER)()

    found = await place.function().get([])

    assert found == {}
