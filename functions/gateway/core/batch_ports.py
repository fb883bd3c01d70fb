"""The interfaces that operations on batch jobs need. Their methods block, for the milliseconds that AWS takes."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Literal, Protocol

from gateway.core.batch import BatchJob, Counts, Piece, Problem, Slice
from gateway.core.files import StoredFile

AnswerKind = Literal["out", "errors"]
"""Whether answers are those of requests that were embedded, or of those that failed."""


class BatchJobs(Protocol):
    """Jobs, as their owners see them."""

    def create(self, job: BatchJob) -> None:
        """Store the job and its first and last piece of work, all or nothing."""

    def get(self, workspace: str, job: str) -> BatchJob:
        """The job; raises `ResourceNotFound`."""

    def list(self, workspace: str, *, limit: int, after: str | None = None) -> tuple[list[BatchJob], bool]:
        """Jobs of a workspace, newest first, and whether there are more; `after` is the last one already seen."""

    def cancel(self, workspace: str, job: str) -> BatchJob:
        """Let no further slice be tried; a job that is over stays as it is. Raises `ResourceNotFound`."""

    def delete(self, job: BatchJob) -> None:
        """Forget the job; whoever works on it finds its lease lost."""


class JobWork(BatchJobs, Protocol):
    """Jobs, as workers change them. Methods that take a piece end it; they raise `LeaseLost` if it is not ours."""

    def begin(self, piece: Piece, job: BatchJob, slices: Iterable[Slice]) -> None:
        """The file was read: lay out its slices."""

    def refuse(self, piece: Piece, job: BatchJob, problems: Sequence[Problem]) -> None:
        """The file cannot be worked on: the job has failed."""

    def done(
        self, piece: Piece, job: BatchJob, counts: Counts, *, rest: Slice | None = None, delay: int = 0
    ) -> BatchJob:
        """Count a slice, once however often it was done, and lay out its `rest`, to be tried after `delay` seconds."""

    def wake(self, job: BatchJob) -> bool:
        """Let the job be closed, if every slice is done; whether it is."""

    def closing(self, job: BatchJob) -> None:
        """Show that the answers are put together; raises `LeaseLost` if the job is gone."""

    def closed(self, piece: Piece, job: BatchJob, *, output_file: str, error_file: str) -> None:
        """The job is over, and these files hold its answers; an empty id is none."""

    def drop(self, piece: Piece) -> None:
        """Forget a piece whose job is gone."""


class WorkBoard(Protocol):
    """Who works on what."""

    def claim(self) -> Piece | None:
        """The first piece of work that nobody has; `None` if there is none."""

    def renew(self, piece: Piece) -> None:
        """Keep the lease; raises `LeaseLost`."""

    def release(self, piece: Piece, *, delay: int) -> None:
        """Give the piece back, to be tried again after `delay` seconds; raises `LeaseLost`."""

    def workspaces(self) -> list[str]:
        """Those with jobs that are not over."""

    def jobs_at_work(self, workspace: str) -> list[str]:
        """The workspace's jobs that are not over."""


class WorkSignal(Protocol):
    """Wakes workers."""

    def send(self, *, workers: int = 1, delay: int = 0) -> None:
        """Say that there is work, so that so many workers look for it, `delay` seconds from now."""


class FileWriter(Protocol):
    """Writes a file piece by piece, in bounded memory."""

    size: int
    """Bytes written so far."""

    def write(self, data: bytes) -> None:
        """Add to the end of the file."""


class Files(Protocol):
    """Files, as their owners see them."""

    def put(self, file: StoredFile, body: bytes) -> None:
        """Store a file whole."""

    def get(self, workspace: str, file_id: str) -> StoredFile:
        """What is known of a file; raises `ResourceNotFound`, also for one that has expired."""

    def list(self, workspace: str) -> list[StoredFile]:
        """Files of a workspace that have not expired, newest first."""

    def delete(self, file: StoredFile) -> None:
        """Forget a file."""

    def address(self, file: StoredFile) -> str:
        """A short-lived address at which anybody may get the file."""


class FileWork(Files, Protocol):
    """Files, as workers read and write them."""

    def writer(self, file_id: str) -> AbstractContextManager[FileWriter]:
        """Write the bytes of a file; it is there once the context has ended without an exception."""

    def record(self, file: StoredFile) -> None:
        """Make a file known whose bytes are written."""

    def lines(self, file_id: str) -> Iterator[bytes]:
        """The lines of a file with their ends, read as a stream; raises `InvalidRequest` for one that is too long."""

    def read(self, file_id: str, offset: int, length: int) -> bytes:
        """Some bytes of a file."""


class BatchAnswers(Protocol):
    """Answers of slices, until they are put together; they are ordered by the first line of their slice."""

    def put(self, job: str, kind: AnswerKind, first: int, body: bytes) -> None:
        """Store the answers of one slice; a second time replaces the first."""

    def stream(self, job: str, kind: AnswerKind) -> Iterator[bytes]:
        """All answers of a job, slice by slice."""

    def forget(self, job: str) -> None:
        """Delete all answers of a job."""
