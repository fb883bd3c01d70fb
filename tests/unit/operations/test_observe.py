"""The line and the metrics of a request, whichever entrance it came through."""

import json
from typing import Any

import pytest

from gateway.core.caller import Limits, Workspace
from gateway.core.facts import Facts
from gateway.operations.observe import Outcome, observe
from tests.fakes.models import make_caller

SERVED = Facts(
    model="echo",
    route="echo-eu",
    inputs=3,
    hits=1,
    misses=2,
    input_tokens=9,
    billed_tokens=6,
    upstream_calls=1,
    upstream_time=0.25,
)


def observed(capsys: pytest.CaptureFixture[str], facts: Facts = SERVED, **changes: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {"request_id": "r1", "dialect": "openai", "method": "POST", "status": 200, "duration": 0.26}
    known = changes.pop("known", True)
    observe(Outcome(**{**usual, **changes}), facts, make_caller() if known else None)
    line: dict[str, Any] = json.loads(capsys.readouterr().out)
    return line


def test_a_request_is_one_line_with_its_facts_and_its_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    line = observed(capsys, bytes_out=40)

    facts = {name: value for name, value in line.items() if name.islower() and name != "_aws"}
    assert facts == {
        "message": "request",
        "service": "embeddings-gateway",
        "request_id": "r1",
        "dialect": "openai",
        "method": "POST",
        "status": 200,
        "workspace": "acme",
        "key_id": "k" * 8,
        "model": "echo",
        "route": "echo-eu",
        "inputs": 3,
        "hits": 1,
        "input_tokens": 9,
        "billed_tokens": 6,
        "upstream_calls": 1,
        "upstream_ms": 250.0,
        "own_ms": 10.0,
        "bytes_out": 40,
    }
    assert {name: value for name, value in line.items() if name[0].isupper()} == {
        "Requests": [1.0],
        "Errors": [0.0],
        "BilledTokens": [6.0],
        "InputTokens": [9.0],
        "CacheHits": [1.0],
        "CacheMisses": [2.0],
        "UpstreamTime": [250.0],
        "OwnTime": [pytest.approx(10.0)],
    }


def test_a_request_of_nobody_is_counted_for_the_service_alone(capsys: pytest.CaptureFixture[str]) -> None:
    line = observed(capsys, Facts(), known=False, status=401, error="Unauthenticated")

    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]
    assert (line["Requests"], line["Errors"], line["error"]) == ([1.0], [0.0], "Unauthenticated")
    assert "workspace" not in line
    assert "InputTokens" not in line


def test_a_failure_of_ours_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert observed(capsys, status=503, error="ProviderUnavailable")["Errors"] == [1.0]


def test_an_answer_from_the_cache_has_no_upstream_time(capsys: pytest.CaptureFixture[str]) -> None:
    assert "UpstreamTime" not in observed(capsys, Facts(model="echo", hits=1))


def test_a_thousand_workspaces_make_no_more_metrics_than_one(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = {
        (metric["Name"], *(line[dimension] for dimension in dimensions))
        for line in (a_line_of_workspace(capsys, number) for number in range(1_000))
        for directive in line["_aws"]["CloudWatchMetrics"]
        for metric in directive["Metrics"]
        for dimensions in directive["Dimensions"]
    }

    assert len(metrics) == 2 * len(EMBEDDING_METRICS)  # for the service, and for the one model


EMBEDDING_METRICS = {
    "Requests", "Errors", "BilledTokens", "InputTokens", "CacheHits", "CacheMisses", "UpstreamTime", "OwnTime",
}  # fmt: skip


def a_line_of_workspace(capsys: pytest.CaptureFixture[str], number: int) -> dict[str, Any]:
    caller = make_caller(workspace=Workspace(name=f"w{number}", limits=Limits(requests=1, tokens=1)))
    observe(Outcome(request_id="r", dialect="openai", method="POST", status=200, duration=0.1), SERVED, caller)
    line: dict[str, Any] = json.loads(capsys.readouterr().out)
    return line
