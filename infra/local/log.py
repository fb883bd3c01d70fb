"""What the functions log, copied out of the emulator's CloudWatch into a file of JSON lines for the developer."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.local.json_lines import json_line
from infra.local.sam import client_of

PAUSE = 1.0
"""Seconds between two looks."""

_OVERLAP = 2000
"""Milliseconds that each read goes back before the newest event: functions run in parallel."""


@contextlib.asynccontextmanager
async def copied_logs(emulator: str, groups: Iterable[str], file: Path) -> AsyncIterator[None]:
    """Keeps `file` up to date with what is logged in those groups, for as long as the context lasts."""
    _begin(file)
    copying = asyncio.create_task(_copy_on(LogReader(client_of("logs", emulator), groups), file))
    try:
        yield
    finally:
        copying.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await copying


def _begin(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("", encoding="utf-8")


async def _copy_on(reader: "LogReader", file: Path) -> None:
    while True:
        with contextlib.suppress(BotoCoreError, ClientError):  # the next look finds what this one does not
            await asyncio.to_thread(reader.append_to, file)
        await asyncio.sleep(PAUSE)


class LogReader:
    """Reads each line of some log groups once.

    The emulator gives each invocation a stream of its own and writes it at once: a stream once seen was read.
    """

    def __init__(self, logs: Any, groups: Iterable[str]) -> None:  # boto3's client has no types
        self._logs = logs
        self._newest = dict.fromkeys(groups, 0)
        self._seen: set[str] = set()

    def append_to(self, file: Path) -> None:
        """Adds what was logged since the last call."""
        if lines := self.new_lines():
            with file.open("a", encoding="utf-8") as output:
                output.writelines(f"{line}\n" for line in lines)

    def new_lines(self) -> list[str]:
        """What was logged since the last call, group by group, each line one JSON object."""
        found = [event for group in self._newest for event in self._recent(group)]
        new = [event for event in found if event["logStreamName"] not in self._seen]
        self._seen = {event["logStreamName"] for event in found}
        return [json_line(event["message"], event["timestamp"]) for event in new]

    def _recent(self, group: str) -> list[Mapping[str, Any]]:
        start = max(0, self._newest[group] - _OVERLAP)
        pages = self._logs.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=start)
        events: list[Mapping[str, Any]] = [event for page in pages for event in page["events"]]
        self._newest[group] = max([self._newest[group], *(event["timestamp"] for event in events)])
        return events
