"""The work on batch jobs, piece by piece: read a file, embed a slice of it, put the answers together.

Every worker runs the same loop; nothing here knows how many there are. A piece may be tried more than once, by several
workers at once, and is counted once (see `stores/batch_jobs.py`). Answers have names that depend on the work alone, so
that writing them twice changes nothing.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from gateway import telemetry
from gateway.core.batch import (
    MAX_REQUESTS,
    BatchJob,
    Counts,
    FileRefused,
    JobState,
    LeaseLost,
    LineFormat,
    Piece,
    PieceKind,
    Problem,
    Slice,
    after,
    cut,
    request_lines,
)
from gateway.core.batch_ports import AnswerKind, BatchAnswers, FileWork, JobWork, WorkBoard, WorkSignal
from gateway.core.errors import InvalidRequest, ResourceNotFound
from gateway.core.files import StoredFile
from gateway.operations.embed_lines import Answered, EmbedLines

LEAST_TIME = 45.0
"""Seconds that a worker must have left to begin another piece."""
RENEW_EVERY = 30.0
"""Seconds."""
MAX_PROBLEMS = 20
MAX_SIGNALS = 10
"""Workers that a job wakes when its slices are laid out; each goes on until nothing is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBatch:
    """Works on whatever piece is due next, until the time is up or nothing is left."""

    jobs: JobWork
    board: WorkBoard
    files: FileWork
    answers: BatchAnswers
    signal: WorkSignal
    embed_lines: EmbedLines
    formats: Mapping[str, LineFormat]
    clock: Callable[[], float]
    """Unix time."""

    async def __call__(self, seconds: float) -> int:
        """Work for about that long; the number of pieces that were tried."""
        end, tried = self.clock() + seconds, 0
        while self.clock() + LEAST_TIME < end:
            piece = self.board.claim()
            if piece is None:
                return tried
            await self._try(piece)
            tried += 1
        self.signal.send()
        return tried

    def sweep(self) -> None:
        """Wake whatever waits although nobody is coming: after a lost message, or a worker that died."""
        workspaces = self.board.workspaces()
        for workspace in workspaces:
            for job in self.board.jobs_at_work(workspace):
                self._wake(workspace, job)
        if workspaces:
            self.signal.send()

    def _wake(self, workspace: str, job: str) -> None:
        try:
            self.jobs.wake(self.jobs.get(workspace, job))
        except ResourceNotFound:
            return  # it was deleted, and its last piece is free already

    async def _try(self, piece: Piece) -> None:
        try:
            job = self.jobs.get(piece.workspace, piece.job)
        except ResourceNotFound:
            self.jobs.drop(piece)
            return
        try:
            await self._work(piece, job)
        except LeaseLost:
            telemetry.logger().warning("lease lost", job=piece.job, kind=piece.kind, tries=piece.tries)

    async def _work(self, piece: Piece, job: BatchJob) -> None:
        match piece.kind:
            case PieceKind.READ:
                self._read(piece, job)
            case PieceKind.CLOSE:
                self._close(piece, job)
            case PieceKind.EMBED:
                await self._embed(piece, job)

    def _read(self, piece: Piece, job: BatchJob) -> None:
        """Every line is looked at before anything is spent."""
        try:
            slices = list(cut(self._checked_lines(piece, job)))
        except FileRefused as refused:
            self.jobs.refuse(piece, job, refused.problems)
            return
        self.jobs.begin(piece, job, slices)
        self.signal.send(workers=min(len(slices), MAX_SIGNALS))

    def _checked_lines(self, piece: Piece, job: BatchJob) -> Iterator[int]:
        """The length of each line; raises `FileRefused` with the first problems."""
        line_format, problems = self.formats[job.format], list[Problem]()
        keys, count, renewed = set[bytes](), 0, self.clock()
        for count, line in enumerate(self._lines(piece, job), start=1):
            if problem := _problem(line_format, line, job, count, keys):
                problems.append(problem)
            if len(problems) == MAX_PROBLEMS:
                break
            if self.clock() - renewed > RENEW_EVERY:
                self.board.renew(piece)
                renewed = self.clock()
            yield len(line)
        if not count:
            problems.append(Problem(code="empty_file", message="The file holds no request."))
        if problems:
            raise FileRefused(problems)

    def _lines(self, piece: Piece, job: BatchJob) -> Iterator[bytes]:
        try:
            self.files.get(piece.workspace, job.input_file)
            yield from self.files.lines(job.input_file)
        except ResourceNotFound as error:
            raise FileRefused([Problem(code="file_not_found", message=error.message)]) from error
        except InvalidRequest as error:
            raise FileRefused([Problem(code="line_too_long", message=error.message)]) from error

    async def _embed(self, piece: Piece, job: BatchJob) -> None:
        todo = piece.slice
        if todo is None:
            raise RuntimeError(f"The piece {piece.order} has no slice.")
        if job.state is JobState.CANCELLING or self.clock() >= job.deadline:
            self._count(piece, job, Counts(skipped=todo.count))
            return
        lines = list(request_lines([self.files.read(job.input_file, todo.offset, todo.length)]))
        answered = await self.embed_lines(job, todo.first, lines, renew=lambda: self.board.renew(piece))
        self._keep(job, todo, answered)
        if not answered.lengths:
            self.board.release(piece, delay=answered.delay)
            self.signal.send(delay=answered.delay)
            return
        rest = after(todo, answered.lengths) if len(answered.lengths) < todo.count else None
        self._count(piece, job, answered.counts, rest=rest, delay=answered.delay)

    def _keep(self, job: BatchJob, todo: Slice, answered: Answered) -> None:
        kinds: dict[AnswerKind, list[bytes]] = {"out": answered.out, "errors": answered.errors}
        for kind, written in kinds.items():
            if written:
                self.answers.put(job.id, kind, todo.first, b"\n".join(written) + b"\n")

    def _count(self, piece: Piece, job: BatchJob, counts: Counts, *, rest: Slice | None = None, delay: int = 0) -> None:
        self.jobs.wake(self.jobs.done(piece, job, counts, rest=rest, delay=delay))
        if rest is not None:
            self.signal.send(delay=delay)

    def _close(self, piece: Piece, job: BatchJob) -> None:
        """Put the answers together, in the order of the requests."""
        self.jobs.closing(job)
        output = self._joined(piece, job, "out")
        errors = self._joined(piece, job, "errors")
        self.jobs.closed(piece, self.jobs.get(job.workspace, job.id), output_file=output, error_file=errors)
        self.answers.forget(job.id)

    def _joined(self, piece: Piece, job: BatchJob, kind: AnswerKind) -> str:
        """The id of a file with all answers of that kind; empty if there are none."""
        file_id = f"file-{hashlib.sha256(f'{job.id}/{kind}'.encode()).hexdigest()[:36]}"
        with self.files.writer(file_id) as writer:
            for answers in self.answers.stream(job.id, kind):
                writer.write(answers)
                self.board.renew(piece)
        if not writer.size:
            return ""
        now = int(self.clock())
        file = StoredFile(
            id=file_id,
            workspace=job.workspace,
            name=f"{job.id}_{'output' if kind == 'out' else 'error'}.jsonl",
            purpose="batch_output",
            size=writer.size,
            created=now,
            expires=now + job.output_ttl,
        )
        self.files.record(file)
        return file_id


def _problem(line_format: LineFormat, line: bytes, job: BatchJob, number: int, keys: set[bytes]) -> Problem | None:
    """What keeps a line from being worked on; its key is added to `keys`."""
    if number > MAX_REQUESTS:
        return Problem(code="too_many_requests", message=f"A batch has at most {MAX_REQUESTS} requests.", line=number)
    try:
        key = line_format.read(line, job).key
    except InvalidRequest as error:
        return Problem(code="invalid_request", message=error.message, line=number, param=error.param)
    digest = hashlib.blake2b(key, digest_size=8).digest()
    if line_format.unique_keys and digest in keys:
        message = f"The custom_id {key.decode()} stands in the file already."
        return Problem(code="duplicate_custom_id", message=message, line=number, param="custom_id")
    keys.add(digest)
    return None
