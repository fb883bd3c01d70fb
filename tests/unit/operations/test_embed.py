"""N inputs give N vectors in input order, whatever the cache knows and whatever fails."""

import array
import asyncio
import math
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import errors
from gateway.core.caller import Limits, Workspace
from gateway.core.catalogue import Model, Prefix, Symmetry
from gateway.core.embedding import CacheUse, Embedded, EmbeddingRequest, EmbeddingResult, Input, Item, Purpose
from gateway.core.estimates import estimate_tokens
from gateway.core.facts import NOTHING_DONE, Facts
from gateway.core.ports import CachedVector, PendingWrite, ProviderCall
from gateway.core.token_weights import Weights
from gateway.core.vectors import as_array
from gateway.operations.embed import Embed
from tests.fakes.echo_provider import EchoProvider, echo_tokens, echo_vector
from tests.fakes.models import make_caller, make_model, make_provider, make_route
from tests.fakes.stores import MemoryCatalogue, MemoryVectorCache, OpenRateLimits

HELLO_WORLD = estimate_tokens("hello world")


@dataclass
class Cache(MemoryVectorCache):
    """A cache that counts how often it is read."""

    reads: int = 0

    async def get(self, keys: Sequence[bytes]) -> Mapping[bytes, CachedVector]:
        assert len(set(keys)) == len(keys)
        self.reads += 1
        return await super().get(keys)


@dataclass
class Stage:
    """An `Embed` with everything around it in sight. `facts` are those of the latest request, served or failed."""

    model: Model = field(default_factory=make_model)
    provider: EchoProvider = field(default_factory=EchoProvider)
    rate_limits: OpenRateLimits = field(default_factory=OpenRateLimits)
    cache: Cache = field(default_factory=lambda: Cache(lambda: 0.0))
    max_time: float = 25.0
    now: float = 0.0
    workspace: Workspace = field(default_factory=lambda: make_caller().workspace)
    facts: Facts = NOTHING_DONE

    async def ask(self, *inputs: str | tuple[int, ...], **asked: Any) -> Embedded:
        """The answer for inputs that differ in nothing else; what is not the request's is each input's."""
        of_items = {name: asked.pop(name) for name in ("purpose", "title", "dimensions") if name in asked}
        return await self.ask_items(*(Item(content=content, **of_items) for content in inputs), **asked)

    async def ask_items(
        self,
        *items: Item,
        pending: list[PendingWrite] | None = None,
        model: str = "echo",
        seconds_left: float = math.inf,
        **asked: Any,
    ) -> Embedded:
        embed = Embed(
            region="eu",
            catalogue=MemoryCatalogue([self.model], providers=[make_provider()]),
            rate_limits=self.rate_limits,
            cache=self.cache,
            provider={"echo": self.provider}.__getitem__,
            clock=lambda: self.now,
            max_time=self.max_time,
        )
        request = EmbeddingRequest(model=model, items=items, **asked)
        try:
            served = await embed(request, make_caller(workspace=self.workspace), pending, seconds_left=seconds_left)
        except errors.GatewayError as error:
            self.facts = error.facts
            raise
        self.facts = served.facts
        return served.embedded


def expected(inputs: Sequence[str]) -> tuple[bytes, ...]:
    return tuple(echo_vector(item, 8) for item in inputs)


few_texts = st.lists(st.sampled_from(["a", "b b", "c c c", "d", "e", "F", "f", " f"]), min_size=1, max_size=12)


@given(inputs=few_texts, known=st.sets(st.sampled_from(["a", "b b", "c c c", "d", "e", "F"])), most=st.integers(1, 5))
def test_order_and_count_hold_under_every_mask_of_hits_misses_and_duplicates(
    inputs: list[str], known: set[str], most: int
) -> None:
    stage = Stage(model=make_model(routes=(make_route(max_inputs=most, concurrency=2),)))
    if known:
        asyncio.run(stage.ask(*sorted(known)))
        stage.provider.calls.clear()

    embedded = asyncio.run(stage.ask(*inputs))

    assert embedded.vectors == expected(inputs)
    assert sorted(map(str, stage.provider.inputs)) == sorted(set(inputs) - known)
    assert stage.facts.hits == sum(item in known for item in inputs)
    assert stage.facts.misses == len(inputs) - stage.facts.hits
    assert embedded.usage.tokens == sum(map(echo_tokens, inputs))
    assert embedded.usage.tokens - embedded.usage.cached == sum(map(echo_tokens, set(inputs) - known))


def by_purpose(*, shortenable: bool, max_inputs: int) -> Model:
    """A model that takes every kind of item. If it is not `shortenable`, the vendor makes its shorter vectors."""
    return make_model(
        shortenable=shortenable,
        dimension_choices=(3, 5),
        accepts_title=True,
        symmetry=Symmetry.BY_PURPOSE,
        purposes={
            Purpose.QUERY: "native",
            Purpose.DOCUMENT: Prefix("passage: "),
            Purpose.CLUSTERING: Prefix("group: "),
        },
        routes=(make_route(max_inputs=max_inputs, accepts_dimensions=not shortenable),),
    )


few_items = st.lists(
    st.builds(
        Item,
        content=st.sampled_from(["a", "b b", "c c c", "d"]),
        purpose=st.sampled_from([None, Purpose.QUERY, Purpose.DOCUMENT, Purpose.CLUSTERING]),
        title=st.sampled_from([None, None, "On a"]),
        dimensions=st.sampled_from([None, 3, 5, 8]),
    ),
    min_size=1,
    max_size=12,
)
Made = tuple[Input, Purpose | None, str | None]
"""What an upstream vector is made from: the text with its prefix, the vendor's purpose, the title."""


def made_from(item: Item) -> Made:
    prefix = {Purpose.DOCUMENT: "passage: ", Purpose.CLUSTERING: "group: "}.get(item.purpose or Purpose.QUERY, "")
    return f"{prefix}{item.content}", item.purpose if item.purpose is Purpose.QUERY else None, item.title


def asked_upstream(provider: EchoProvider) -> list[tuple[Made, int]]:
    """Everything that was asked of the provider, and at what length."""
    return [
        ((content, call.purpose, call.title), call.dimensions or call.native_dimensions)
        for call in provider.calls
        for content in call.inputs
    ]


def upstream(item: Item, *, shortenable: bool) -> tuple[Made, int]:
    """What the provider is asked for that item, and at what length."""
    return made_from(item), 8 if shortenable else item.dimensions or 8


def assert_each_has_its_own(embedded: Embedded, items: Sequence[Item]) -> None:
    for item, vector in zip(items, embedded.vectors, strict=True):
        content, purpose, title = made_from(item)
        wanted = echo_vector(content, item.dimensions or 8, purpose=purpose, title=title)
        assert len(vector) == len(wanted)
        assert as_array(vector) == pytest.approx(as_array(wanted), abs=1e-6)


@given(items=few_items, known=st.just([]) | few_items, shortenable=st.booleans(), max_inputs=st.integers(1, 5))
def test_each_input_has_its_own_purpose_title_and_length(
    *, items: list[Item], known: list[Item], shortenable: bool, max_inputs: int
) -> None:
    stage = Stage(model=by_purpose(shortenable=shortenable, max_inputs=max_inputs))
    cached, wanted = ({upstream(item, shortenable=shortenable) for item in some} for some in (known, items))
    if known:
        asyncio.run(stage.ask_items(*known))
        stage.provider.calls.clear()

    embedded = asyncio.run(stage.ask_items(*items))

    assert_each_has_its_own(embedded, items)
    assert stage.facts.hits == sum(upstream(item, shortenable=shortenable) in cached for item in items)
    asked = asked_upstream(stage.provider)
    assert len(asked) == len(set(asked))
    assert set(asked) == wanted - cached

    assert_each_has_its_own(asyncio.run(stage.ask_items(*items)), items)
    assert asked_upstream(stage.provider) == asked


async def test_three_lengths_of_one_model_are_one_reservation_one_cache_read_and_one_call() -> None:
    stage = Stage(model=make_model(shortenable=True))

    embedded = await stage.ask_items(
        *(Item(content=text, dimensions=length) for text, length in (("a", 2), ("b", 3), ("c", None), ("a", 8)))
    )

    assert [len(vector) // 4 for vector in embedded.vectors] == [2, 3, 8, 8]
    assert stage.rate_limits.reserved == [9]
    assert stage.cache.reads == 1
    assert [(call.inputs, call.dimensions) for call in stage.provider.calls] == [(("a", "b", "c"), None)]


@given(inputs=few_texts, dimensions=st.integers(1, 8))
def test_a_hit_is_indistinguishable_from_a_fresh_answer(inputs: list[str], dimensions: int) -> None:
    stage = Stage(model=make_model(shortenable=True))

    fresh = asyncio.run(stage.ask(*inputs, dimensions=dimensions))
    hit = asyncio.run(stage.ask(*inputs, dimensions=dimensions))

    assert [bytes(vector) for vector in hit.vectors] == [bytes(vector) for vector in fresh.vectors]
    assert hit.usage.tokens == fresh.usage.tokens
    assert hit.usage.cached == hit.usage.tokens


async def test_shorter_vectors_come_from_the_longest_one_cached() -> None:
    stage = Stage(model=make_model(shortenable=True))
    await stage.ask("a")

    short = await stage.ask("a", dimensions=3)

    assert len(stage.provider.calls) == 1
    assert len(short.vectors[0]) == 3 * 4


async def test_no_cache_asks_again_and_remembers() -> None:
    stage = Stage()
    await stage.ask("a")

    await stage.ask("a", cache=CacheUse(read=False))

    assert stage.provider.inputs == ["a", "a"]
    assert len(stage.cache.vectors) == 1


async def test_no_store_leaves_nothing_behind() -> None:
    stage = Stage()

    await stage.ask("a", cache=CacheUse(read=False, write=False))

    assert not stage.cache.vectors


async def test_a_model_without_ttl_is_never_cached() -> None:
    stage = Stage(model=make_model(cache_ttl=0))
    await stage.ask("a")

    await stage.ask("a")

    assert stage.provider.inputs == ["a", "a"]


async def test_a_model_that_lost_its_ttl_is_no_longer_read_from_the_cache() -> None:
    stage = Stage()
    await stage.ask("a")
    stage.model = make_model(cache_ttl=0)

    await stage.ask("a")

    assert stage.provider.inputs == ["a", "a"]


async def test_a_vector_is_cached_for_as_long_as_its_model_says() -> None:
    stage = Stage(model=make_model(cache_ttl=60))

    await stage.ask("a")

    assert [expires_at for _, expires_at in stage.cache.vectors.values()] == [60]


async def test_an_alias_is_answered_under_the_name_of_its_model() -> None:
    stage = Stage(model=make_model(aliases=("nickname",)))

    embedded = await stage.ask("a", model="nickname")

    assert (embedded.model, stage.facts.model) == ("echo", "echo")


async def test_what_a_failed_request_did_compute_is_not_paid_twice() -> None:
    stage = Stage(model=make_model(routes=(make_route(max_inputs=1),)))
    stage.provider.fails = lambda call: errors.ProviderUnavailable("down") if call.inputs == ("b",) else None
    with pytest.raises(errors.ProviderUnavailable):
        await stage.ask("a", "b", "c")
    stage.provider.fails = lambda _: None
    stage.provider.calls.clear()

    embedded = await stage.ask("a", "b", "c")

    assert embedded.vectors == expected(["a", "b", "c"])
    assert stage.provider.inputs == ["b"]


def too_long(call: ProviderCall) -> errors.InputTooLong | None:
    """What a provider says of the text "long"."""
    return call.input_too_long(call.inputs.index("long"), tokens=300, limit=256) if "long" in call.inputs else None


async def test_an_input_that_is_too_long_has_its_number_in_the_request() -> None:
    stage = Stage(model=make_model(routes=(make_route(max_inputs=2),)))
    await stage.ask("known")
    stage.provider.fails = too_long

    with pytest.raises(errors.InputTooLong, match="input 5 has 300 tokens") as caught:
        await stage.ask("known", "a", "a", "b", "c", "long")

    assert (caught.value.index, caught.value.param) == (5, "input[5]")


async def test_an_input_that_is_too_long_has_its_number_among_inputs_of_all_purposes() -> None:
    stage = Stage(model=by_purpose(shortenable=True, max_inputs=2), provider=EchoProvider(fails=too_long))
    query, title = {"purpose": Purpose.QUERY}, {"title": "On a"}
    asked: list[dict[str, Any]] = [{}, query, title, query, {}, query, {"dimensions": 3}]
    texts = ["a", "a", "a", "b", "b", "long", "c"]

    with pytest.raises(errors.InputTooLong, match="input 5 has 300 tokens") as caught:
        await stage.ask_items(*(Item(content=text, **how) for text, how in zip(texts, asked, strict=True)))

    assert caught.value.index == 5


async def test_the_estimate_is_settled_by_what_the_vendor_counted() -> None:
    stage = Stage()

    await stage.ask("one two three four")

    assert stage.rate_limits.reserved == [estimate_tokens("one two three four")]
    assert stage.rate_limits.settled == [4]


@pytest.mark.parametrize(
    ("text", "reserved"),
    [
        ("they " * 10, estimate_tokens("they " * 10)),
        ("aeon " * 300, 500),
        ("a b " * 300, 600),
        ("!" * 3000, estimate_tokens("!" * 3000)),
    ],
    ids=["it fits", "it may fit", "it cannot fit", "it is far too large"],
)
async def test_a_text_that_may_fit_the_budget_reserves_all_of_it(text: str, reserved: int) -> None:
    stage = Stage(workspace=Workspace(name="acme", limits=Limits(tokens=500)))

    await stage.ask(text)

    assert stage.rate_limits.reserved == [reserved]


def nearly_empty() -> OpenRateLimits:
    """Rate limits that admit five tokens at most."""
    refusal = errors.AllowanceExhausted("wait", retry_after=3, limited_by="tokens")
    return OpenRateLimits(refuses=lambda tokens: refusal if tokens > 5 else None)


async def test_what_the_cache_knows_needs_no_allowance() -> None:
    stage = Stage()
    await stage.ask("one two three four five six")
    stage.rate_limits = nearly_empty()

    await stage.ask("one two three four five six", "a")

    assert (stage.facts.hits, stage.rate_limits.reserved) == (1, [3])


async def test_a_request_of_hits_alone_counts_as_a_request_without_tokens() -> None:
    stage = Stage()
    await stage.ask("a", "b")

    await stage.ask("b", "a")

    assert stage.rate_limits.reserved == [3 + 3, 0]
    assert stage.rate_limits.settled == [2, 0]


async def test_what_the_cache_knows_is_not_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    """64 hits would pay more for estimates than for anything else of ours."""
    stage = Stage()
    await stage.ask("known", "also known")
    estimated: list[Input] = []

    def estimate(item: Input, _: Weights) -> int:
        estimated.append(item)
        return 7

    monkeypatch.setattr("gateway.core.estimates.estimate_tokens", estimate)

    await stage.ask("known", "also known")
    await stage.ask("known", "new")

    assert estimated == ["new"]


async def test_what_the_cache_does_not_know_needs_its_own() -> None:
    stage = Stage(rate_limits=nearly_empty())

    with pytest.raises(errors.AllowanceExhausted):
        await stage.ask("one two three four five six")


async def test_a_text_that_stands_twice_is_reserved_once() -> None:
    stage = Stage()

    await stage.ask("a", "a", "a")

    assert stage.rate_limits.reserved == [3]


async def test_hits_cost_no_tokens() -> None:
    stage = Stage()
    await stage.ask("a b")

    await stage.ask("a b", "c")

    assert stage.rate_limits.settled == [2, 1]


async def test_a_failed_request_is_settled_at_nothing() -> None:
    stage = Stage()
    stage.provider.fails = lambda _: errors.ProviderUnavailable("down")

    with pytest.raises(errors.ProviderUnavailable):
        await stage.ask("a")

    assert stage.rate_limits.settled == [0]


async def test_a_vendors_total_is_shared_out_among_the_inputs_it_counted() -> None:
    stage = Stage(provider=EchoProvider(tells_counts=False))

    embedded = await stage.ask("a b c", "d")

    assert embedded.usage.tokens == 4
    assert sum(vector.tokens for vector, _ in stage.cache.vectors.values()) == 4


async def test_a_vendor_that_counts_nothing_is_billed_by_estimate() -> None:
    stage = Stage(provider=EchoProvider(tells_total=False, tells_counts=False))

    embedded = await stage.ask("a", "hello world")

    assert embedded.usage.tokens == 3 + HELLO_WORLD
    assert embedded.usage.estimated


async def test_counts_per_input_are_no_estimate_though_there_is_no_total() -> None:
    stage = Stage(provider=EchoProvider(tells_total=False))

    embedded = await stage.ask("a", "hello world")

    assert embedded.usage.tokens == 1 + 2
    assert not embedded.usage.estimated


@pytest.mark.parametrize(
    ("counted", "tokens"), [(4 * HELLO_WORLD, 4 * HELLO_WORLD), (4 * HELLO_WORLD + 1, HELLO_WORLD)]
)
async def test_a_vendor_is_believed_up_to_four_times_our_estimate(counted: int, tokens: int) -> None:
    stage = Stage(
        provider=EchoProvider(tells_counts=False, spoils=lambda result: msgspec.structs.replace(result, tokens=counted))
    )

    embedded = await stage.ask("hello world")

    assert embedded.usage.tokens == tokens


async def test_a_vendor_that_counts_more_tokens_than_there_are_bytes_is_not_believed() -> None:
    stage = Stage(
        provider=EchoProvider(tells_counts=False, spoils=lambda result: msgspec.structs.replace(result, tokens=10**30)),
    )

    embedded = await stage.ask("hello world")

    assert embedded.usage.tokens == HELLO_WORLD
    assert stage.rate_limits.settled == [HELLO_WORLD]
    assert embedded.usage.estimated


SPOILS = {
    "a vector too few": lambda result: msgspec.structs.replace(result, vectors=result.vectors[1:]),
    "a vector too many": lambda result: msgspec.structs.replace(result, vectors=(*result.vectors, result.vectors[0])),
    "a vector too short": lambda result: msgspec.structs.replace(
        result, vectors=(result.vectors[0][:-4], *result.vectors[1:])
    ),
}


@pytest.mark.parametrize("how", SPOILS)
async def test_an_answer_that_does_not_fit_is_neither_served_nor_remembered(how: str) -> None:
    spoil: Any = SPOILS[how]
    stage = Stage(provider=EchoProvider(spoils=spoil))

    with pytest.raises(errors.ProviderMisbehaved):
        await stage.ask("a", "b")

    assert not stage.cache.vectors


async def test_slices_go_side_by_side_but_no_more_than_the_route_allows() -> None:
    under_way, most = 0, 0

    class Slow(EchoProvider):
        async def embed(self, call: ProviderCall) -> EmbeddingResult:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0)
            under_way -= 1
            return await super().embed(call)

    stage = Stage(model=make_model(routes=(make_route(max_inputs=1, concurrency=3),)), provider=Slow())

    await stage.ask(*"abcdefgh")

    assert most == 3


async def test_a_provider_that_hangs_is_given_up_and_what_others_computed_is_kept() -> None:
    class HangsAtB(EchoProvider):
        async def embed(self, call: ProviderCall) -> EmbeddingResult:
            if call.inputs == ("b",):
                await asyncio.sleep(call.timeout)
                raise errors.ProviderTimeout("The provider did not answer in time.")
            return await super().embed(call)

    stage = Stage(model=make_model(routes=(make_route(max_inputs=1),)), provider=HangsAtB(), max_time=0.05)

    with pytest.raises(errors.ProviderTimeout):
        await stage.ask("a", "b", "c")

    assert len(stage.cache.vectors) == 2


@pytest.mark.parametrize(("max_time", "allowed"), [(15, [15, 5]), (20, [20, 10])])
async def test_no_call_is_made_for_which_no_time_is_left(max_time: float, allowed: list[float]) -> None:
    class TakesTenSeconds(EchoProvider):
        async def embed(self, call: ProviderCall) -> EmbeddingResult:
            granted.append(call.timeout)
            stage.now += 10
            return await super().embed(call)

    granted: list[float] = []
    model = make_model(routes=(make_route(max_inputs=1, concurrency=1),))
    stage = Stage(model=model, provider=TakesTenSeconds(), max_time=max_time, now=1_000.0)

    with pytest.raises(errors.ProviderTimeout):
        await stage.ask("a", "b", "c")

    assert granted == allowed
    assert len(stage.cache.vectors) == 2


async def test_every_write_is_finished_on_return() -> None:
    stage = Stage()

    await stage.ask("a")

    assert (stage.rate_limits.settled, len(stage.cache.vectors)) == ([1], 1)


async def test_every_write_is_finished_when_a_request_fails() -> None:
    stage = Stage(model=make_model(routes=(make_route(max_inputs=1),)))
    stage.provider.fails = lambda call: errors.ProviderUnavailable("down") if call.inputs == ("b",) else None

    with pytest.raises(errors.ProviderUnavailable):
        await stage.ask("a", "b")

    assert (stage.rate_limits.settled, len(stage.cache.vectors)) == ([1], 1)


UNFORESEEN = [ZeroDivisionError(), OverflowError(), UnicodeError(), MemoryError(), RecursionError(), KeyError("b")]
"""Of these no provider says a word."""


@pytest.mark.parametrize("unforeseen", [*UNFORESEEN, asyncio.CancelledError()], ids=lambda error: type(error).__name__)
async def test_what_nobody_foresaw_leaves_nothing_under_way_and_nothing_unpaid(unforeseen: BaseException) -> None:
    class Broken(EchoProvider):
        async def embed(self, call: ProviderCall) -> EmbeddingResult:
            await asyncio.sleep(0.01 if call.inputs == ("a",) else 0)
            if call.inputs == ("b",):
                raise unforeseen
            return await super().embed(call)

    stage = Stage(model=make_model(routes=(make_route(max_inputs=1),)), provider=Broken())

    with pytest.raises(type(unforeseen)):
        await stage.ask("a", "b")

    assert (stage.provider.inputs, stage.rate_limits.settled, len(stage.cache.vectors)) == (["a"], [1], 1)


async def test_a_request_that_is_cancelled_pays_and_keeps_what_was_done_by_then() -> None:
    class Slow(EchoProvider):
        async def embed(self, call: ProviderCall) -> EmbeddingResult:
            if call.inputs == ("b",):
                await asyncio.sleep(60)
            return await super().embed(call)

    stage = Stage(model=make_model(routes=(make_route(max_inputs=1, concurrency=2),)), provider=Slow())

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await stage.ask("a", "b")

    assert (stage.provider.inputs, stage.rate_limits.settled, len(stage.cache.vectors)) == (["a"], [1], 1)


@pytest.mark.parametrize("unforeseen", UNFORESEEN, ids=lambda error: type(error).__name__)
async def test_a_cache_that_cannot_be_written_leaves_the_reservation_settled(unforeseen: Exception) -> None:
    class Unwritable(Cache):
        def put(self, vectors: Mapping[bytes, CachedVector], ttl: int, owner: bytes) -> PendingWrite:
            raise unforeseen

    stage = Stage(cache=Unwritable(lambda: 0.0))

    with pytest.raises(type(unforeseen)):
        await stage.ask("a b")

    assert stage.rate_limits.settled == [2]


@pytest.mark.parametrize("fails", [False, True])
async def test_a_caller_that_renders_meanwhile_finishes_the_writes_itself(*, fails: bool) -> None:
    stage = Stage(model=make_model(routes=(make_route(max_inputs=1),)))
    stage.provider.fails = lambda call: errors.ProviderUnavailable("down") if fails and "b" in call.inputs else None
    pending: list[PendingWrite] = []

    with pytest.raises(errors.ProviderUnavailable) if fails else nullcontext():
        await stage.ask("a", "b", pending=pending)
    finished_before = (list(stage.rate_limits.settled), len(stage.cache.vectors))
    for finish in pending:
        finish()

    assert finished_before == ([], 0)
    assert (stage.rate_limits.settled, len(stage.cache.vectors)) == (([1], 1) if fails else ([2], 2))


async def test_nothing_is_pending_after_a_request_that_was_not_admitted() -> None:
    stage, pending = Stage(rate_limits=nearly_empty()), list[PendingWrite]()

    with pytest.raises(errors.AllowanceExhausted):
        await stage.ask("one two three four five six", pending=pending)

    assert pending == []


@pytest.mark.parametrize(("vendor", "length"), [({"normalised": True}, 0.2), ({"normalised": False}, 1.0)])
async def test_vectors_that_a_vendor_only_cuts_are_given_length_one(vendor: dict[str, Any], length: float) -> None:
    tenths = array.array("f", [0.1] * 4).tobytes()
    stage = Stage(
        model=make_model(dimension_choices=(4,), **vendor, routes=(make_route(accepts_dimensions=True),)),
        provider=EchoProvider(spoils=lambda result: msgspec.structs.replace(result, vectors=(tenths,))),
    )

    embedded = await stage.ask("a", dimensions=4)

    assert math.hypot(*array.array("f", bytes(embedded.vectors[0]))) == pytest.approx(length)


@pytest.mark.parametrize(("normalised", "length"), [(True, 0.08**0.5), (False, 1.0)])
async def test_a_vector_of_native_length_is_scaled_only_where_its_row_says_it_may_not_be(
    *, normalised: bool, length: float
) -> None:
    tenths = array.array("f", [0.1] * 8).tobytes()
    stage = Stage(
        model=make_model(normalised=normalised),
        provider=EchoProvider(spoils=lambda result: msgspec.structs.replace(result, vectors=(tenths,))),
    )

    embedded = await stage.ask("a")

    (found,) = embedded.vectors
    assert math.hypot(*memoryview(found).cast("B").cast("f")) == pytest.approx(length)
    assert found == tenths or not normalised


async def test_the_facts_say_what_was_done() -> None:
    class TakesASecond(EchoProvider):
        async def embed(self, call: ProviderCall) -> EmbeddingResult:
            stage.now += 1
            return await super().embed(call)

    stage = Stage(provider=TakesASecond())
    await stage.ask("a")

    await stage.ask("a", "b b", "b b")

    assert stage.facts == Facts(
        model="echo",
        route="echo-eu",
        inputs=3,
        hits=1,
        misses=2,
        input_tokens=5,
        billed_tokens=2,
        upstream_calls=1,
        upstream_time=1.0,
        allowance=await OpenRateLimits().reserve(make_caller(workspace=stage.workspace), estimate_tokens("b b")),
    )


async def test_an_input_that_the_cache_may_not_be_asked_for_is_a_miss() -> None:
    stage = Stage()
    await stage.ask("a")

    await stage.ask("a", cache=CacheUse(read=False))

    assert (stage.facts.hits, stage.facts.misses) == (0, 1)


async def test_a_request_for_an_unknown_model_has_no_facts() -> None:
    stage = Stage()

    with pytest.raises(errors.ModelNotFound):
        await stage.ask("a", model="nobody")

    assert stage.facts == NOTHING_DONE


async def test_a_request_that_cannot_be_planned_has_a_model() -> None:
    stage = Stage()

    with pytest.raises(errors.UnsupportedParameter):
        await stage.ask("a", dimensions=9)

    assert stage.facts == Facts(model="echo", inputs=1)


async def test_a_request_that_was_not_admitted_has_a_route_and_no_misses() -> None:
    stage = Stage()
    await stage.ask("known")
    left = stage.rate_limits.remaining(make_caller(workspace=stage.workspace))
    refusal = errors.AllowanceExhausted("wait", retry_after=3, limited_by="requests", allowance=left)
    stage.rate_limits.refuses = lambda _: refusal
    stage.provider.calls.clear()

    with pytest.raises(errors.AllowanceExhausted):
        await stage.ask("known", "a")

    assert stage.facts == Facts(model="echo", route="echo-eu", inputs=2, allowance=left)
    assert not stage.provider.calls


async def test_a_request_that_a_provider_failed_has_the_facts_of_the_calls_that_succeeded() -> None:
    stage = Stage(model=make_model(routes=(make_route(max_inputs=1),)))
    await stage.ask("known")
    stage.provider.fails = lambda call: errors.ProviderUnavailable("down") if call.inputs == ("b",) else None

    with pytest.raises(errors.ProviderUnavailable):
        await stage.ask("a a", "known", "b")

    assert msgspec.structs.replace(stage.facts, allowance=None) == Facts(
        model="echo", route="echo-eu", inputs=3, hits=1, misses=2, billed_tokens=2, upstream_calls=2
    )


async def test_providers_have_no_more_time_than_the_invocation_has_left() -> None:
    granted: list[float] = []

    class Notes(EchoProvider):
        async def embed(self, call: ProviderCall) -> EmbeddingResult:
            granted.append(call.timeout)
            return await super().embed(call)

    stage = Stage(provider=Notes())

    await stage.ask("a", seconds_left=4.0)

    assert granted == [4.0]


async def test_a_workspace_made_again_under_an_old_name_finds_nothing_of_its_predecessor() -> None:
    stage = Stage()
    for workspace_id in ("", "ab" * 8, "cd" * 8):
        stage.workspace = Workspace(name="acme", id=workspace_id)
        await stage.ask("a")

    assert stage.provider.inputs == ["a", "a", "a"]
    assert sorted(stage.cache.owners.values()) == sorted([Workspace(name="acme").cache_owner, b"\xab" * 8, b"\xcd" * 8])
