"""One sentence each, on standard error; exit code 2, because nothing was tried."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from infra.admin.app import app
from infra.local.emulator import free_port
from infra.stages import read_stages
from tests.contract.admin.command import Outcome, aws, gateway, no_aws, run_program


def test_a_stage_that_is_not_deployed() -> None:
    outcome = gateway("keys", "list", "acme", stage="eu")

    assert outcome == Outcome(
        2,
        "",
        "Error: There is no stack embeddings-gateway-eu in eu-central-1: deploy it with `make deploy STAGE=eu`.\n",
    )


def test_a_stack_of_an_older_version(emulator: str) -> None:
    cloudformation = aws("cloudformation", emulator, "eu-central-1")
    document = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}
    cloudformation.create_stack(StackName="embeddings-gateway-eu", TemplateBody=json.dumps(document))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="embeddings-gateway-eu")

    outcome = gateway("keys", "list", "acme", stage="eu")

    cloudformation.delete_stack(StackName="embeddings-gateway-eu")
    assert outcome.exit_code == 2
    assert outcome.err.endswith("deploy it again with `make deploy STAGE=eu`.\n")


def test_a_stage_that_does_not_exist() -> None:
    outcome = gateway("keys", "list", "acme", stage="asia")

    known = ", ".join([*(stage.name for stage in read_stages()), "local"])
    assert outcome == Outcome(2, "", f"Error: There is no stage 'asia': samconfig.toml knows {known}.\n")


def test_no_stage_at_all() -> None:
    result = CliRunner().invoke(app, ["keys", "list", "acme"])

    assert result.exit_code == 2
    assert "--stage" in result.stderr


def test_aws_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")

    outcome = gateway("keys", "list", "acme")

    assert outcome.exit_code == 2
    assert "cannot be reached" in outcome.err
    assert "Traceback" not in outcome.err


def test_credentials_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")

    outcome = gateway("keys", "list", "acme")

    assert outcome.exit_code == 2
    assert "does not accept these credentials" in outcome.err


def test_no_credentials(tmp_path: Path, emulator: str) -> None:
    ran = run_program("keys", "list", "acme", "--stage", "us", environment=no_aws(tmp_path, emulator))

    assert ran.exit_code == 2
    assert ran.err.startswith("Error: There are no AWS credentials")
    assert ran.err.count("\n") == 1
