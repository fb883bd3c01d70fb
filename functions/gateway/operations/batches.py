"""Batch jobs as their owners see them: make, look at, list, cancel, delete. The work is `operations/run_batch.py`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.core.batch import BatchJob
from gateway.core.batch_ports import BatchJobs, WorkSignal
from gateway.core.caller import Caller
from gateway.core.files import FILE_TTL, StoredFile, ordered_id

WINDOW = 24 * 3600
"""Seconds that a job may take; what is not done by then is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """The jobs of the caller's workspace; nobody else finds them."""

    jobs: BatchJobs
    signal: WorkSignal
    clock: Callable[[], float]
    """Unix time."""

    def create(
        self,
        caller: Caller,
        file: StoredFile,
        *,
        job_format: str,
        model: str = "",
        name: str = "",
        metadata: Mapping[str, str] | None = None,
        priority: int = 0,
        output_ttl: int = FILE_TTL,
    ) -> BatchJob:
        """Store a job on the requests of that file, and have it begun."""
        now = int(self.clock())
        job = BatchJob(
            id=f"batch_{ordered_id(self.clock())}",
            workspace=caller.workspace.name,
            key_id=caller.key_id,
            models=None if caller.models is None else tuple(sorted(caller.models)),
            limits=caller.limits,
            format=job_format,
            model=model,
            name=name,
            metadata=dict(metadata or {}),
            priority=priority,
            input_file=file.id,
            output_ttl=output_ttl,
            created=now,
            deadline=now + WINDOW,
        )
        self.jobs.create(job)
        self.signal.send()
        return job

    def get(self, caller: Caller, job: str) -> BatchJob:
        """Raises `ResourceNotFound`."""
        return self.jobs.get(caller.workspace.name, job)

    def list(self, caller: Caller, *, limit: int, after: str | None = None) -> tuple[list[BatchJob], bool]:
        """Jobs, newest first, and whether there are more; `after` is the last one already seen."""
        return self.jobs.list(caller.workspace.name, limit=limit, after=after)

    def cancel(self, caller: Caller, job: str) -> BatchJob:
        """Let no further slice be tried; raises `ResourceNotFound`."""
        cancelled = self.jobs.cancel(caller.workspace.name, job)
        self.signal.send()
        return cancelled

    def delete(self, caller: Caller, job: str) -> None:
        """Forget a job; its files stay. Raises `ResourceNotFound`."""
        self.jobs.delete(self.get(caller, job))
        self.signal.send()
