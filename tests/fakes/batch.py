"""Batch jobs and files in memory, for tests of routes; the contract tests run the real ones."""

from dataclasses import dataclass, field

import msgspec

from gateway.core.batch import BatchJob, JobState
from gateway.core.errors import ResourceNotFound
from gateway.core.files import StoredFile
from gateway.operations.batches import Batches
from gateway.operations.files import BatchFiles
from gateway.operations.gateway import BatchOperations


@dataclass
class MemoryJobs:
    """Jobs by workspace and id; nobody works on them."""

    jobs: dict[tuple[str, str], BatchJob] = field(default_factory=dict)

    def create(self, job: BatchJob) -> None:
        self.jobs[job.workspace, job.id] = job

    def get(self, workspace: str, job: str) -> BatchJob:
        if (workspace, job) not in self.jobs:
            raise ResourceNotFound(f"There is no batch {job!r}.")
        return self.jobs[workspace, job]

    def list(self, workspace: str, *, limit: int, after: str | None = None) -> tuple[list[BatchJob], bool]:
        jobs = [job for (owner, name), job in sorted(self.jobs.items(), reverse=True) if owner == workspace]
        later = [job for job in jobs if after is None or job.id < after]
        return later[:limit], len(later) > limit

    def cancel(self, workspace: str, job: str) -> BatchJob:
        found = self.get(workspace, job)
        if not found.is_over:
            self.jobs[workspace, job] = msgspec.structs.replace(found, state=JobState.CANCELLING, cancelling=1)
        return self.jobs[workspace, job]

    def delete(self, job: BatchJob) -> None:
        del self.jobs[job.workspace, job.id]


@dataclass
class MemoryFiles:
    """Files by workspace and id."""

    files: dict[tuple[str, str], StoredFile] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)

    def put(self, file: StoredFile, body: bytes) -> None:
        self.files[file.workspace, file.id] = file
        self.bodies[file.id] = body

    def get(self, workspace: str, file_id: str) -> StoredFile:
        if (workspace, file_id) not in self.files:
            raise ResourceNotFound(f"There is no file {file_id!r}.")
        return self.files[workspace, file_id]

    def list(self, workspace: str) -> list[StoredFile]:
        return [file for (owner, _), file in sorted(self.files.items(), reverse=True) if owner == workspace]

    def delete(self, file: StoredFile) -> None:
        del self.files[file.workspace, file.id]

    def address(self, file: StoredFile) -> str:
        return f"https://files.invalid/{file.id}"


@dataclass
class Signals:
    """Remembers how many workers were woken, and after how many seconds."""

    sent: list[tuple[int, int]] = field(default_factory=list)

    def send(self, *, workers: int = 1, delay: int = 0) -> None:
        self.sent.append((workers, delay))


def memory_batch() -> BatchOperations:
    """Batch jobs and files of nobody yet."""
    return BatchOperations(
        jobs=Batches(jobs=MemoryJobs(), signal=Signals(), clock=lambda: 1_000.0),
        files=BatchFiles(files=MemoryFiles(), clock=lambda: 1_000.0),
    )
