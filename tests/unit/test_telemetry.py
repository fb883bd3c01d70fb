"""What is written about requests, and that nothing is paid for what is not wanted."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from aws_lambda_powertools import Metrics

from gateway import telemetry

FUNCTIONS = Path(__file__).parents[2] / "functions"


def test_metrics_are_published_for_the_service_and_by_dimension(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0")
    telemetry.count("Requests")
    telemetry.count("OwnTime", 2.5)

    telemetry.publish({"status": 200}, workspace="acme", model="echo")

    line = json.loads(capsys.readouterr().out)
    directive = line["_aws"]["CloudWatchMetrics"][0]
    assert directive["Namespace"] == "EmbeddingsGateway"
    assert [set(names) for names in directive["Dimensions"]] == [{"service"}, {"service", "workspace", "model"}]
    assert {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]} == {
        "Requests": "Count",
        "OwnTime": "Milliseconds",
    }
    assert (line["Requests"], line["OwnTime"], line["workspace"], line["model"]) == (1, 2.5, "acme", "echo")
    assert (line["message"], line["level"], line["status"]) == ("request", "INFO", 200)
    assert line["timestamp"].endswith("+00:00")
    assert line["xray_trace_id"] == "1-5759e988-bd862e3fe1be46a994272793"


def test_each_line_holds_its_own_request_only(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.count("Requests")
    telemetry.publish({}, workspace="acme", model="echo")
    telemetry.count("Requests")
    telemetry.publish({})

    last = json.loads(capsys.readouterr().out.splitlines()[-1])

    assert last["Requests"] == 1
    assert "workspace" not in last


def test_an_operator_who_wants_fewer_lines_still_has_metrics(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry, "_wants_facts", lambda: False)
    telemetry.count("Requests")

    telemetry.publish({"status": 200})

    line = json.loads(capsys.readouterr().out)
    assert line["Requests"] == 1
    assert "status" not in line


def test_a_line_is_read_by_cloudwatch_as_powertools_own_is(capsys: pytest.CaptureFixture[str]) -> None:
    theirs = Metrics(namespace=telemetry.NAMESPACE, service="embeddings-gateway")
    theirs.add_dimensions(service="embeddings-gateway", workspace="acme")
    for name, unit in telemetry.UNITS.items():
        theirs.add_metric(name=name, unit=unit, value=3)
        telemetry.count(name, 3)

    theirs.flush_metrics()
    telemetry.publish({}, workspace="acme")

    their_line, our_line = map(json.loads, capsys.readouterr().out.splitlines())
    assert our_line["_aws"]["CloudWatchMetrics"] == their_line["_aws"]["CloudWatchMetrics"]
    assert abs(our_line["_aws"]["Timestamp"] - their_line["_aws"]["Timestamp"]) < 60_000
    for name in telemetry.UNITS:
        assert [our_line[name]] == their_line[name]


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
