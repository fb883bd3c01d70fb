"""Without AWS_ENDPOINT_URL, the local stage is where `make run` says; never anywhere else."""

import json
from pathlib import Path

import pytest

import infra.admin.stages
from tests.contract.admin.command import ROOT, Outcome, gateway


@pytest.fixture(autouse=True)
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(infra.admin.stages, "ROOT", tmp_path)
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    (tmp_path / "samconfig.toml").write_text((ROOT / "samconfig.toml").read_text())
    return tmp_path


def test_a_running_one_is_found_without_any_credentials(checkout: Path, emulator: str) -> None:
    describe(checkout, emulator)

    assert gateway("workspaces", "set", "acme").exit_code == 0


def test_a_key_is_good_at_the_front_door_rather_than_at_the_emulators_own(checkout: Path, emulator: str) -> None:
    describe(checkout, emulator)
    gateway("workspaces", "set", "acme")

    created = gateway("keys", "create", "acme")

    assert "It is good at http://127.0.0.1:8081 until" in created.err


def describe(checkout: Path, emulator: str) -> None:
    """What `make run PORT=8081` writes."""
    stack = {
        "base_url": "http://127.0.0.1:8081",
        "endpoint": emulator,
        "access_key_id": "test",
        "secret_access_key": "test",
    }
    (checkout / ".local").mkdir()
    (checkout / ".local" / "stack.json").write_text(json.dumps(stack))


def test_one_that_does_not_run_is_told() -> None:
    outcome = gateway("workspaces", "set", "acme")

    assert outcome == Outcome(2, "", "Error: The local stack is not running: start it with `make run`.\n")
