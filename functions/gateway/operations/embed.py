"""Texts → vectors: allowance and cache first, providers for the rest, everything joined in input order."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gateway.core.cache_key import distinct
from gateway.core.caller import Caller
from gateway.core.embedding import Embedded, EmbeddingRequest, EmbeddingResult, Usage, Vector
from gateway.core.errors import (
    AllowanceExhausted,
    GatewayError,
    InputTooLong,
    ProviderMisbehaved,
    ProviderTimeout,
    RequestTooLarge,
)
from gateway.core.facts import Record
from gateway.core.plan import Plan, make_plan
from gateway.core.ports import CachedVector, CatalogueStore, Provider, RateLimits, VectorCache
from gateway.core.rate_limit import Reservation, apportion
from gateway.core.slicing import slices
from gateway.core.vectors import FLOAT32, normalise, shorten
from gateway.core.vocabulary import Vocabularies, none_at_hand
from gateway.operations.together import begin, together
from gateway.telemetry import segment

Known = Mapping[bytes, CachedVector]

MAX_COUNT_RATIO = 4
"""No text has as many times our estimate in tokens, for it has fewer bytes: a vendor that says so miscounts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Embed:
    """N inputs give N vectors in input order, or one error and no vector.

    Each distinct input goes upstream at most once. What a failed request did compute stays in the cache, so that
    trying again costs only the rest.
    """

    region: str
    catalogue: CatalogueStore
    allowances: RateLimits
    cache: VectorCache
    provider: Callable[[str], Provider]
    """The provider of that kind."""
    clock: Callable[[], float]
    """Seconds, for measuring durations."""
    vocabularies: Vocabularies = none_at_hand
    patience: float = 25.0
    """Seconds all providers' calls of a request may take together; the front door ends everything at 30."""

    async def __call__(
        self, request: EmbeddingRequest, caller: Caller, record: Record, *, alone: bool = True
    ) -> Embedded:
        """Raises whatever `core/errors.py` knows of models, allowances and providers.

        Unless it is `alone`, others go on while a provider is waited for.
        """
        catalogue = await self.catalogue.catalogue()
        model = catalogue.find(request.model)
        record.model, record.inputs = model.name, len(request.inputs)
        plan = make_plan(request, caller, model, self.region, self.vocabularies)
        record.route = plan.route.name
        with segment("allowance and cache"):
            reservation, known = await self._admit(plan, caller, record)
        record.hits = sum(key in known for key in plan.keys)
        record.misses = len(plan.keys) - record.hits
        fresh, failure = await self._compute(plan, known, record, alone=alone)
        record.billed_tokens = sum(vector.tokens for vector in fresh.values())
        self._conclude(plan, reservation, fresh, record)
        if failure:
            raise failure
        return _join(plan, known, fresh, record)

    async def _admit(self, plan: Plan, caller: Caller, record: Record) -> tuple[Reservation, Known]:
        """The reservation of all that may be needed; if that is too much, of what is not remembered."""
        tokens = plan.tokens_to_reserve(caller.workspace.limits.tokens)
        outcome, known = await together(self._reserve(tokens, caller, record), self._remembered(plan))
        if isinstance(outcome, Reservation):
            return outcome, known
        rest = plan.tokens_to_reserve(caller.workspace.limits.tokens, known)
        if rest < tokens:
            outcome = await self._reserve(rest, caller, record)
        if isinstance(outcome, GatewayError):
            raise outcome
        return outcome, known

    async def _reserve(
        self, tokens: int, caller: Caller, record: Record
    ) -> Reservation | AllowanceExhausted | RequestTooLarge:
        workspace = caller.workspace
        try:
            record.allowance = await self.allowances.reserve(workspace.name, workspace.limits, tokens)
        except AllowanceExhausted as error:
            record.allowance = error.standing
            return error
        except RequestTooLarge as error:
            return error
        return record.allowance

    async def _remembered(self, plan: Plan) -> Known:
        if not (plan.request.cache.read and plan.model.cache_ttl):
            return {}
        return await self.cache.get(distinct(plan.keys))

    async def _compute(
        self, plan: Plan, known: Known, record: Record, *, alone: bool
    ) -> tuple[Known, GatewayError | None]:
        """Vectors of what is not known, and the first thing that went wrong, if anything did."""
        missing = plan.missing(known)
        if not missing:
            return {}, None
        calls = [[missing[at] for at in part] for part in _parts(plan, missing)]
        started = self.clock()
        with segment("provider"):
            if alone and len(calls) == 1:
                outcomes = [await self._ask(plan, calls[0], record, deadline=started + self.patience, alone=True)]
            else:
                outcomes = await self._side_by_side(plan, calls, record, deadline=started + self.patience)
        record.upstream_time, record.upstream_calls = self.clock() - started, len(calls)
        failures = [outcome for outcome in outcomes if isinstance(outcome, GatewayError)]
        fresh: dict[bytes, CachedVector] = {}
        for outcome in outcomes:
            if not isinstance(outcome, GatewayError):
                fresh |= outcome
        return fresh, failures[0] if failures else None

    async def _side_by_side(
        self, plan: Plan, calls: Sequence[Sequence[int]], record: Record, *, deadline: float
    ) -> list[Known | GatewayError]:
        await asyncio.sleep(0)  # from here on there is an event loop (see http_api.py)
        places = asyncio.Semaphore(plan.route.concurrency)

        async def ask(positions: Sequence[int]) -> Known | GatewayError:
            async with places:
                return await self._ask(plan, positions, record, deadline=deadline, alone=False)

        return await asyncio.gather(*map(ask, calls))

    async def _ask(
        self, plan: Plan, positions: Sequence[int], record: Record, *, deadline: float, alone: bool
    ) -> Known | GatewayError:
        """Vectors of the inputs at these positions, or what went wrong."""
        seconds = deadline - self.clock()
        if seconds <= 0:
            return ProviderTimeout("The provider did not answer in time.")
        try:
            provider = self.provider(plan.route.provider.kind)
            result = await provider.embed(plan.call(positions, timeout=seconds, alone=alone))
            record.estimated |= not _is_counted(plan, positions, result)
            return _vectors(plan, positions, result)
        except InputTooLong as error:
            return _in_the_request(error, positions, len(plan.keys))
        except GatewayError as error:
            return error

    def _conclude(self, plan: Plan, reservation: Reservation, fresh: Known, record: Record) -> None:
        """Begin what nobody has to wait for until the answer is made."""
        begun = [begin(self.allowances.settle(reservation, record.billed_tokens))]
        if fresh and plan.request.cache.write and plan.model.cache_ttl:
            begun.append(begin(self.cache.put(fresh, plan.model.cache_ttl)))
        record.unfinished.extend(filter(None, begun))


def _in_the_request(error: InputTooLong, positions: Sequence[int], inputs: int) -> InputTooLong:
    """A provider counts from the beginning of its call; the caller from the beginning of the request."""
    if error.index is None or error.tokens is None or error.limit is None:
        return error
    return InputTooLong.at(positions[error.index], of=inputs, tokens=error.tokens, limit=error.limit)


def _parts(plan: Plan, positions: Sequence[int]) -> list[range]:
    weights = [plan.estimates[position] for position in positions]
    return list(slices(weights, max_inputs=plan.route.max_inputs, max_tokens=plan.route.max_tokens))


def _vectors(plan: Plan, positions: Sequence[int], result: EmbeddingResult) -> Known:
    """What one call brought, under its keys; raises `ProviderMisbehaved` for what must not be served or remembered."""
    _check(result, len(positions), plan.cached_dimensions)
    counts = _token_counts(plan, positions, result)
    return {
        plan.keys[position]: CachedVector(vector=vector, tokens=tokens)
        for position, vector, tokens in zip(positions, result.vectors, counts, strict=True)
    }


def _check(result: EmbeddingResult, count: int, dimensions: int) -> None:
    if len(result.vectors) != count:
        raise ProviderMisbehaved(f"The provider answered {len(result.vectors)} vectors to {count} inputs.")
    for vector in result.vectors:
        if len(vector) != dimensions * FLOAT32:
            raise ProviderMisbehaved(
                f"The provider answered a vector of {len(vector) // FLOAT32} dimensions instead of {dimensions}."
            )


def _token_counts(plan: Plan, positions: Sequence[int], result: EmbeddingResult) -> tuple[int, ...]:
    if result.token_counts is not None:
        return result.token_counts
    estimates = [plan.estimates[position] for position in positions]
    if result.tokens is None or not _is_counted(plan, positions, result):
        return tuple(estimates)
    return apportion(result.tokens, estimates)


def _is_counted(plan: Plan, positions: Sequence[int], result: EmbeddingResult) -> bool:
    """Whether the provider told tokens that can be true."""
    if result.tokens is None:
        return result.token_counts is not None
    return result.tokens <= MAX_COUNT_RATIO * sum(plan.estimates[position] for position in positions)


def _join(plan: Plan, known: Known, fresh: Known, record: Record) -> Embedded:
    """One vector per input, in input order."""
    everything = {**known, **fresh}
    found = [everything[key] for key in plan.keys]
    # A text that stands twice in a request is asked for, and paid, once: its second place is as good as a hit.
    record.tokens = tokens = sum(vector.tokens for vector in found)
    return Embedded(
        model=plan.model.name,
        vectors=tuple(_of_length(plan, vector.vector) for vector in found),
        usage=Usage(tokens=tokens, cached=tokens - record.billed_tokens, estimated=record.estimated),
    )


def _of_length(plan: Plan, vector: Vector) -> Vector:
    """The vector at the length asked for, of length one if it had to be shortened by whomever."""
    if plan.dimensions != plan.cached_dimensions:
        return shorten(vector, plan.dimensions)
    was_shortened = plan.cached_dimensions != plan.model.dimensions
    return normalise(vector) if was_shortened and not plan.model.normalised else vector
