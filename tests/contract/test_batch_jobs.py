"""Batch jobs and their pieces of work, in the emulator's DynamoDB."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from gateway.core.batch import BatchJob, Counts, JobState, LeaseLost, Piece, PieceKind, Problem, Slice
from gateway.core.errors import ResourceNotFound
from gateway.stores.batch_jobs import TableBatchJobs
from gateway.stores.work_board import LEASE, TableWorkBoard

Boto = Callable[[str], Any]
SLICES = [
    Slice(offset=0, length=10, first=0, count=2),
    Slice(offset=10, length=5, first=2, count=1),
]


JOB = BatchJob(
    id="batch_1",
    workspace="acme",
    key_id="k1",
    format="openai",
    input_file="file-1",
    output_ttl=3600,
    created=1_800_000_000,
    deadline=1_800_086_400,
)


@dataclass
class Clock:
    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Table:
    jobs: TableBatchJobs
    board: TableWorkBoard
    clock: Clock

    def claimed(self, kind: PieceKind) -> Piece:
        piece = self.board.claim()
        assert piece is not None
        assert piece.kind is kind
        return piece

    def started(self, job: BatchJob) -> BatchJob:
        self.jobs.create(job)
        self.jobs.begin(self.claimed(PieceKind.READ), job, SLICES)
        return self.jobs.get(job.workspace, job.id)


@pytest.fixture
def table(boto: Boto, make_table: Callable[..., str]) -> Table:
    name, clock = make_table("pk:S", "sk:S"), Clock()
    jobs = TableBatchJobs(lambda: boto("dynamodb"), table=name, clock=clock)
    return Table(jobs, TableWorkBoard(lambda: boto("dynamodb"), table=name, clock=clock), clock)


def make_job(**changes: Any) -> BatchJob:
    return msgspec.structs.replace(JOB, **changes)


def test_a_job_is_kept_as_it_was_made(table: Table) -> None:
    job = make_job(models=("a", "b"), metadata={"x": "y"}, priority=-5, name="nightly")

    table.jobs.create(job)

    assert table.jobs.get("acme", "batch_1") == job
    with pytest.raises(ResourceNotFound):
        table.jobs.get("another", "batch_1")


def test_a_job_goes_from_its_file_over_its_slices_to_its_answers(table: Table) -> None:
    job = table.started(make_job())
    assert (job.state, job.slices, job.total) == (JobState.IN_PROGRESS, 2, 3)

    first, second = table.claimed(PieceKind.EMBED), table.claimed(PieceKind.EMBED)
    assert [first.slice, second.slice] == SLICES
    assert table.board.claim() is None

    table.jobs.wake(table.jobs.done(first, JOB, Counts(completed=2, tokens=9)))
    assert table.board.claim() is None
    table.jobs.wake(table.jobs.done(second, JOB, Counts(failed=1)))
    closing = table.claimed(PieceKind.CLOSE)
    table.jobs.closing(job)
    table.jobs.closed(closing, table.jobs.get("acme", job.id), output_file="file-o", error_file="file-e")

    over = table.jobs.get("acme", job.id)
    assert (over.state, over.completed, over.failed, over.tokens) == (JobState.COMPLETED, 2, 1, 9)
    assert (over.output_file, over.error_file) == ("file-o", "file-e")
    assert table.board.workspaces() == []


def test_a_worker_that_died_loses_its_slice_and_counts_nothing(table: Table) -> None:
    table.started(make_job())
    lost = table.claimed(PieceKind.EMBED)
    table.clock.now += LEASE + 1
    again = table.claimed(PieceKind.EMBED)

    assert (again.slice, again.tries) == (lost.slice, 2)
    with pytest.raises(LeaseLost):
        table.jobs.done(lost, JOB, Counts(completed=2))
    with pytest.raises(LeaseLost):
        table.board.renew(lost)
    assert table.jobs.done(again, JOB, Counts(completed=2)).completed == 2


def test_a_slice_that_is_laid_out_again_is_counted_once(table: Table) -> None:
    job = make_job()
    table.jobs.create(job)
    slow = table.claimed(PieceKind.READ)
    table.clock.now += LEASE + 1
    table.jobs.begin(table.claimed(PieceKind.READ), job, SLICES)
    table.jobs.done(table.claimed(PieceKind.EMBED), JOB, Counts(completed=2))
    with pytest.raises(LeaseLost):
        table.jobs.begin(slow, job, SLICES)  # lays out both slices once more before it finds out

    repeated, second = table.claimed(PieceKind.EMBED), table.claimed(PieceKind.EMBED)
    assert table.jobs.done(repeated, JOB, Counts(completed=2)).completed == 2
    assert table.jobs.done(second, JOB, Counts(completed=1)).completed == 3


def test_work_given_back_waits_for_its_time(table: Table) -> None:
    table.jobs.create(make_job())
    table.board.release(table.claimed(PieceKind.READ), delay=30)

    assert table.board.claim() is None
    table.clock.now += 31
    assert table.claimed(PieceKind.READ).tries == 2


def test_workspaces_take_turns_whatever_they_ask(table: Table) -> None:
    for name, count in (("busy", 3), ("quiet", 1)):
        for number in range(count):
            table.jobs.create(make_job(id=f"batch_{name}{number}", workspace=name))
    order = []
    while piece := table.board.claim():
        order.append(piece.workspace)
        table.clock.now += 0.01

    assert sorted(order[:2]) == ["busy", "quiet"]
    assert len(order) == 4


def test_within_a_workspace_priority_goes_before_age(table: Table) -> None:
    table.jobs.create(make_job(id="batch_old"))
    table.jobs.create(make_job(id="batch_new", created=1_800_000_001))
    table.jobs.create(make_job(id="batch_low", priority=-(2**63)))
    table.jobs.create(make_job(id="batch_high", priority=2**63 - 1, created=1_800_000_002))

    order = [table.claimed(PieceKind.READ).job for _ in range(4)]

    assert order == ["batch_high", "batch_old", "batch_new", "batch_low"]


def test_a_cancelled_job_ends_cancelled_with_what_is_done(table: Table) -> None:
    job = table.started(make_job())
    table.jobs.done(table.claimed(PieceKind.EMBED), JOB, Counts(completed=2))
    assert table.jobs.cancel("acme", job.id).state is JobState.CANCELLING
    table.jobs.wake(table.jobs.done(table.claimed(PieceKind.EMBED), JOB, Counts(skipped=1)))
    closing = table.claimed(PieceKind.CLOSE)
    table.jobs.closing(job)
    table.jobs.closed(closing, table.jobs.get("acme", job.id), output_file="", error_file="")

    over = table.jobs.cancel("acme", job.id)
    assert (over.state, over.completed, over.skipped) == (JobState.CANCELLED, 2, 1)


def test_a_job_cancelled_before_its_file_was_read_still_comes_to_its_end(table: Table) -> None:
    job = make_job()
    table.jobs.create(job)
    reading = table.claimed(PieceKind.READ)
    table.jobs.cancel("acme", job.id)

    table.jobs.begin(reading, job, SLICES)

    assert table.jobs.get("acme", job.id).state is JobState.CANCELLING
    for _ in SLICES:
        table.jobs.wake(table.jobs.done(table.claimed(PieceKind.EMBED), JOB, Counts(skipped=1)))
    assert table.claimed(PieceKind.CLOSE).job == job.id


def test_a_file_that_cannot_be_read_fails_its_job(table: Table) -> None:
    job = make_job()
    table.jobs.create(job)
    problems = [Problem(code="invalid_line", message="It is no JSON.", line=3)]

    table.jobs.refuse(table.claimed(PieceKind.READ), job, problems)

    failed = table.jobs.get("acme", job.id)
    assert (failed.state, failed.problems) == (JobState.FAILED, tuple(problems))
    assert table.board.workspaces() == []


def test_a_deleted_job_leaves_nothing_to_do(table: Table) -> None:
    job = table.started(make_job())
    held = table.claimed(PieceKind.EMBED)

    table.jobs.delete(job)

    with pytest.raises(LeaseLost):
        table.jobs.begin(held, job, [])
    while piece := table.board.claim():
        with pytest.raises(ResourceNotFound):
            table.jobs.get(piece.workspace, piece.job)
        table.jobs.drop(piece)
    table.jobs.drop(held)
    assert table.board.workspaces() == []


def test_jobs_are_listed_newest_first_in_pages(table: Table) -> None:
    for number in range(3):
        table.jobs.create(make_job(id=f"batch_{number}"))

    page, more = table.jobs.list("acme", limit=2)
    rest, end = table.jobs.list("acme", limit=2, after=page[-1].id)

    assert [job.id for job in page + rest] == ["batch_2", "batch_1", "batch_0"]
    assert (more, end) == (True, False)


def test_a_slice_done_in_part_leaves_the_rest_for_later(table: Table) -> None:
    job = table.started(make_job())
    first = table.claimed(PieceKind.EMBED)
    rest = Slice(offset=4, length=6, first=1, count=1)
    job = table.jobs.done(first, job, Counts(completed=1), rest=rest, delay=30)

    assert (job.slices, job.slices_done, job.completed) == (3, 1, 1)
    assert table.claimed(PieceKind.EMBED).slice == SLICES[1]
    assert table.board.claim() is None
    table.clock.now += 31
    assert table.claimed(PieceKind.EMBED).slice == rest
