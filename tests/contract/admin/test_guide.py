"""docs/operating.md: its commands work as written, with the rights that it names; its YAML is right."""

import json
import os
import re
import shlex
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from gateway.core.api_key import parse
from tests.contract.admin.command import (
    ROOT,
    VENDOR,
    Outcome,
    aws,
    gateway,
    kept_keys,
    new_key,
    provider_key,
    run_program,
)
from tests.contract.test_template import read_template

GUIDE = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
PROGRAM = ".venv/bin/gateway"
"""Where `make install` puts the command, as the guide calls it."""


def blocks(language: str) -> list[str]:
    """The guide's blocks of code in that language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)


def test_its_commands_work_in_order_for_an_operator_with_its_rights(
    emulator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in make_operator(emulator, json.loads(blocks("json")[0])).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    monkeypatch.chdir(ROOT)

    outcomes = {words: carry_out(words) for block in blocks("sh") for words in commands(block)}

    assert len(outcomes) > 20
    # One difference is meant: the guide changes a model before it compares it with its file.
    assert [words for words, outcome in outcomes.items() if outcome.exit_code] == ["catalogue diff infra/catalogue"]


def test_an_operator_with_its_rights_can_remove_a_workspace_and_make_it_again(
    acme: str, emulator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_key(acme)
    for name, value in make_operator(emulator, json.loads(blocks("json")[0])).items():
        monkeypatch.setenv(name, value)

    removed = gateway("workspaces", "remove", acme, "--yes")
    made = gateway("workspaces", "set", acme)
    created = gateway("keys", "create", acme)

    assert [outcome.exit_code for outcome in (removed, made, created)] == [0, 0, 0]


def test_it_names_every_parameter_of_an_identity_provider() -> None:
    named = set(re.findall(r"\bOidc\w+", GUIDE))

    assert named == {name for name in read_template()["Parameters"] if name.startswith("Oidc")}


def test_an_operator_with_its_rights_cannot_read_a_vendors_key(emulator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway("providers", "set", "vendor", *VENDOR, "--key-stdin", stdin="sk-1")
    for name, value in make_operator(emulator, json.loads(blocks("json")[0])).items():
        monkeypatch.setenv(name, value)

    with pytest.raises(ClientError, match="AccessDenied"):
        provider_key("vendor")


@pytest.mark.parametrize("text", blocks("yaml"))
def test_its_catalogues_can_be_loaded(tmp_path: Path, text: str) -> None:
    (tmp_path / "guide.yaml").write_text(text, encoding="utf-8")

    outcome = gateway("catalogue", "load", str(tmp_path), stage="us")

    assert outcome.err.startswith("The key ")
    assert outcome.err.count("\n") == 1
    assert outcome.out.endswith("2 added, 0 changed, 0 removed; 0 were as they should be.\n")


def commands(block: str) -> Iterator[str]:
    """What follows `.venv/bin/gateway` in the lines of a shell block."""
    for line in block.splitlines():
        if f"{PROGRAM} " in line:
            yield line.partition(f"{PROGRAM} ")[2].removesuffix(")")


def carry_out(words: str) -> Outcome:
    """Carry out a command of the guide on the local stage; KEY_ID is the newest key of acme."""
    if "KEY_ID" in words:
        key_id, _ = max(kept_keys("acme").items(), key=lambda kept: kept[1].created)
        words = words.replace("KEY_ID", key_id)
    return gateway(*shlex.split(words), stdin="sk-2" if "--key-stdin" in words else None)


def make_operator(emulator: str, policy: object) -> dict[str, str]:
    """A user with that policy and no other right; the environment of a program that it runs."""
    iam = aws("iam", emulator, "eu-central-1")
    name = f"operator-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="operates", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


def test_the_program_itself_takes_the_stage_from_the_environment(acme: str, emulator: str) -> None:
    environment = {**os.environ, "GATEWAY_STAGE": "local"}

    ran = run_program("keys", "create", acme, "--plain", environment=environment)

    assert (ran.exit_code, ran.err) == (0, "")
    assert parse(ran.out.removesuffix("\n")).key_id in kept_keys(acme)


def test_the_program_is_where_the_guide_calls_it() -> None:
    program = Path(sys.executable).parent / Path(PROGRAM).name

    ran = subprocess.run((program, "--help"), cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert "workspaces" in ran.stdout
