"""N inputs give N vectors in input order, whatever the cache knows and whatever fails."""

import array
import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import errors
from gateway.core.caller import Limits, Workspace
from gateway.core.catalogue import Catalogue, Model
from gateway.core.embedding import CacheUse, Embedded, EmbeddingRequest, EmbeddingResult
from gateway.core.facts import Record
from gateway.core.ports import CachedVector, ProviderCall
from gateway.core.rate_limit import Reservation
from gateway.operations.embed import Embed
from tests.fakes.echo_provider import EchoProvider, echo_tokens, echo_vector
from tests.fakes.models import make_caller, make_model, make_route


@dataclass
class OneModel:
    model: Model

    async def catalogue(self) -> Catalogue:
        return Catalogue([self.model])

    async def workspace(self, name: str) -> Workspace:
        return Workspace(name=name)


@dataclass
class Ledger:
    """An allowance without end that remembers what was reserved and settled."""

    reserved: list[int] = field(default_factory=list)
    settled: list[int] = field(default_factory=list)

    async def reserve(self, workspace: str, limits: Limits, tokens: int) -> Reservation:
        self.reserved.append(tokens)
        return self.standing(workspace, limits)

    def standing(self, workspace: str, limits: Limits) -> Reservation:
        return Reservation(
            workspace=workspace,
            window=0,
            tokens=0,
            limits=limits,
            remaining_requests=1,
            remaining_tokens=1,
            resets_in=1.0,
        )

    async def settle(self, reservation: Reservation, tokens: int) -> None:
        self.settled.append(tokens)


@dataclass
class Memory:
    """A cache that forgets nothing; `forgets` makes it forget some."""

    kept: dict[bytes, CachedVector] = field(default_factory=dict)

    async def get(self, keys: Sequence[bytes]) -> Mapping[bytes, CachedVector]:
        assert len(set(keys)) == len(keys)
        return {key: self.kept[key] for key in keys if key in self.kept}

    async def put(self, vectors: Mapping[bytes, CachedVector], ttl: int) -> None:
        self.kept |= vectors


@dataclass
class Stage:
    """An `Embed` with everything around it in sight."""

    model: Model = field(default_factory=make_model)
    provider: EchoProvider = field(default_factory=EchoProvider)
    ledger: Ledger = field(default_factory=Ledger)
    memory: Memory = field(default_factory=Memory)
    record: Record = field(default_factory=lambda: Record(request_id="r"))
    patience: float = 25.0
    now: float = 0.0
    workspace: Workspace = field(default_factory=lambda: make_caller().workspace)

    async def ask(self, *inputs: str | tuple[int, ...], **request: Any) -> Embedded:
        embed = Embed(
            region="eu",
            catalogue=OneModel(self.model),
            allowances=self.ledger,
            cache=self.memory,
            provider=lambda _: self.provider,
            clock=lambda: self.now,
            patience=self.patience,
        )
        caller = make_caller(workspace=self.workspace)
        return await embed(EmbeddingRequest(model="echo", inputs=inputs, **request), caller, self.record)


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
    assert stage.record.hits == sum(item in known for item in inputs)
    assert stage.record.misses == len(inputs) - stage.record.hits
    assert embedded.usage.tokens == sum(map(echo_tokens, inputs))
    assert embedded.usage.tokens - embedded.usage.cached == sum(map(echo_tokens, set(inputs) - known))


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
    assert len(stage.memory.kept) == 1


async def test_no_store_leaves_nothing_behind() -> None:
    stage = Stage()

    await stage.ask("a", cache=CacheUse(read=False, write=False))

    assert not stage.memory.kept


async def test_a_model_without_ttl_is_never_cached() -> None:
    stage = Stage(model=make_model(cache_ttl=0))
    await stage.ask("a")

    await stage.ask("a")

    assert stage.provider.inputs == ["a", "a"]


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


async def test_an_input_that_is_too_long_is_named_by_its_place_in_the_request() -> None:
    stage = Stage(model=make_model(routes=(make_route(max_inputs=2),)))
    await stage.ask("known")
    stage.provider.fails = lambda call: (
        errors.InputTooLong.at(call.inputs.index("long"), of=len(call.inputs), tokens=300, limit=256)
        if "long" in call.inputs
        else None
    )

    with pytest.raises(errors.InputTooLong, match="input 5 has 300 tokens") as caught:
        await stage.ask("known", "a", "a", "b", "c", "long")

    assert caught.value.index == 5


async def test_the_estimate_is_settled_by_what_the_vendor_counted() -> None:
    stage = Stage()

    await stage.ask("one two three four")

    assert (stage.ledger.reserved, stage.ledger.settled) == ([8], [4])


@pytest.mark.parametrize(
    ("text", "reserved"),
    [("word " * 10, 19), ("x" * 2400, 500), ("a b " * 300, 600), ("!" * 3000, 3002)],
    ids=["it fits", "it may fit", "it cannot fit", "it is far too large"],
)
async def test_a_text_that_may_fit_the_budget_reserves_all_of_it(text: str, reserved: int) -> None:
    stage = Stage(workspace=Workspace(name="acme", limits=Limits(tokens=500)))

    await stage.ask(text)

    assert stage.ledger.reserved == [reserved]


class NearlyEmpty(Ledger):
    """Admits five tokens at most."""

    async def reserve(self, workspace: str, limits: Limits, tokens: int) -> Reservation:
        if tokens > 5:
            raise errors.AllowanceExhausted("wait", retry_after=3, limited_by="tokens")
        return await super().reserve(workspace, limits, tokens)


async def test_what_the_cache_knows_needs_no_allowance() -> None:
    stage = Stage()
    await stage.ask("one two three four five six")
    stage.ledger = NearlyEmpty()

    await stage.ask("one two three four five six", "a")

    assert (stage.record.hits, stage.ledger.reserved) == (1, [3])


async def test_what_the_cache_does_not_know_needs_its_own() -> None:
    stage = Stage(ledger=NearlyEmpty())

    with pytest.raises(errors.AllowanceExhausted):
        await stage.ask("one two three four five six")


async def test_a_text_that_stands_twice_is_reserved_once() -> None:
    stage = Stage()

    await stage.ask("a", "a", "a")

    assert stage.ledger.reserved == [3]


async def test_hits_cost_no_tokens() -> None:
    stage = Stage()
    await stage.ask("a b")

    await stage.ask("a b", "c")

    assert stage.ledger.settled == [2, 1]


async def test_a_failed_request_is_settled_at_nothing() -> None:
    stage = Stage()
    stage.provider.fails = lambda _: errors.ProviderUnavailable("down")

    with pytest.raises(errors.ProviderUnavailable):
        await stage.ask("a")

    assert stage.ledger.settled == [0]


async def test_a_vendors_total_is_shared_out_among_the_inputs_it_counted() -> None:
    stage = Stage(provider=EchoProvider(tells_counts=False))

    embedded = await stage.ask("a b c", "d")

    assert embedded.usage.tokens == 4
    assert sum(vector.tokens for vector in stage.memory.kept.values()) == 4


async def test_a_vendor_that_counts_nothing_is_billed_by_estimate() -> None:
    stage = Stage(provider=EchoProvider(tells_total=False, tells_counts=False))

    embedded = await stage.ask("a", "hello world")

    assert embedded.usage.tokens == 3 + 6
    assert embedded.usage.estimated


async def test_a_vendor_that_counts_more_tokens_than_there_are_bytes_is_not_believed() -> None:
    stage = Stage(
        provider=EchoProvider(tells_counts=False, spoils=lambda result: msgspec.structs.replace(result, tokens=10**30)),
    )

    embedded = await stage.ask("hello world")

    assert embedded.usage.tokens == 6
    assert stage.ledger.settled == [6]
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

    assert not stage.memory.kept


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

    stage = Stage(model=make_model(routes=(make_route(max_inputs=1),)), provider=HangsAtB(), patience=0.05)

    with pytest.raises(errors.ProviderTimeout):
        await stage.ask("a", "b", "c")

    assert len(stage.memory.kept) == 2


async def test_no_call_is_made_for_which_no_time_is_left() -> None:
    class TakesTenSeconds(EchoProvider):
        async def embed(self, call: ProviderCall) -> EmbeddingResult:
            granted.append(call.timeout)
            stage.now += 10
            return await super().embed(call)

    granted: list[float] = []
    model = make_model(routes=(make_route(max_inputs=1, concurrency=1),))
    stage = Stage(model=model, provider=TakesTenSeconds(), patience=15)

    with pytest.raises(errors.ProviderTimeout):
        await stage.ask("a", "b", "c")

    assert granted == [15, 5]
    assert len(stage.memory.kept) == 2


@pytest.mark.parametrize(("max_inputs", "alone"), [(2, [True]), (1, [False, False])])
async def test_a_call_is_told_whether_others_wait_beside_it(max_inputs: int, alone: list[bool]) -> None:
    class Notes(EchoProvider):
        async def embed(self, call: ProviderCall) -> EmbeddingResult:
            told.append(call.alone)
            return await super().embed(call)

    told: list[bool] = []
    stage = Stage(model=make_model(routes=(make_route(max_inputs=max_inputs),)), provider=Notes())

    await stage.ask("a", "b")

    assert told == alone


async def test_what_is_written_is_under_way_while_the_answer_is_made() -> None:
    class SlowMemory(Memory):
        async def put(self, vectors: Mapping[bytes, CachedVector], ttl: int) -> None:
            events.append("sent")
            await asyncio.sleep(0)
            await super().put(vectors, ttl)
            events.append("written")

    events: list[str] = []
    stage = Stage(memory=SlowMemory())

    await stage.ask("a")
    events.append("answered")
    for rest in stage.record.unfinished:
        await rest

    assert events == ["sent", "answered", "written"]
    assert len(stage.memory.kept) == 1


async def test_what_a_failed_request_cost_is_in_the_record() -> None:
    stage = Stage(model=make_model(routes=(make_route(max_inputs=1),)))
    stage.provider.fails = lambda call: errors.ProviderUnavailable("down") if call.inputs == ("b",) else None

    with pytest.raises(errors.ProviderUnavailable):
        await stage.ask("a a", "b")

    assert (stage.record.billed_tokens, stage.record.misses) == (2, 2)


async def test_a_request_that_was_not_admitted_missed_nothing() -> None:
    stage = Stage(ledger=NearlyEmpty())

    with pytest.raises(errors.AllowanceExhausted):
        await stage.ask("one two three four five six")

    assert (stage.record.hits, stage.record.misses) == (0, 0)


@pytest.mark.parametrize(("vendor", "length"), [({"normalised": True}, 0.2), ({"normalised": False}, 1.0)])
async def test_vectors_that_a_vendor_only_cuts_are_given_length_one(vendor: dict[str, Any], length: float) -> None:
    tenths = array.array("f", [0.1] * 4).tobytes()
    stage = Stage(
        model=make_model(dimension_choices=(4,), **vendor, routes=(make_route(accepts_dimensions=True),)),
        provider=EchoProvider(spoils=lambda result: msgspec.structs.replace(result, vectors=(tenths,))),
    )

    embedded = await stage.ask("a", dimensions=4)

    assert math.hypot(*array.array("f", bytes(embedded.vectors[0]))) == pytest.approx(length)


async def test_the_record_says_what_was_done() -> None:
    stage = Stage()
    await stage.ask("a")

    await stage.ask("a", "b")

    record = stage.record
    assert (record.model, record.route, record.inputs, record.hits) == ("echo", "echo-eu", 2, 1)
    assert (record.tokens, record.billed_tokens) == (2, 1)


async def test_a_refused_allowance_leaves_its_standing_in_the_record() -> None:
    stage = Stage()
    standing = await stage.ledger.reserve("acme", Limits(), 0)

    class Empty(Ledger):
        async def reserve(self, workspace: str, limits: Limits, tokens: int) -> Reservation:
            raise errors.AllowanceExhausted("wait", retry_after=3, limited_by="requests", standing=standing)

    stage.ledger = Empty()

    with pytest.raises(errors.AllowanceExhausted):
        await stage.ask("a")

    assert stage.record.allowance is standing
    assert not stage.provider.calls
