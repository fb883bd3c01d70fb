"""Whatever a function or the emulator logs, each line is one JSON object."""

import json

import pytest

from infra.local.json_lines import json_line

TIME = 1_795_790_175_654
"""Milliseconds since 1970."""


def test_a_json_object_stays_as_it_is() -> None:
    line = '{"level":"INFO","OwnTime":98.62767299978259,"é":null}'

    assert json_line(f"{line}\n", TIME) == line


def test_a_json_object_of_several_lines_becomes_one_line() -> None:
    line = json_line('{\n  "level": "INFO"\n}', TIME)

    assert "\n" not in line
    assert json.loads(line) == {"level": "INFO"}


REPORT = (
    "REPORT RequestId: 28ae-44b8\tDuration: 2911.5 ms\tBilled Duration: 2912 ms\t"
    "Memory Size: 1769 MB\tMax Memory Used: 80 MB\tInit Duration: 231.07 ms"
)
METRICS = {
    "durationMs": 2911.5,
    "billedDurationMs": 2912,
    "memorySizeMB": 1769,
    "maxMemoryUsedMB": 80,
    "initDurationMs": 231.07,
}


@pytest.mark.parametrize(
    ("text", "kind", "record"),
    [
        ("START RequestId: 28ae-44b8 Version: 1", "platform.start", {"requestId": "28ae-44b8", "version": "1"}),
        ("END RequestId: 28ae-44b8", "platform.end", {"requestId": "28ae-44b8"}),
        (REPORT, "platform.report", {"requestId": "28ae-44b8", "metrics": METRICS}),
    ],
)
def test_lambdas_own_lines_become_its_events(text: str, kind: str, record: object) -> None:
    assert json.loads(json_line(text, TIME)) == {"time": "2026-11-27T14:36:15.654Z", "type": kind, "record": record}


@pytest.mark.parametrize("text", ["Traceback (most recent call last):", "START of something", "5", "[]", "", '{"a":'])
def test_any_other_text_becomes_a_functions_event(text: str) -> None:
    assert json.loads(json_line(text, TIME)) == {"time": "2026-11-27T14:36:15.654Z", "type": "function", "record": text}
