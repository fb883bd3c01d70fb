"""A warm function remembers what it used latest, and never more than it may."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.ports import CachedVector
from gateway.stores.vector_cache import OVERHEAD, VectorMemory

KEYS = [bytes([number]) * 32 for number in range(8)]


def vector(size: int = 16, tokens: int = 3) -> CachedVector:
    return CachedVector(vector=bytes(size), tokens=tokens)


@given(st.lists(st.tuples(st.sampled_from(KEYS), st.integers(0, 2000), st.booleans()), max_size=60))
def test_memory_never_holds_more_bytes_than_it_may(steps: list[tuple[bytes, int, bool]]) -> None:
    memory = VectorMemory(6000, lambda: 0.0)

    for key, size, reads in steps:
        if reads:
            memory.get(key)
        else:
            memory.put(key, vector(size), 1.0)

    held = [kept for key in KEYS if (kept := memory.get(key))]
    assert memory.used == sum(len(kept.vector) + OVERHEAD for kept in held) <= 6000


def test_the_vector_used_longest_ago_makes_room() -> None:
    memory = VectorMemory(2 * (16 + OVERHEAD), lambda: 0.0)
    memory.put(KEYS[0], vector(), 1.0)
    memory.put(KEYS[1], vector(), 1.0)
    memory.get(KEYS[0])

    memory.put(KEYS[2], vector(), 1.0)

    assert [memory.get(key) is not None for key in KEYS[:3]] == [True, False, True]


def test_a_vector_too_large_for_memory_is_not_remembered() -> None:
    memory = VectorMemory(1000, lambda: 0.0)

    memory.put(KEYS[0], vector(2000), 1.0)

    assert memory.get(KEYS[0]) is None
    assert memory.used == 0


def test_an_expired_vector_is_forgotten() -> None:
    now = [0.0]
    memory = VectorMemory(10_000, lambda: now[0])
    memory.put(KEYS[0], vector(), 10.0)
    now[0] = 10.0

    found = memory.get(KEYS[0])

    assert found is None
    assert memory.used == 0


def test_a_view_of_a_large_reply_does_not_keep_the_reply() -> None:
    reply = bytearray(1_000_000)
    memory = VectorMemory(10_000, lambda: 0.0)

    memory.put(KEYS[0], CachedVector(vector=memoryview(reply)[:16], tokens=3), 1.0)
    reply[0] = 255

    kept = memory.get(KEYS[0])
    assert kept == vector()
    assert isinstance(kept.vector, bytes)
