"""What is written about requests, and that nothing is paid for what is not wanted."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gateway import telemetry

FUNCTIONS = Path(__file__).parents[2] / "functions"


def test_metrics_are_published_for_the_service_and_by_dimension(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0")

    telemetry.publish({"Requests": 1, "OwnTime": 2.5}, {"status": 200}, workspace="acme", model="echo")

    line = json.loads(capsys.readouterr().out)
    directive = line["_aws"]["CloudWatchMetrics"][0]
    assert directive["Namespace"] == "EmbeddingsGateway"
    assert [set(names) for names in directive["Dimensions"]] == [{"service"}, {"service", "workspace", "model"}]
    assert {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]} == {
        "Requests": "Count",
        "OwnTime": "Milliseconds",
    }
    assert (line["Requests"], line["OwnTime"], line["workspace"], line["model"]) == ([1.0], [2.5], "acme", "echo")
    assert line["status"] == 200
    assert line["xray_trace_id"] == "1-5759e988-bd862e3fe1be46a994272793"


def test_each_line_holds_its_own_request_only(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.publish({"Requests": 1}, {"status": 200}, workspace="acme", model="echo")
    telemetry.publish({"Requests": 1}, {})

    last = json.loads(capsys.readouterr().out.splitlines()[-1])

    assert last["Requests"] == [1.0]
    assert last.keys() == {"_aws", "service", "Requests"}
    assert last["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]


def test_an_operator_who_wants_fewer_lines_still_has_metrics(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry, "_keeps_facts", lambda: False)

    telemetry.publish({"Requests": 1}, {"status": 200})

    line = json.loads(capsys.readouterr().out)
    assert line["Requests"] == [1.0]
    assert "status" not in line


def test_a_degraded_store_is_a_warning_and_a_metric_at_once(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing waits for somebody to publish it: a worker that never does would lose it."""
    telemetry.degraded("CacheFailures", "timeout")

    metric = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert metric["CacheFailures"] == [1.0]
    assert [record.getMessage() for record in caplog.records] == ["degraded"]


def test_a_sampled_request_has_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1")
    names: list[str] = []

    class Provider:
        def in_subsegment(self, name: str) -> "Provider":
            names.append(name)
            return self

        def __enter__(self) -> None:
            names.append("in")

        def __exit__(self, *_: object) -> None:
            names.append("out")

    class Tracer:
        provider = Provider()

    monkeypatch.setattr(telemetry, "tracer", Tracer)

    with telemetry.segment("provider"):
        names.append("work")

    assert names == ["## provider", "in", "work", "out"]


def test_a_request_that_is_not_sampled_imports_no_tracer() -> None:
    program = (
        "from gateway import telemetry\n"
        "with telemetry.segment('provider'): pass\n"
        "import sys; sys.exit('aws_xray_sdk' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": str(FUNCTIONS)}, check=False)

    assert done.returncode == 0


@pytest.mark.parametrize("heavy", ["boto3", "botocore", "numpy", "httpx", "aws_xray_sdk", "jwt", "cryptography"])
def test_the_way_to_the_first_answer_imports_nothing_heavy(heavy: str) -> None:
    program = f"import gateway.app, gateway.wiring; import sys; sys.exit({heavy!r} in sys.modules)"

    done = subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": str(FUNCTIONS)}, check=False)

    assert done.returncode == 0
