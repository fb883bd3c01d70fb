"""A key with limits of its own: counted beside its workspace, and never more than either admits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.aws.errors import AwsUnavailable
from gateway.core.caller import Caller, KeyLimits, Limits, Workspace
from gateway.core.errors import AllowanceExhausted, RequestTooLarge
from gateway.stores.minute_counters import Counts, PendingCounts, Write
from gateway.stores.rate_limits import SharedRateLimits
from tests.fakes.models import make_caller
from tests.fakes.stores import MemoryCounters

WINDOW = 1000
WHOLE = Limits(requests=10, tokens=100)


class Stage:
    """Counters of which one account may be down."""

    def __init__(self, *, down: str = "") -> None:
        self.counters = MemoryCounters()
        self.down = down
        self.writes = 0

    def begin(self, write: Write) -> PendingCounts:
        self.writes += 1
        if write.minute.account == self.down:
            raise AwsUnavailable("down")
        return self.counters.begin(write)

    def function(self) -> SharedRateLimits:
        return SharedRateLimits(self, clock=lambda: WINDOW * 60.0, on_fallback=lambda _: None)

    def counted(self, account: str) -> Counts:
        return self.counters.sum(WINDOW, account)


def caller(key_id: str, requests: int | None = None, tokens: int | None = None, whole: Limits = WHOLE) -> Caller:
    own = None if requests is tokens is None else KeyLimits(requests=requests, tokens=tokens).within(whole)
    return make_caller(workspace=Workspace(name="acme", limits=whole), key_id=key_id, limits=own)


async def test_a_key_is_refused_by_its_own_limit_and_the_refusal_says_so() -> None:
    function, key = Stage().function(), caller("k", requests=2)
    for _ in range(2):
        await function.reserve(key, 1)

    with pytest.raises(
        AllowanceExhausted, match=r"The key has used up its requests.*\(2 requests per minute"
    ) as caught:
        await function.reserve(key, 1)

    assert caught.value.limited_by == "requests"
    await function.reserve(caller("other"), 1)


async def test_tokens_of_a_key_are_limited_too() -> None:
    function, key = Stage().function(), caller("k", tokens=30)
    await function.reserve(key, 25)

    with pytest.raises(AllowanceExhausted, match=r"The key has used up its tokens.*30 tokens.*about 6, and 5 are left"):
        await function.reserve(key, 6)


async def test_a_key_within_its_limits_is_refused_by_its_workspaces_and_gets_back_what_it_gave() -> None:
    stage = Stage()
    function, key = stage.function(), caller("k", requests=5, tokens=50)
    await function.reserve(caller("other"), 90)

    with pytest.raises(AllowanceExhausted, match="The workspace has used up its tokens"):
        await function.reserve(key, 20)

    assert stage.counted("acme.k") == Counts()
    assert stage.counted("acme") == Counts(1, 90)


async def test_a_request_beyond_a_keys_whole_minute_is_too_large() -> None:
    with pytest.raises(RequestTooLarge, match="30 tokens per minute of this key"):
        await Stage().function().reserve(caller("k", tokens=30), 31)


async def test_the_tighter_limits_are_shown_each_for_itself() -> None:
    function, key = Stage().function(), caller("k", requests=5)
    await function.reserve(caller("other"), 60)

    reservation = await function.reserve(key, 10)

    assert reservation.limits == Limits(requests=5, tokens=100)
    assert (reservation.remaining_requests, reservation.remaining_tokens) == (4, 30)
    assert function.remaining(key).remaining_requests == 4
    assert function.remaining(caller("other")).remaining_requests == 8


async def test_what_was_used_is_settled_with_both() -> None:
    stage = Stage()
    function = stage.function()

    function.settle(await function.reserve(caller("k", tokens=50), 30), 70)()

    assert stage.counted("acme.k") == Counts(1, 70)
    assert stage.counted("acme") == Counts(1, 70)
    assert stage.counters.sum(WINDOW + 1, "acme.k").tokens == 20
    assert stage.counters.sum(WINDOW + 1, "acme").tokens == 0


async def test_only_a_key_with_limits_of_its_own_costs_a_second_write() -> None:
    stage = Stage()
    function = stage.function()

    await function.reserve(caller("plain"), 10)
    before = stage.writes
    await function.reserve(caller("k", requests=5), 10)

    assert (before, stage.writes) == (1, 3)


@pytest.mark.parametrize("down", ["acme", "acme.k"])
async def test_if_either_cannot_be_counted_the_function_counts_both_by_itself(down: str) -> None:
    stage = Stage(down=down)
    function, key = stage.function(), caller("k", requests=10, tokens=50)

    reservation = await function.reserve(key, 5)
    with pytest.raises(AllowanceExhausted, match="The key has used up"):
        await function.reserve(key, 1)

    assert reservation.local
    assert stage.counters.sum(WINDOW) == Counts()


def small(most: int) -> st.SearchStrategy[int | None]:
    return st.none() | st.integers(0, most)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 60), st.integers(0, 60)), max_size=40), st.data())
async def test_no_order_of_requests_passes_any_limit(asked: list[tuple[str, int, int]], data: st.DataObject) -> None:
    stage = Stage()
    functions = [stage.function() for _ in range(2)]
    keys = {name: caller(name, data.draw(small(8)), data.draw(small(80))) for name in "abc"}
    for number, (name, tokens, used) in enumerate(asked):
        try:
            reservation = await functions[number % 2].reserve(keys[name], tokens)
        except (AllowanceExhausted, RequestTooLarge):
            continue
        functions[number % 2].settle(reservation, min(used, tokens))()

    limits_of: dict[str, Limits | None] = {f"acme.{name}": key.limits for name, key in keys.items()}
    for account, limits in (*limits_of.items(), ("acme", WHOLE)):
        if limits:
            counted = stage.counted(account)
            assert counted.requests <= limits.requests
            assert counted.tokens <= limits.tokens


@pytest.mark.parametrize(
    ("own", "limits"),
    [
        (KeyLimits(), WHOLE),
        (KeyLimits(requests=3), Limits(requests=3, tokens=100)),
        (KeyLimits(tokens=0), Limits(requests=10, tokens=0)),
        (KeyLimits(requests=99, tokens=999), WHOLE),
    ],
)
def test_a_key_never_has_more_than_its_workspace(own: KeyLimits, limits: Limits) -> None:
    assert own.within(WHOLE) == limits
