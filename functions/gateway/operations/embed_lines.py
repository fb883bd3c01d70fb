"""The lines of a slice of a batch job, embedded: neighbours go together, and one that is wrong fails alone."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import msgspec

from gateway.core.batch import BatchJob, Counts, Line, LineFormat, LineOutcome
from gateway.core.caller import Caller
from gateway.core.embedding import CacheUse, Embedded, EmbeddingRequest, Usage
from gateway.core.errors import (
    AllowanceExhausted,
    GatewayError,
    ProviderMisconfigured,
    ProviderThrottled,
    ProviderUnavailable,
    StoreUnavailable,
)
from gateway.core.facts import Facts
from gateway.core.ports import CatalogueStore
from gateway.core.rate_limit import retry_after
from gateway.operations.embed import Embed
from gateway.operations.observe import Outcome, observe

MAX_TOGETHER = 64
"""Inputs of neighbouring lines that are embedded in one request."""

PASSING = (AllowanceExhausted, ProviderThrottled, ProviderUnavailable, ProviderMisconfigured, StoreUnavailable)
"""What time, or the operator, will mend: the lines wait."""

SHORT_WAIT, LONG_WAIT = 15, 300
"""Seconds: for a vendor that fails, and for one that the operator must set up."""

FROM_CACHE = CacheUse(read=True, write=False)
"""Most texts of a job are embedded once: writing them to the cache would cost more than it saves."""


@dataclass
class Answered:
    """Answers to the first lines of a slice, whose bytes are `lengths`; the others wait for `delay` seconds."""

    out: list[bytes] = field(default_factory=list)
    errors: list[bytes] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)
    delay: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedLines:
    """Reads lines in their job's format, embeds them for the job's owner, and writes the answers."""

    embed: Embed
    catalogue: CatalogueStore
    formats: Mapping[str, LineFormat]

    async def __call__(
        self, job: BatchJob, first: int, lines: Sequence[bytes], *, renew: Callable[[], None]
    ) -> Answered:
        """Answers in the order of the lines, up to the first that must wait. `renew` keeps the lease, or raises."""
        answered, caller = Answered(), await self._caller(job)
        for group in self._groups(job, lines):
            renew()
            try:
                outcomes = await self._outcomes(job, caller, f"{job.id}-{first + len(answered.lengths)}", group)
            except PASSING as error:
                answered.delay = wait_of(error)
                return answered
            self._write(job, answered, group, outcomes)
            answered.lengths += [len(line) for line in lines[len(answered.lengths) :][: len(group)]]
        return answered

    async def _caller(self, job: BatchJob) -> Caller:
        workspace = await self.catalogue.workspace(job.workspace)
        if workspace is None:
            raise StoreUnavailable(f"The workspace {job.workspace!r} is not there.")
        models = None if job.models is None else frozenset(job.models)
        return Caller(workspace=workspace, key_id=job.key_id, models=models, limits=job.limits)

    def _groups(self, job: BatchJob, lines: Sequence[bytes]) -> Iterator[list[Line]]:
        """Neighbours that can be asked for together; a line that cannot be tried stands alone."""
        read = (self.formats[job.format].read(line, job) for line in lines)
        for _, alike in groupby(read, key=_likeness):
            group, inputs = list[Line](), 0
            for line in alike:
                count = len(line.request.items) if line.request else MAX_TOGETHER
                if group and inputs + count > MAX_TOGETHER:
                    yield group
                    group, inputs = [], 0
                group.append(line)
                inputs += count
            yield group

    async def _outcomes(self, job: BatchJob, caller: Caller, name: str, group: Sequence[Line]) -> list[LineOutcome]:
        """One per line. A request that is refused is halved, until the line that is at fault stands alone."""
        requests = [line.request for line in group if line.request]
        if len(requests) < len(group):
            return [LineOutcome(request_id=name, error=line.error) for line in group]
        try:
            embedded = await self._embed(job, caller, name, requests)
        except PASSING:
            raise
        except GatewayError as error:
            if len(group) == 1:
                return [LineOutcome(request_id=name, error=error)]
            half = len(group) // 2
            left = await self._outcomes(job, caller, name, group[:half])
            return left + await self._outcomes(job, caller, name, group[half:])
        parts = _parts(embedded, [len(request.items) for request in requests])
        return [LineOutcome(request_id=name, embedded=part) for part in parts]

    async def _embed(self, job: BatchJob, caller: Caller, name: str, requests: Sequence[EmbeddingRequest]) -> Embedded:
        items = tuple(item for request in requests for item in request.items)
        together = msgspec.structs.replace(requests[0], items=items, cache=FROM_CACHE)
        started, error, facts = time.perf_counter(), None, Facts()
        try:
            served = await self.embed(together, caller)
            facts = served.facts
        except GatewayError as failure:
            error, facts = type(failure).__name__, failure.facts
            raise
        finally:
            duration = time.perf_counter() - started
            status = 200 if error is None else 500
            outcome = Outcome(
                request_id=name, dialect=job.format, method="BATCH", status=status, duration=duration, error=error
            )
            observe(outcome, facts, caller)
        return served.embedded

    def _write(self, job: BatchJob, answered: Answered, group: Sequence[Line], outcomes: Sequence[LineOutcome]) -> None:
        line_format = self.formats[job.format]
        for line, outcome in zip(group, outcomes, strict=True):
            failed = outcome.embedded is None
            place = answered.errors if failed and line_format.separate_errors else answered.out
            place.append(line_format.write(line, outcome))
            answered.counts += _count(outcome)


def wait_of(error: GatewayError) -> int:
    """Seconds until it is worth trying again."""
    match error:
        case AllowanceExhausted(retry_after=seconds) | ProviderThrottled(retry_after=float() | int() as seconds):
            return retry_after(seconds)
        case ProviderMisconfigured():
            return LONG_WAIT
    return SHORT_WAIT


def _likeness(line: Line) -> object:
    """Lines with equal ones can share a request."""
    request = line.request
    return request and (request.model, request.deployment, request.user, repr(request.extra))


def _parts(embedded: Embedded, counts: Sequence[int]) -> Iterator[Embedded]:
    """The vectors of each request, with its own tokens."""
    start = 0
    for count in counts:
        part = slice(start, start + count)
        usage = Usage(tokens=sum(embedded.token_counts[part]))
        yield Embedded(model=embedded.model, vectors=embedded.vectors[part], usage=usage)
        start += count


def _count(outcome: LineOutcome) -> Counts:
    if outcome.embedded is None:
        return Counts(failed=1)
    return Counts(completed=1, tokens=outcome.embedded.usage.tokens)
