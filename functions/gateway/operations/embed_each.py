"""Requests for one input each → one vector each, in order; those that ask for the same are embedded together."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from gateway.core.caller import Caller, Limits
from gateway.core.embedding import Embedded, EmbeddingRequest, Input, Purpose, Usage, Vector
from gateway.core.errors import InputTooLong, RequestTooLarge
from gateway.core.facts import Record
from gateway.core.rate_limit import estimate_tokens
from gateway.operations.embed import Embed

AT_ONCE = 4
"""Groups under way at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedEach:
    """One vector per request, in order; their lengths may differ. `usage` is that of all together."""

    vectors: tuple[Vector, ...]
    usage: Usage


Group = list[int]
"""Positions of requests that differ in nothing but their input."""


async def embed_each(
    embed: Embed, requests: Sequence[EmbeddingRequest], caller: Caller, record: Record
) -> EmbeddedEach:
    """Every group counts as one request of the caller's allowance. Raises what `Embed` raises, and then no vector."""
    groups = _alike(requests)
    if len(groups) == 1:  # nearly always: clients ask for the same of all
        embedded = await embed(_joined(requests, groups[0]), caller, record)
        return EmbeddedEach(vectors=embedded.vectors, usage=embedded.usage)
    _check_budget(requests, len(groups), caller.workspace.limits)
    records = [Record(request_id=record.request_id) for _ in groups]
    answers = await _side_by_side(embed, [_joined(requests, group) for group in groups], caller, records)
    _sum_up(record, records)
    return _in_order(
        groups, [_told(answer, group, len(requests)) for answer, group in zip(answers, groups, strict=True)]
    )


def _check_budget(requests: Sequence[EmbeddingRequest], groups: int, limits: Limits) -> None:
    """Groups that fit a minute's allowance one by one, but never together, would be refused for ever."""
    tokens = sum(estimate_tokens(item) for request in requests for item in request.inputs)
    if groups > limits.requests or tokens > limits.tokens:
        raise RequestTooLarge(
            f"The batch counts as {groups} requests with about {tokens} tokens, more than the {limits.requests} "
            f"requests and {limits.tokens} tokens per minute of this workspace: send fewer at once, or ask for the "
            "same of all.",
            param="input",
            by_tokens=tokens > limits.tokens,
        )


def _alike(requests: Sequence[EmbeddingRequest]) -> list[Group]:
    groups: dict[tuple[Purpose | None, str | None, int | None], Group] = {}
    for position, request in enumerate(requests):
        groups.setdefault((request.purpose, request.title, request.dimensions), []).append(position)
    return list(groups.values())


def _joined(requests: Sequence[EmbeddingRequest], group: Group) -> EmbeddingRequest:
    inputs: list[Input] = [item for position in group for item in requests[position].inputs]
    return msgspec.structs.replace(requests[group[0]], inputs=tuple(inputs))


async def _side_by_side(
    embed: Embed, requests: Sequence[EmbeddingRequest], caller: Caller, records: Sequence[Record]
) -> list[Embedded | BaseException]:
    await asyncio.sleep(0)  # from here on there is an event loop (see http_api.py)
    places = asyncio.Semaphore(AT_ONCE)

    async def ask(request: EmbeddingRequest, record: Record) -> Embedded:
        async with places:
            return await embed(request, caller, record, alone=False)

    return await asyncio.gather(*map(ask, requests, records), return_exceptions=True)


def _told(answer: Embedded | BaseException, group: Group, of: int) -> Embedded:
    """The answer, or what went wrong, told of the input where it stood in the whole."""
    match answer:
        case InputTooLong(index=int(index), tokens=int(tokens), limit=int(limit)):
            raise InputTooLong.at(group[index], of=of, tokens=tokens, limit=limit)
        case BaseException():
            raise answer
    return answer


def _in_order(groups: Sequence[Group], answers: Sequence[Embedded]) -> EmbeddedEach:
    found: dict[int, Vector] = {}
    for group, answer in zip(groups, answers, strict=True):
        found |= zip(group, answer.vectors, strict=True)
    usages = [answer.usage for answer in answers]
    return EmbeddedEach(
        vectors=tuple(found[position] for position in sorted(found)),
        usage=Usage(
            tokens=sum(usage.tokens for usage in usages),
            cached=sum(usage.cached for usage in usages),
            estimated=any(usage.estimated for usage in usages),
        ),
    )


def _sum_up(record: Record, parts: Sequence[Record]) -> None:
    record.model, record.route = parts[0].model, parts[0].route
    record.inputs = sum(part.inputs for part in parts)
    record.hits = sum(part.hits for part in parts)
    record.misses = sum(part.misses for part in parts)
    record.tokens = sum(part.tokens for part in parts)
    record.billed_tokens = sum(part.billed_tokens for part in parts)
    record.estimated = any(part.estimated for part in parts)
    record.unfinished = [rest for part in parts for rest in part.unfinished]
    record.upstream_calls = sum(part.upstream_calls for part in parts)
    record.upstream_time = max(part.upstream_time for part in parts)
    standings = [part.allowance for part in parts if part.allowance is not None]
    record.allowance = min(standings, key=lambda standing: standing.remaining_requests, default=None)
