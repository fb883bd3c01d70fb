"""Batch jobs: many requests in a file, embedded in slices, answered in a file. Values, and which state follows which.

A job's requests stay in the file as the caller wrote them; a slice is a range of its bytes. A `LineFormat` of the
caller's dialect reads the lines and writes the answers, so that the work itself knows no dialect.
"""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

from gateway.core.caller import Limits
from gateway.core.embedding import Embedded, EmbeddingRequest
from gateway.core.errors import GatewayError, InvalidRequest

MAX_SLICE_LINES = 256
MAX_SLICE_BYTES = 1024 * 1024
"""A slice is embedded well within a lease, and its answers within a function's memory."""

MAX_REQUESTS = 1_000_000
"""Lines of one job."""

MAX_LINE = 5 * 1024 * 1024
"""Bytes of one line: what a request of its own may have."""

MIN_PRIORITY, MAX_PRIORITY = -(2**63), 2**63 - 1


class JobState(StrEnum):
    """Where a job stands; `VALIDATING` is the first, those of `OVER` are the last."""

    VALIDATING = "validating"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


OVER = frozenset({JobState.COMPLETED, JobState.FAILED, JobState.EXPIRED, JobState.CANCELLED})


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a job's file cannot be read: `line` counts from 1."""

    code: str
    message: str
    line: int | None = None
    param: str | None = None


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the requests of a slice, or of a job. `skipped` ones were not tried: the job ended before."""

    completed: int = 0
    failed: int = 0
    skipped: int = 0
    tokens: int = 0
    """Tokens of all inputs that were embedded."""

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            completed=self.completed + other.completed,
            failed=self.failed + other.failed,
            skipped=self.skipped + other.skipped,
            tokens=self.tokens + other.tokens,
        )


class BatchJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job, as it is stored. Times are Unix seconds; 0 is not yet."""

    id: str
    workspace: str
    key_id: str
    models: tuple[str, ...] | None = None
    """Models that the caller's key permits; `None` for all."""
    limits: Limits | None = None
    """The key's own, if it has any."""
    format: str
    """Which `LineFormat` reads the file."""
    model: str = ""
    """The model of every line, where the format names it once."""
    name: str = ""
    """What the caller calls it."""
    metadata: dict[str, str] = {}
    priority: int = 0
    input_file: str
    """The id of the file that holds the requests."""
    output_ttl: int
    """Seconds for which the answers are kept."""
    created: int
    deadline: int
    """When what is not done will not be tried any more."""
    state: JobState = JobState.VALIDATING
    started: int = 0
    finalizing: int = 0
    cancelling: int = 0
    ended: int = 0
    updated: int = 0
    total: int = 0
    completed: int = 0
    failed: int = 0
    skipped: int = 0
    tokens: int = 0
    slices: int = -1
    """-1 until the file was read."""
    slices_done: int = 0
    output_file: str = ""
    error_file: str = ""
    problems: tuple[Problem, ...] = ()

    @property
    def is_over(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in OVER

    @property
    def last_state(self) -> JobState:
        """How it ends once every slice is done."""
        if self.state is JobState.CANCELLING or self.cancelling:
            return JobState.CANCELLED
        return JobState.EXPIRED if self.skipped else JobState.COMPLETED


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """Consecutive lines of a job's file: `count` of them, the first is number `first` (from 0)."""

    offset: int
    """Bytes before it in the file."""
    length: int
    """Bytes."""
    first: int
    count: int


class PieceKind(StrEnum):
    """What is to be done: read the job's file, embed a slice of it, or put the answers together."""

    READ = "read"
    EMBED = "embed"
    CLOSE = "close"


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a job's work. `lease` is ours while we have it; `slice` is set for what is to be embedded."""

    kind: PieceKind
    workspace: str = ""
    job: str = ""
    order: str = ""
    """Where it stands among the pieces of its workspace."""
    lease: str = ""
    tries: int = 0
    slice: Slice | None = None


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One request of a job: `key` is what the caller correlates by, as JSON. `error` says why it cannot be tried."""

    key: bytes
    request: EmbeddingRequest | None = None
    encoding: str = "float"
    error: GatewayError | None = None


class LineOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a line: the vectors of its inputs, or why not; `request_id` leads to the log."""

    request_id: str
    embedded: Embedded | None = None
    error: GatewayError | None = None


class LineFormat(Protocol):
    """How the lines of a job's file, and of its answers, are written in one dialect."""

    separate_errors: bool
    """Whether failed requests are answered in a file of their own."""
    unique_keys: bool
    """Whether no two requests of a file may have the same key."""

    def read(self, line: bytes, job: BatchJob, /) -> Line:
        """The request of a line; raises `InvalidRequest` where the line is none, so that the whole file is refused."""

    def write(self, line: Line, outcome: LineOutcome, /) -> bytes:
        """The answer to a request, without the end of the line."""


class LeaseLost(Exception):
    """The lease has ended and somebody else has the work, or the job is gone: what was done must not count."""


class FileRefused(Exception):
    """The file cannot be worked on; `problems` say why, line by line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(problems[0].message)
        self.problems = tuple(problems)


def cut(lengths: Iterable[int]) -> Iterator[Slice]:
    """Slices of a file whose lines have these lengths in bytes, their ends included."""
    offset = first = length = count = 0
    for size in lengths:
        if count and (count == MAX_SLICE_LINES or length + size > MAX_SLICE_BYTES):
            yield Slice(offset=offset, length=length, first=first, count=count)
            offset, first, length, count = offset + length, first + count, 0, 0
        length, count = length + size, count + 1
    if count:
        yield Slice(offset=offset, length=length, first=first, count=count)


def request_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a file that comes in chunks, each with its end; blank ones belong to the line before.

    Raises `InvalidRequest` for a line of more than `MAX_LINE` bytes.
    """
    line = b""
    for piece in _pieces(chunks):
        if line.strip() and piece.strip():
            yield line
            line = b""
        line += piece
    if line.strip():
        yield line


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    left = b""
    for chunk in chunks:
        *whole, left = (left + chunk).split(b"\n")
        yield from (line + b"\n" for line in whole)
        if len(left) > MAX_LINE:
            raise InvalidRequest(f"A line has more than {MAX_LINE} bytes.")
    yield left


def after(piece: Slice, lengths: Sequence[int]) -> Slice:
    """What is left of a slice once its first lines, which have these lengths, are done."""
    size, count = sum(lengths), len(lengths)
    return Slice(
        offset=piece.offset + size, length=piece.length - size, first=piece.first + count, count=piece.count - count
    )
