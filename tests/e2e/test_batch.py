"""Batch jobs with unmodified clients of OpenAI, against the deployed stack and its real workers."""

import json
import time
from collections.abc import Iterator

import httpx
import openai
import pytest
from openai.types import Batch

from tests.e2e.stack import Stack

PATIENCE = 120.0


@pytest.fixture
def client(stack: Stack) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{stack.base_url}/v1", api_key=stack.api_key) as client:
        yield client


@pytest.fixture
def azure(stack: Stack) -> Iterator[openai.AzureOpenAI]:
    with openai.AzureOpenAI(azure_endpoint=stack.base_url, api_key=stack.api_key, api_version="2024-10-21") as client:
        yield client


def line(number: int, **body: object) -> str:
    request = {"model": "all-minilm-l6-v2", "input": f"sentence number {number}", **body}
    return json.dumps({"custom_id": f"r{number}", "method": "POST", "url": "/v1/embeddings", "body": request})


def upload(client: openai.OpenAI, lines: list[str]) -> str:
    file = client.files.create(file=("requests.jsonl", "\n".join(lines).encode()), purpose="batch")
    return file.id


def submitted(client: openai.OpenAI, lines: list[str]) -> Batch:
    return client.batches.create(
        input_file_id=upload(client, lines), endpoint="/v1/embeddings", completion_window="24h", metadata={"run": "1"}
    )


def finished(client: openai.OpenAI, batch: Batch) -> Batch:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        batch = client.batches.retrieve(batch.id)
        if batch.status in {"completed", "failed", "cancelled", "expired"}:
            return batch
        time.sleep(0.5)
    raise AssertionError(f"The job is still {batch.status}.")


def answers(client: openai.OpenAI, file: str | None) -> list[dict[str, object]]:
    assert file is not None
    return [json.loads(answer) for answer in client.files.content(file).text.splitlines()]


@pytest.mark.parametrize("which", ["client", "azure"])
def test_a_job_is_made_watched_and_read(which: str, request: pytest.FixtureRequest) -> None:
    client: openai.OpenAI = request.getfixturevalue(which)
    lines = [line(number) for number in range(300)]
    lines[7] = line(7, input="")
    batch = submitted(client, lines)
    assert batch.status == "validating"

    over = finished(client, batch)

    assert over.status == "completed"
    assert over.request_counts is not None
    assert (over.request_counts.total, over.request_counts.completed, over.request_counts.failed) == (300, 299, 1)
    assert over.metadata == {"run": "1"}
    assert over.usage is not None
    assert over.usage.total_tokens > 299
    read = answers(client, over.output_file_id)
    assert [answer["custom_id"] for answer in read] == [f"r{number}" for number in range(300) if number != 7]
    direct = client.embeddings.create(model="all-minilm-l6-v2", input="sentence number 200", encoding_format="float")
    (embedded,) = [answer for answer in read if answer["custom_id"] == "r200"]
    vector = embedded["response"]["body"]["data"][0]["embedding"]  # type: ignore[index]
    assert vector == pytest.approx(direct.data[0].embedding, abs=1e-5)
    (failed,) = answers(client, over.error_file_id)
    assert (failed["custom_id"], failed["response"]["status_code"]) == ("r7", 400)  # type: ignore[index]


def test_a_job_can_be_cancelled_and_found_again(client: openai.OpenAI) -> None:
    batch = submitted(client, [line(number) for number in range(20_000)])
    client.batches.cancel(batch.id)

    over = finished(client, batch)

    assert over.status == "cancelled"
    assert batch.id in [each.id for each in client.batches.list(limit=1)]


def test_a_file_that_is_wrong_is_explained_by_its_lines(client: openai.OpenAI) -> None:
    over = finished(client, submitted(client, [line(1), "no json", line(1)]))

    assert over.status == "failed"
    assert over.errors is not None
    assert over.errors.data is not None
    assert [(error.line, error.code) for error in over.errors.data] == [
        (2, "invalid_request"),
        (3, "duplicate_custom_id"),
    ]


def test_files_are_listed_read_and_deleted(client: openai.OpenAI) -> None:
    file = upload(client, [line(1)])

    assert client.files.retrieve(file).filename == "requests.jsonl"
    assert file in [each.id for each in client.files.list(purpose="batch", limit=1)]
    assert client.files.content(file).text == line(1)
    assert client.files.delete(file).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(file)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input_file_id": "file-1", "endpoint": "/v1/chat/completions", "completion_window": "24h"}, "endpoint"),
        ({"input_file_id": "file-1", "endpoint": "/v1/embeddings", "completion_window": "1h"}, "completion_window"),
        ({"endpoint": "/v1/embeddings", "completion_window": "24h"}, "input_file_id"),
    ],
)
def test_a_job_that_cannot_be_made_says_why(stack: Stack, body: dict[str, str], param: str) -> None:
    answer = httpx.post(f"{stack.base_url}/v1/batches", json=body, headers={"authorization": f"Bearer {stack.api_key}"})

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
