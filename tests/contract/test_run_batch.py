"""Batch jobs from the file to the answers: the real stores on the emulator, a provider that computes."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from gateway.core.batch import MAX_SLICE_LINES, BatchJob, JobState
from gateway.core.caller import Limits, Workspace
from gateway.core.errors import ProviderMisconfigured, ProviderRefused, ProviderUnavailable
from gateway.core.files import StoredFile
from gateway.dialects.openai_lines import OpenAILines
from gateway.operations.batches import Batches
from gateway.operations.embed import Embed
from gateway.operations.embed_lines import EmbedLines
from gateway.operations.files import BatchFiles
from gateway.operations.run_batch import LEAST_TIME, RunBatch
from gateway.stores.batch_jobs import TableBatchJobs
from gateway.stores.files import BucketAnswers, BucketFiles
from gateway.stores.work_board import LEASE, TableWorkBoard
from tests.fakes.batch import Signals
from tests.fakes.echo_provider import EchoProvider, echo_vector
from tests.fakes.models import make_caller, make_model, make_provider
from tests.fakes.stores import MemoryCatalogue, MemoryVectorCache, OpenRateLimits

Boto = Callable[[str], Any]
ENOUGH = LEAST_TIME + 3600


@dataclass
class Clock:
    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Place:
    run: RunBatch
    batches: Batches
    files: BatchFiles
    provider: EchoProvider
    limits: OpenRateLimits
    clock: Clock
    signals: Signals

    def submit(self, lines: Sequence[object], **options: Any) -> BatchJob:
        body = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
        file = self.files.add(make_caller(), "requests.jsonl", body + b"\n")
        return self.batches.create(make_caller(), file, job_format="openai", **options)

    def job(self, job: BatchJob) -> BatchJob:
        return self.batches.get(make_caller(), job.id)

    def read(self, file_id: str) -> list[dict[str, Any]]:
        store = self.run.files
        body = store.read(file_id, 0, store.get("acme", file_id).size)
        return [json.loads(line) for line in body.splitlines()]

    async def finish(self, job: BatchJob, *, rounds: int = 50) -> BatchJob:
        for _ in range(rounds):
            await self.run(ENOUGH)
            if self.job(job).is_over:
                return self.job(job)
            self.clock.now += 60
        raise AssertionError(f"The job is still {self.job(job).state}.")


@pytest.fixture
def place(boto: Boto, make_table: Callable[..., str], unique: str) -> Place:
    clock, signals, provider, limits = Clock(), Signals(), EchoProvider(), OpenRateLimits()
    table = make_table("pk:S", "sk:S")
    boto("s3").create_bucket(Bucket=unique, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    jobs = TableBatchJobs(lambda: boto("dynamodb"), table=table, clock=clock)
    files = BucketFiles(lambda: boto("dynamodb"), lambda: boto("s3"), table=table, bucket=unique, clock=clock)
    workspace = Workspace(name="acme", limits=Limits(requests=1000, tokens=1_000_000))
    catalogue = MemoryCatalogue(models=[make_model()], workspaces=[workspace], providers=[make_provider()])
    embed = Embed(
        region="eu",
        catalogue=catalogue,
        rate_limits=limits,
        cache=MemoryVectorCache(clock),
        provider=lambda _: provider,
        clock=clock,
    )
    formats = {"openai": OpenAILines()}
    run = RunBatch(
        jobs=jobs,
        board=TableWorkBoard(lambda: boto("dynamodb"), table=table, clock=clock),
        files=files,
        answers=BucketAnswers(lambda: boto("s3"), bucket=unique),
        signal=signals,
        embed_lines=EmbedLines(embed=embed, catalogue=catalogue, formats=formats),
        formats=formats,
        clock=clock,
    )
    batches = Batches(jobs=jobs, signal=signals, clock=clock)
    return Place(run, batches, BatchFiles(files=files, clock=clock), provider, limits, clock, signals)


def request(number: int, text: Any = None, **body: Any) -> dict[str, Any]:
    asked = {"model": "echo", "input": f"text number {number}" if text is None else text, **body}
    return {"custom_id": f"r{number}", "method": "POST", "url": "/v1/embeddings", "body": asked}


def vector(text: str) -> list[float]:
    return list(memoryview(echo_vector(text, 8)).cast("f"))


async def test_every_request_is_answered_in_order_with_its_own_vectors(place: Place) -> None:
    count = 2 * MAX_SLICE_LINES + 5
    job = await place.finish(place.submit([request(number) for number in range(count)]))

    answers = place.read(job.output_file)
    assert (job.state, job.total, job.completed, job.failed, job.error_file) == (
        JobState.COMPLETED, count, count, 0, "",
    )  # fmt: skip
    assert [answer["custom_id"] for answer in answers] == [f"r{number}" for number in range(count)]
    for number, answer in enumerate(answers):
        body = answer["response"]["body"]
        assert body["data"][0]["embedding"] == pytest.approx(vector(f"text number {number}"))
        assert body["usage"]["prompt_tokens"] == 3
    assert job.tokens == 3 * count
    assert len(place.provider.calls) < count / 10


async def test_several_inputs_of_a_request_stay_together(place: Place) -> None:
    texts = [[f"{number}-{part}" for part in range(number + 1)] for number in range(5)]
    job = await place.finish(place.submit([request(number, texts[number]) for number in range(5)]))

    for number, answer in enumerate(place.read(job.output_file)):
        embeddings = [item["embedding"] for item in answer["response"]["body"]["data"]]
        assert embeddings == [pytest.approx(vector(text)) for text in texts[number]]


async def test_a_request_that_is_wrong_fails_alone(place: Place) -> None:
    def refuse(call: Any) -> ProviderRefused | None:
        return ProviderRefused("Not this one.", status=400) if "text number 7" in call.inputs else None

    place.provider.fails = refuse
    lines = [request(number) for number in range(20)]
    lines[3] = request(3, "")
    lines[11] = request(11, model="nobody")
    job = await place.finish(place.submit(lines))

    failed = place.read(job.error_file)
    assert (job.state, job.completed, job.failed) == (JobState.COMPLETED, 17, 3)
    assert [(line["custom_id"], line["response"]["status_code"]) for line in failed] == [
        ("r3", 400), ("r7", 400), ("r11", 404),
    ]  # fmt: skip
    assert failed[0]["response"]["body"]["error"]["param"] == "input"
    assert {line["custom_id"] for line in place.read(job.output_file)}.isdisjoint({"r3", "r7", "r11"})


@pytest.mark.parametrize(
    ("lines", "code", "number"),
    [
        ([b"no json"], "invalid_request", 1),
        ([request(1), b"[]"], "invalid_request", 2),
        ([request(1), {**request(2), "custom_id": None}], "invalid_request", 2),
        ([request(1), {**request(2), "url": "/v1/chat/completions"}], "invalid_request", 2),
        ([request(1), {**request(2), "method": "GET"}], "invalid_request", 2),
        ([request(1), {**request(2), "body": "text"}], "invalid_request", 2),
        ([request(1), request(1)], "duplicate_custom_id", 2),
        ([b"", b" "], "empty_file", None),
    ],
)
async def test_a_file_that_is_wrong_fails_its_job_and_costs_nothing(
    place: Place, lines: list[object], code: str, number: int | None
) -> None:
    job = await place.finish(place.submit(lines))

    assert job.state is JobState.FAILED
    assert [(problem.code, problem.line) for problem in job.problems] == [(code, number)]
    assert place.provider.calls == []


async def test_blank_lines_and_the_ends_of_windows_count_for_nothing(place: Place) -> None:
    body = [json.dumps(request(number)).encode() for number in range(3)]
    job = await place.finish(place.submit([b"", body[0] + b"\r", b"\r", body[1], b"", b"", body[2]]))

    assert (job.state, job.total, job.completed) == (JobState.COMPLETED, 3, 3)


@pytest.mark.parametrize("failure", [ProviderUnavailable("down"), ProviderMisconfigured("no key")])
async def test_while_a_vendor_fails_the_job_waits(place: Place, failure: Any) -> None:
    place.provider.fails = lambda _: failure
    job = place.submit([request(number) for number in range(3)])
    await place.run(ENOUGH)
    assert place.job(job).state is JobState.IN_PROGRESS
    assert place.signals.sent[-1][1] > 0

    place.provider.fails = lambda _: None
    assert (await place.finish(job)).completed == 3


async def test_what_was_embedded_before_the_limit_was_reached_is_not_asked_again(place: Place) -> None:
    calls = iter([None, ProviderUnavailable("down"), *[None] * 99])
    place.provider.fails = lambda _: next(calls)
    job = await place.finish(place.submit([request(number) for number in range(200)]))

    assert [answer["custom_id"] for answer in place.read(job.output_file)] == [f"r{n}" for n in range(200)]
    asked = [text for call in place.provider.calls[:1] + place.provider.calls[2:] for text in call.inputs]
    assert sorted(asked) == sorted(f"text number {number}" for number in range(200))


async def test_a_cancelled_job_keeps_what_is_done_and_asks_nothing_more(place: Place) -> None:
    job = place.submit([request(number) for number in range(MAX_SLICE_LINES + 1)])
    place.batches.cancel(make_caller(), job.id)

    over = await place.finish(job)

    assert (over.state, over.completed, over.skipped) == (JobState.CANCELLED, 0, MAX_SLICE_LINES + 1)
    assert place.provider.calls == []


async def test_a_job_that_takes_longer_than_its_window_expires(place: Place) -> None:
    job = place.submit([request(number) for number in range(3)])
    place.clock.now = job.deadline + 1

    over = await place.finish(job)

    assert (over.state, over.skipped) == (JobState.EXPIRED, 3)


async def test_workers_that_die_anywhere_lose_nothing_and_count_nothing_twice(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A death is an exception at a random call of a store; what the worker held comes free with its lease."""
    source = random.Random(7)
    deaths = 0

    class Died(BaseException):
        pass

    def mortal(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            nonlocal deaths
            moment = source.random()
            if moment < 0.06:
                deaths += 1
                raise Died
            result = method(*args, **options)
            if moment > 0.94:
                deaths += 1
                raise Died
            return result

        return call

    job = place.submit([request(number) for number in range(4 * MAX_SLICE_LINES)])
    for store, names in (
        (TableBatchJobs, ("begin", "done", "wake", "closing", "closed", "get")),
        (TableWorkBoard, ("claim", "renew", "release")),
        (BucketAnswers, ("put", "forget")),
        (BucketFiles, ("record", "read")),
    ):
        for name in names:
            monkeypatch.setattr(store, name, mortal(getattr(store, name)))
    for _ in range(400):
        try:
            await place.run(ENOUGH)
            place.run.sweep()
        except Died:
            place.clock.now += LEASE + 1
        place.clock.now += 1
        if deaths >= 30:
            break
    monkeypatch.undo()
    place.run.sweep()
    over = await place.finish(job)

    count = 4 * MAX_SLICE_LINES
    assert deaths >= 10
    assert (over.state, over.total, over.completed, over.failed) == (JobState.COMPLETED, count, count, 0)
    assert [answer["custom_id"] for answer in place.read(over.output_file)] == [f"r{n}" for n in range(count)]


async def test_a_deleted_job_is_not_worked_on(place: Place) -> None:
    job = place.submit([request(1)])
    place.batches.delete(make_caller(), job.id)

    await place.run(ENOUGH)

    assert place.provider.calls == []
    assert place.run.board.workspaces() == []


def test_a_file_of_another_workspace_is_not_found(place: Place) -> None:
    file: StoredFile = place.files.add(make_caller(), "mine.jsonl", b"{}")
    another = make_caller(workspace=Workspace(name="another"))

    with pytest.raises(Exception, match="There is no file"):
        place.files.get(another, file.id)
