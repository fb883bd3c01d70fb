"""What is written about requests, and that nothing is paid for what is not wanted."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gateway import telemetry

FUNCTIONS = Path(__file__).parents[2] / "functions"


def test_metrics_are_published_for_the_service_and_by_dimension(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.count("Requests")
    telemetry.count("OwnTime", 2.5, "Milliseconds")

    telemetry.publish(workspace="acme", model="echo")

    line = json.loads(capsys.readouterr().out)
    directive = line["_aws"]["CloudWatchMetrics"][0]
    assert directive["Namespace"] == "EmbeddingsGateway"
    assert [set(names) for names in directive["Dimensions"]] == [{"service"}, {"service", "workspace", "model"}]
    assert (line["Requests"], line["OwnTime"], line["workspace"]) == ([1.0], [2.5], "acme")


def test_each_line_holds_its_own_request_only(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.count("Requests")
    telemetry.publish(workspace="acme", model="echo")
    telemetry.count("Requests")
    telemetry.publish()

    last = json.loads(capsys.readouterr().out.splitlines()[-1])

    assert last["Requests"] == [1.0]
    assert "workspace" not in last


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
