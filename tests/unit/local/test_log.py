"""What the functions log reaches a file, each line once."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from infra.local import log
from infra.local.log import LogReader, copied_logs

API, MODEL = "api", "model"


class Logs:
    """CloudWatch Logs as the emulator has it: a stream per invocation."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.starts: list[int] = []
        self.is_down = False

    def write(self, group: str, stream: str, timestamp: int, *lines: str) -> None:
        self.events += [
            {"group": group, "logStreamName": stream, "timestamp": timestamp, "message": line} for line in lines
        ]

    def get_paginator(self, operation: str) -> "Logs":
        assert operation == "filter_log_events"
        return self

    def paginate(self, *, logGroupName: str, startTime: int) -> Iterator[Mapping[str, Any]]:  # noqa: N803  # boto3's
        if self.is_down:
            self.is_down = False
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1")
        self.starts.append(startTime)
        in_group = (event for event in self.events if event["group"] == logGroupName)
        yield {"events": [event for event in in_group if event["timestamp"] >= startTime]}


def test_each_line_is_read_once() -> None:
    logs = Logs()
    reader = LogReader(logs, [API, MODEL])
    logs.write(API, "one", 10_000, '{"line":1}', '{"line":2}')
    logs.write(MODEL, "two", 10_001, '{"line":3}')

    first = reader.new_lines()
    again = reader.new_lines()
    logs.write(API, "three", 10_000, '{"line":4}')
    last = reader.new_lines()

    assert first == ['{"line":1}', '{"line":2}', '{"line":3}']
    assert (again, last) == ([], ['{"line":4}'])


def test_an_invocation_that_was_written_late_is_not_missed() -> None:
    logs = Logs()
    reader = LogReader(logs, [API])
    logs.write(API, "newer", 10_000, '{"line":"newer"}')
    reader.new_lines()
    logs.write(API, "older", 9_500, '{"line":"older"}')

    assert reader.new_lines() == ['{"line":"older"}']


def test_what_was_read_long_ago_is_not_asked_for_again() -> None:
    logs = Logs()
    reader = LogReader(logs, [API])
    logs.write(API, "one", 1_000_000, "{}")

    reader.new_lines()
    reader.new_lines()

    assert logs.starts == [0, 998_000]


async def test_the_file_begins_anew_and_follows_even_if_a_look_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = Logs()
    logs.is_down = True
    logs.write(API, "one", 10_000, '{"line":"one"}\n')
    monkeypatch.setattr(log, "client_of", lambda *_: logs)
    monkeypatch.setattr(log, "PAUSE", 0.01)
    file = tmp_path / "logs" / "functions.log"
    file.parent.mkdir()
    file.write_text("of the stack before\n", encoding="utf-8")

    async with copied_logs("http://127.0.0.1", [API], file):
        first = await asyncio.to_thread(content, file, '{"line":"one"}')
        logs.write(API, "two", 10_001, '{"line":"two"}')
        second = await asyncio.to_thread(content, file, '{"line":"two"}')

    assert (first, second) == ('{"line":"one"}\n', '{"line":"one"}\n{"line":"two"}\n')


def content(file: Path, awaited: str) -> str:
    """What the file holds as soon as the awaited line is in it."""
    while f"{awaited}\n" not in (found := file.read_text(encoding="utf-8")):
        time.sleep(0.01)
    return found
