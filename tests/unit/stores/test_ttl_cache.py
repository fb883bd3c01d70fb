"""What is cache, for how long, and what a failure of the store does to it."""

from dataclasses import dataclass, field

import pytest

from gateway.aws.errors import AwsUnavailable, NotFound
from gateway.stores.ttl_cache import LOOK_AGAIN, TtlCache

FRESH, STALE = 60.0, 600.0


@dataclass
class Source:
    """A slow store and a clock."""

    now: float = 1000.0
    values: dict[str, int] = field(default_factory=lambda: {"a": 1})
    loads: list[str] = field(default_factory=list)
    down: bool = False

    def load(self, name: str) -> int:
        self.loads.append(name)
        if self.down:
            raise AwsUnavailable("down")
        if name not in self.values:
            raise NotFound("gone", code="ResourceNotFoundException")
        return self.values[name]

    def cache(self, size: int = 10, rereads: int = 0) -> TtlCache[int]:
        return TtlCache(
            self.load, fresh=lambda _: FRESH, stale=STALE, size=size, clock=lambda: self.now, rereads=rereads
        )


def test_a_value_is_loaded_once_while_it_is_fresh() -> None:
    source = Source()
    cache = source.cache()

    values = [cache.get("a"), cache.get("a")]

    assert values == [1, 1]
    assert source.loads == ["a"]


def test_a_value_that_is_not_fresh_any_more_is_loaded_again() -> None:
    source = Source()
    cache = source.cache()
    cache.get("a")
    source.values["a"], source.now = 2, source.now + FRESH

    value = cache.get("a")

    assert value == 2


def test_an_old_value_serves_while_the_store_is_down_and_it_is_seldom_asked() -> None:
    source = Source()
    cache = source.cache()
    cache.get("a")
    source.down, source.now = True, source.now + FRESH

    values = [cache.get("a") for _ in range(3)]

    assert values == [1, 1, 1]
    assert source.loads == ["a", "a"]


def test_the_store_is_asked_again_after_a_while_of_being_down() -> None:
    source = Source()
    cache = source.cache()
    cache.get("a")
    source.down, source.now = True, source.now + FRESH
    cache.get("a")
    source.down, source.now, source.values["a"] = False, source.now + LOOK_AGAIN, 3

    value = cache.get("a")

    assert value == 3


def test_a_value_that_is_too_old_does_not_serve() -> None:
    source = Source()
    cache = source.cache()
    cache.get("a")
    source.down, source.now = True, source.now + STALE

    with pytest.raises(AwsUnavailable):
        cache.get("a")


def test_a_failure_without_a_cache_value_is_a_failure() -> None:
    source = Source(down=True)

    with pytest.raises(AwsUnavailable):
        source.cache().get("a")


def test_what_is_gone_from_the_store_is_forgotten_even_before_it_is_stale() -> None:
    source = Source()
    cache = source.cache()
    cache.get("a")
    source.values.clear()
    source.now += FRESH

    with pytest.raises(NotFound):
        cache.get("a")
    with pytest.raises(NotFound):
        cache.get("a")


def test_a_value_that_does_not_suffice_is_loaded_again_but_not_all_the_time() -> None:
    source = Source()
    cache = source.cache()
    cache.get("a")
    source.now += LOOK_AGAIN

    values = [cache.get("a", suffices=lambda value: value > 1) for _ in range(3)]

    assert values == [1, 1, 1]
    assert source.loads == ["a", "a"]


def test_the_value_used_longest_ago_makes_room() -> None:
    source = Source(values={"a": 1, "b": 2, "c": 3})
    cache = source.cache(size=2)

    for name in ("a", "b", "a", "c", "a", "b"):
        cache.get(name)

    assert source.loads == ["a", "b", "c", "b"]


def test_a_value_that_does_not_suffice_is_loaded_again_a_few_times_at_once_and_then_seldom() -> None:
    source = Source()
    cache = source.cache(rereads=3)
    counts = []

    for seconds in (0.0, LOOK_AGAIN, LOOK_AGAIN, 2 * LOOK_AGAIN):
        source.now += seconds
        for _ in range(100):
            cache.get("a", suffices=lambda value: value > 1)
        counts.append(len(source.loads))

    assert counts == [1 + 3, 1 + 4, 1 + 5, 1 + 7]
