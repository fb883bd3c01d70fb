"""Inputs → vectors: cache first, then the allowance and providers for the rest, everything joined in input order."""

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from gateway.core.cache_key import distinct
from gateway.core.caller import Caller
from gateway.core.embedding import Embedded, EmbeddingRequest, EmbeddingResult, Usage, Vector
from gateway.core.errors import GatewayError, ProviderMisbehaved, ProviderTimeout
from gateway.core.facts import NOTHING_DONE, Facts
from gateway.core.plan import Plan, make_plan
from gateway.core.ports import CachedVector, CatalogueStore, PendingWrite, Provider, RateLimits, VectorCache
from gateway.core.rate_limit import Reservation, accounts_of, apportion
from gateway.core.vectors import FLOAT32, normalise, shorten
from gateway.core.vocabulary import Vocabularies, none_at_hand
from gateway.telemetry import segment

Known = Mapping[bytes, CachedVector]

MAX_COUNT_RATIO = 4
"""A vendor's count above four times our estimate is above the text's bytes, so it is ignored."""


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """The vectors, and what was done for them."""

    embedded: Embedded
    facts: Facts


@dataclass(slots=True)
class Computed:
    """What providers have brought so far, by key: it is counted and cached however the request ends."""

    vectors: dict[bytes, CachedVector] = field(default_factory=dict)
    facts: Facts = NOTHING_DONE

    def add(self, vectors: Known, facts: Facts) -> None:
        """Add what one call brought."""
        self.vectors |= vectors
        self.facts += facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Embed:
    """N inputs give N vectors in input order, or one error and no vector.

    Each distinct input goes upstream at most once. What a failed request did compute stays in the cache, so that
    trying again costs only the rest.
    """

    region: str
    catalogue: CatalogueStore
    rate_limits: RateLimits
    cache: VectorCache
    provider: Callable[[str], Provider]
    """The provider of that kind."""
    clock: Callable[[], float]
    """Seconds, for measuring durations."""
    vocabularies: Vocabularies = none_at_hand
    max_time: float = 25.0
    """Seconds that all providers' calls of a request may take together; the front door ends everything at 30."""

    async def __call__(
        self,
        request: EmbeddingRequest,
        caller: Caller,
        pending: list[PendingWrite] | None = None,
        *,
        seconds_left: float = math.inf,
    ) -> Served:
        """Raises what `core/errors.py` has for models, allowances and providers; `error.facts` is what was done.

        Providers have no more than `seconds_left`. Every write is finished on return, also when it raises. A caller who
        renders meanwhile passes a list, gets in it the writes that were sent, and finishes them.
        """
        if pending is not None:
            return await self._serve(request, caller, pending, self.clock() + seconds_left)
        writes: list[PendingWrite] = []
        try:
            return await self._serve(request, caller, writes, self.clock() + seconds_left)
        finally:
            for finish in writes:
                finish()

    async def _serve(self, request: EmbeddingRequest, caller: Caller, writes: list[PendingWrite], end: float) -> Served:
        """The writes that were sent are added to `writes`, also when it raises."""
        catalogue = await self.catalogue.catalogue()
        facts = Facts(model=catalogue.find(request.model).name, inputs=len(request.items))
        try:
            plan = make_plan(request, caller, catalogue, self.region, self.vocabularies)
            facts += Facts(route=plan.route.name)
            with segment("cache"):
                known = await self._cached(plan)
            missing = plan.missing(known)
            with segment("allowance"):
                reservation = await self._reserve(plan, caller, missing)
            # Only now: a refused request has no hits and no misses.
            facts += _hits_and_misses(plan, known) + Facts(allowance=reservation)
            computed = Computed()
            try:
                await self._compute(plan, missing, end, computed)
            finally:  # also after what nobody foresaw, and when the request is cancelled
                facts += computed.facts
                self._begin_writes(plan, reservation, computed, writes)
        except GatewayError as error:
            error.facts = facts + error.facts
            raise
        return _join(plan, {**known, **computed.vectors}, facts)

    async def _cached(self, plan: Plan) -> Known:
        if not (plan.request.cache.read and plan.model.cache_ttl):
            return {}
        return await self.cache.get(distinct(plan.keys))

    async def _reserve(self, plan: Plan, caller: Caller, missing: Sequence[int]) -> Reservation:
        budget = min(account.limits.tokens for account in accounts_of(caller))
        return await self.rate_limits.reserve(caller, plan.tokens_to_reserve(budget, missing))

    async def _compute(self, plan: Plan, missing: Sequence[int], end: float, computed: Computed) -> None:
        """Ask for what is missing; raises the first thing that went wrong, once all calls have ended."""
        if not missing:
            return
        slices = list(plan.slices(missing))
        started = self.clock()
        try:
            with segment("provider"):
                await self._ask_all(plan, slices, computed, deadline=min(started + self.max_time, end))
        finally:
            computed.facts += Facts(upstream_calls=len(slices), upstream_time=self.clock() - started)

    async def _ask_all(
        self, plan: Plan, slices: Sequence[Sequence[int]], computed: Computed, *, deadline: float
    ) -> None:
        """Ask for each slice; the route limits how many run at once."""
        places = asyncio.Semaphore(plan.route.concurrency)

        async def ask(positions: Sequence[int]) -> None:
            async with places:
                computed.add(*await self._ask(plan, positions, deadline=deadline))

        outcomes = await asyncio.gather(*map(ask, slices), return_exceptions=True)
        if failure := next(filter(None, outcomes), None):
            raise failure

    async def _ask(self, plan: Plan, positions: Sequence[int], *, deadline: float) -> tuple[Known, Facts]:
        """Vectors of the inputs at these positions, and their tokens."""
        seconds = deadline - self.clock()
        if seconds <= 0:
            raise ProviderTimeout("The provider did not answer in time.")
        result = await self.provider(plan.provider.kind).embed(plan.call(positions, timeout=seconds))
        return _read(plan, positions, result)

    def _begin_writes(
        self, plan: Plan, reservation: Reservation, computed: Computed, writes: list[PendingWrite]
    ) -> None:
        writes.append(self.rate_limits.settle(reservation, computed.facts.billed_tokens))
        if computed.vectors and plan.request.cache.write and plan.model.cache_ttl:
            writes.append(self.cache.put(computed.vectors, plan.model.cache_ttl, plan.owner))


def _hits_and_misses(plan: Plan, known: Known) -> Facts:
    hits = len([key for key in plan.keys if key in known])
    return Facts(hits=hits, misses=len(plan.keys) - hits)


def _read(plan: Plan, positions: Sequence[int], result: EmbeddingResult) -> tuple[Known, Facts]:
    """What one call brought, by key; raises `ProviderMisbehaved` for what must be neither served nor cached."""
    _check(result, len(positions), plan.variants[positions[0]].cached_dimensions)
    counts, estimated = _token_counts(result, [plan.estimates[position] for position in positions])
    vectors = {
        plan.keys[position]: CachedVector(vector=vector, tokens=tokens)
        for position, vector, tokens in zip(positions, result.vectors, counts, strict=True)
    }
    return vectors, Facts(billed_tokens=sum(counts), estimated=estimated)


def _check(result: EmbeddingResult, count: int, dimensions: int) -> None:
    if len(result.vectors) != count:
        raise ProviderMisbehaved(f"The provider answered {len(result.vectors)} vectors to {count} inputs.")
    for vector in result.vectors:
        if len(vector) != dimensions * FLOAT32:
            raise ProviderMisbehaved(
                f"The provider answered a vector of {len(vector) // FLOAT32} dimensions instead of {dimensions}."
            )


def _token_counts(result: EmbeddingResult, estimates: Sequence[int]) -> tuple[Sequence[int], bool]:
    """Tokens of each input, and whether they are our estimate: the provider gave no count that can be true."""
    if result.token_counts is not None:
        return result.token_counts, False
    if result.tokens is None or result.tokens > MAX_COUNT_RATIO * sum(estimates):
        return estimates, True
    return apportion(result.tokens, estimates), False


def _join(plan: Plan, vectors: Known, facts: Facts) -> Served:
    """One vector per input, in input order."""
    found = [vectors[key] for key in plan.keys]
    # A text that stands twice in a request is asked for, and paid, once: its second place is as good as a hit.
    counts = tuple([vector.tokens for vector in found])
    tokens = sum(counts)
    embedded = Embedded(
        model=plan.model.name,
        vectors=tuple([_of_length(plan, position, vector.vector) for position, vector in enumerate(found)]),
        usage=Usage(tokens=tokens, cached=tokens - facts.billed_tokens, estimated=facts.estimated),
        token_counts=counts,
    )
    return Served(embedded=embedded, facts=facts + Facts(input_tokens=tokens))


def _of_length(plan: Plan, position: int, vector: Vector) -> Vector:
    """The vector with the dimensions asked for, scaled to length one where the vendor may not have done it."""
    variant = plan.variants[position]
    if variant.dimensions != variant.cached_dimensions:
        return shorten(vector, variant.dimensions)
    return vector if plan.model.normalised else normalise(vector)
