"""The operator's command against the emulator: what it writes is what the gateway's own stores read."""

import json
import os
import re
import shlex
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import botocore.loaders
import botocore.session
import pytest
import yaml
from botocore.exceptions import ClientError
from typer.testing import CliRunner

import infra.admin.stages
from gateway.core.api_key import matches, parse
from gateway.core.caller import KeyRecords
from gateway.stores.api_keys import decode_records, encode_records
from gateway.stores.catalogue import ModelRow, ProviderRow, RouteRow
from infra.admin.api_keys import ApiKeys, open_api_keys
from infra.admin.app import app
from infra.admin.catalogue_rows import Rows
from infra.admin.catalogue_table import CatalogueTable, open_catalogue
from infra.admin.failures import Failure
from infra.admin.key_records import add_key, make_key
from infra.admin.secret_values import SecretValues
from infra.admin.stages import find_stage
from infra.admin.workspaces import open_workspaces
from infra.local.emulator import free_port
from infra.stages import read_stages
from tests.contract.test_template import read_template

ROOT = Path(__file__).parents[2]
STACKS = {"local": ("embeddings-gateway-local", "eu-central-1"), "us": ("embeddings-gateway-us", "us-east-1")}
GUIDE = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
VENDOR = ("--kind", "openai", "--url", "https://vendor.example/v1")
HOUR = 3600
PROGRAM = ".venv/bin/gateway"
"""Where `make install` puts the command, as the guide calls it."""


def blocks(language: str) -> list[str]:
    """The guide's blocks of code in that language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command said, and how it ended."""

    exit_code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What a stage holds: boto3's clients, which have no types, and its table."""

    dynamodb: Any
    secrets: Any
    table: str

    def clear(self) -> None:
        for found in self.dynamodb.scan(TableName=self.table)["Items"]:
            self.dynamodb.delete_item(TableName=self.table, Key={"pk": found["pk"], "sk": found["sk"]})
        for secret in self.secrets.list_secrets(IncludePlannedDeletion=True)["SecretList"]:
            if secret["Name"].startswith("embeddings-gateway-"):
                self.secrets.delete_secret(SecretId=secret["Name"], ForceDeleteWithoutRecovery=True)


@pytest.fixture(scope="module")
def stages(emulator: str) -> list[Contents]:
    """The stages that the tests use, made of the catalogue's part of template.yaml."""
    template = read_template()
    outputs = {name: output for name, output in template["Outputs"].items() if "Catalogue" in name or "Secret" in name}
    outputs["Stage"] = template["Outputs"]["Stage"]
    outputs["ApiUrl"] = {"Value": "https://api.example"}
    parameters = {name: template["Parameters"][name] for name in ("Stage", "AllowLoopbackProviders")}
    resources = {"CatalogueTable": template["Resources"]["CatalogueTable"]}
    document = {"Parameters": parameters, "Resources": resources, "Outputs": outputs}
    return [deploy(document, stage, emulator) for stage in STACKS]


def deploy(document: object, stage: str, emulator: str) -> Contents:
    """The stage's stack, new and empty."""
    stack, region = STACKS[stage]
    values = {"Stage": "us" if stage == "us" else "eu", "AllowLoopbackProviders": str(stage == "local").lower()}
    cloudformation = aws("cloudformation", emulator, region)
    cloudformation.create_stack(
        StackName=stack,
        TemplateBody=json.dumps(document),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    outputs = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
    table = next(output["OutputValue"] for output in outputs if output["OutputKey"] == "CatalogueTable")
    return Contents(aws("dynamodb", emulator, region), aws("secretsmanager", emulator, region), table)


@pytest.fixture(autouse=True)
def empty_stages(stages: list[Contents], emulator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test begins with stages that hold nothing, and an environment that leads to the emulator."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("GATEWAY_STAGE", raising=False)
    for stage in stages:
        stage.clear()


@pytest.fixture(autouse=True, scope="module")
def quick_clients() -> Iterator[None]:
    """One reader of boto3's service descriptions for all commands: it spends most of a command's time."""
    loader = botocore.loaders.create_loader()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", lambda _: loader)
        yield


@pytest.fixture
def acme() -> str:
    """A workspace."""
    assert gateway("workspaces", "set", "acme").exit_code == 0
    return "acme"


def aws(service: str, endpoint: str, region: str) -> Any:
    """A client of boto3, which has no types."""
    session: Any = boto3.Session("test", "test", region_name=region)
    return session.client(service, endpoint_url=endpoint)


def gateway(*words: str, stage: str = "local", stdin: str | None = None) -> Outcome:
    """What the command does with these words."""
    result = CliRunner().invoke(app, [*words, "--stage", stage], input=stdin)
    return Outcome(result.exit_code, result.stdout, result.stderr)


def new_key(workspace: str, *options: str) -> str:
    """A key as a script gets it."""
    return gateway("keys", "create", workspace, "--plain", *options).out.removesuffix("\n")


def kept_keys(workspace: str, stage: str = "local") -> KeyRecords:
    """What Secrets Manager holds, read as the gateway reads it."""
    place = find_stage(stage)
    answer = place.client("secretsmanager").get_secret_value(SecretId=place.api_keys_prefix + workspace)
    return decode_records(answer["SecretString"])


def rows(stage: str = "local") -> Rows:
    """The catalogue of a stage."""
    return open_catalogue(find_stage(stage)).read().rows


def item(key: str) -> Any:
    """A row of the catalogue as DynamoDB holds it."""
    place = find_stage("local")
    found = place.client("dynamodb").get_item(
        TableName=place.catalogue_table, Key={"pk": {"S": "catalogue"}, "sk": {"S": key}}
    )
    return found.get("Item")


def write_folder(folder: Path, **files: object) -> str:
    """A folder with that catalogue."""
    for name, content in files.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return str(folder)


def a_provider(name: str = "vendor", **fields: object) -> dict[str, object]:
    return {"name": name, "kind": "openai", "url": "https://vendor.example/v1", **fields}


def a_model(name: str = "m", provider: str = "vendor", **fields: object) -> dict[str, object]:
    route = {"name": "r", "provider": provider, "vendor_model": name, "region": "eu"}
    return {"name": name, "dimensions": 8, "routes": [route], **fields}


class TestKeys:
    def test_plain_prints_a_key_that_the_gateway_knows_and_nothing_else(self, acme: str) -> None:
        outcome = gateway("keys", "create", acme, "--plain")

        key = parse(outcome.out.removesuffix("\n"))
        assert matches(key.secret, kept_keys(acme)[key.key_id].sha256)
        assert (outcome.exit_code, outcome.err) == (0, "")

    def test_otherwise_it_also_says_where_the_key_is_good_and_that_it_is_shown_once(self, acme: str) -> None:
        outcome = gateway("keys", "create", acme)

        assert parse(outcome.out.strip()).workspace == acme
        assert "only time" in outcome.err
        assert "https://api.example" in outcome.err

    def test_nothing_that_is_kept_holds_the_secret(self, acme: str) -> None:
        key = parse(new_key(acme))

        place = find_stage("local")
        kept = place.client("secretsmanager").get_secret_value(SecretId=place.api_keys_prefix + acme)
        assert key.secret not in str(kept)

    def test_a_key_has_the_label_expiry_models_and_dialect_it_was_made_with(self, acme: str) -> None:
        gateway("providers", "set", "vendor", *VENDOR)
        gateway("models", "set", "m", "--dimensions", "8", "--alias", "other", "--route", "provider=vendor")

        key = parse(new_key(acme, "--label", "the app", "--expires", "1h", "--model", "other", "--dialect", "ctyun"))

        record = kept_keys(acme)[key.key_id]
        assert (record.label, record.models, record.dialect) == ("the app", frozenset({"m"}), "ctyun")
        assert record.expires == record.created + HOUR

    def test_the_list_shows_all_but_secrets(self, acme: str) -> None:
        key = parse(new_key(acme, "--label", "the app", "--expires", "90d"))

        out = gateway("keys", "list", acme).out

        assert key.key_id in out
        assert "the app" in out
        assert "active" in out
        assert key.secret not in out
        assert kept_keys(acme)[key.key_id].sha256 not in out

    def test_a_revoked_key_is_disabled_and_the_others_are_not(self, acme: str) -> None:
        revoked, other = parse(new_key(acme)).key_id, parse(new_key(acme)).key_id

        outcome = gateway("keys", "revoke", acme, revoked)

        assert {key_id: record.disabled for key_id, record in kept_keys(acme).items()} == {revoked: True, other: False}
        assert "within 5 minutes" in outcome.out

    def test_a_rotated_key_goes_on_for_the_grace_beside_one_with_the_same_rights(self, acme: str) -> None:
        old = parse(new_key(acme, "--label", "the app"))

        outcome = gateway("keys", "rotate", acme, old.key_id, "--grace", "1h", "--plain")

        new = parse(outcome.out.strip())
        kept = kept_keys(acme)
        assert matches(new.secret, kept[new.key_id].sha256)
        assert kept[new.key_id].label == "the app"
        assert kept[new.key_id].expires is None
        assert kept[old.key_id].expires == kept[new.key_id].created + HOUR
        assert old.key_id in outcome.err

    def test_pruning_forgets_what_is_of_no_use(self, acme: str) -> None:
        useless, useful = parse(new_key(acme)).key_id, parse(new_key(acme)).key_id
        gateway("keys", "revoke", acme, useless)

        outcome = gateway("keys", "prune", acme)

        assert kept_keys(acme).keys() == {useful}
        assert outcome.out == "1 keys of acme are forgotten, 1 remain.\n"

    @pytest.mark.parametrize("command", ["create", "list", "prune"])
    def test_a_workspace_that_does_not_exist_is_told_and_nothing_made(self, command: str) -> None:
        outcome = gateway("keys", command, "nosuch")

        assert outcome == Outcome(
            1,
            "",
            "Error: There is no workspace 'nosuch' in local: make it first with "
            "`gateway workspaces set nosuch --stage local`.\n",
        )
        place = find_stage("local")
        assert not SecretValues(place.client("secretsmanager")).exists(place.api_keys_prefix + "nosuch")

    @pytest.mark.parametrize("label", ["x" * 65, "two\nlines", "\x1b[31mred", "\u202eright to left"])
    def test_a_label_that_does_not_fit_on_a_line_is_refused(self, acme: str, label: str) -> None:
        outcome = gateway("keys", "create", acme, "--label", label)

        assert (outcome.exit_code, outcome.out) == (2, "")
        assert outcome.err.startswith("Error: The label ")
        assert label not in outcome.err

    def test_a_label_may_be_of_any_script(self, acme: str) -> None:
        label = "é" * 32 + "検索" * 16

        key = parse(new_key(acme, "--label", label))

        assert kept_keys(acme)[key.key_id].label == label

    def test_a_key_cannot_outlast_what_can_be_written_as_a_date(self, acme: str) -> None:
        outcome = gateway("keys", "create", acme, "--expires", "9999999d")

        assert outcome == Outcome(
            2, "", "Error: '9999999d' is longer than 100 years, and nothing here lasts longer than that.\n"
        )

    @pytest.mark.parametrize("command", ["revoke", "rotate"])
    def test_an_unknown_key_id_is_told_in_one_sentence(self, acme: str, command: str) -> None:
        outcome = gateway("keys", command, acme, "AAAAAAAA")

        assert outcome == Outcome(
            1, "", "Error: There is no key 'AAAAAAAA' here: `gateway keys list` names those that there are.\n"
        )

    def test_a_misspelt_workspace_gets_no_key(self) -> None:
        outcome = gateway("keys", "create", "acmee")

        assert outcome.exit_code == 1
        assert "workspaces set acmee" in outcome.err

    def test_a_model_that_does_not_exist_cannot_be_permitted(self, acme: str) -> None:
        outcome = gateway("keys", "create", acme, "--model", "nothing")

        assert (outcome.exit_code, outcome.out) == (1, "")
        assert "'nothing'" in outcome.err

    def test_keys_made_at_the_same_time_are_all_kept(self, acme: str) -> None:
        keys = open_api_keys(find_stage("local"))
        with ThreadPoolExecutor(8) as pool:
            made = set(pool.map(lambda _: make_and_keep(keys, acme), range(24)))

        assert len(made) == 24
        assert kept_keys(acme).keys() == made

    def test_an_edit_that_was_overtaken_is_made_again_from_the_newer_keys(self, acme: str) -> None:
        keys = open_api_keys(find_stage("local"))
        make_and_keep(keys, acme)
        mine, theirs = make_key(acme, now=1), make_key(acme, now=2)
        calls: list[int] = []

        def change(records: KeyRecords) -> KeyRecords:
            calls.append(len(records))
            if len(calls) == 1:
                keys.edit(acme, lambda others: add_key(others, theirs.record))
            return add_key(records, mine.record)

        keys.edit(acme, change)

        assert calls == [1, 2]
        assert {mine.record.key_id, theirs.record.key_id} <= kept_keys(acme).keys()

    def test_a_workspace_whose_first_key_is_made_twice_at_once_keeps_both(self, acme: str) -> None:
        keys = open_api_keys(find_stage("local"))
        mine, theirs = make_key(acme, now=1), make_key(acme, now=2)
        calls: list[int] = []

        def change(records: KeyRecords) -> KeyRecords:
            calls.append(len(records))
            if len(calls) == 1:
                keys.edit(acme, lambda others: add_key(others, theirs.record))
            return add_key(records, mine.record)

        keys.edit(acme, change)

        assert kept_keys(acme).keys() == {mine.record.key_id, theirs.record.key_id}

    def test_keys_whose_secret_was_deleted_are_brought_back_with_it(self, acme: str) -> None:
        first = parse(new_key(acme)).key_id
        place = find_stage("local")
        place.client("secretsmanager").delete_secret(SecretId=place.api_keys_prefix + acme, RecoveryWindowInDays=7)

        second = parse(new_key(acme)).key_id

        assert kept_keys(acme).keys() == {first, second}

    def test_a_full_workspace_says_what_makes_room(self, acme: str) -> None:
        records = [make_key(acme, now=1, label="x" * 64).record for _ in range(250)]
        keys = open_api_keys(find_stage("local"))
        keys.edit(acme, lambda _: {record.key_id: record for record in records})
        # One more than any number of keys that fit.
        large = replace(
            records[0], key_id="LARGEKEY", label="x" * (65_536 - len(encode_records(kept_keys(acme))) - 250)
        )
        keys.edit(acme, lambda found: add_key(found, large))

        outcome = gateway("keys", "create", acme, "--label", "x" * 64)

        assert outcome.exit_code == 1
        assert "keys prune acme" in outcome.err
        assert len(kept_keys(acme)) == 251


def make_and_keep(keys: ApiKeys, workspace: str) -> str:
    """Keep a new key as `keys create` does; its id."""
    record = make_key(workspace, now=1).record
    keys.edit(workspace, lambda records: add_key(records, record))
    return record.key_id


class TestWorkspaces:
    def test_a_new_workspace_has_the_default_limits(self) -> None:
        gateway("workspaces", "set", "acme")

        out = gateway("workspaces", "show", "acme").out

        assert out.splitlines()[-2].split() == ["acme", "500", "60000", "0"]

    def test_what_is_not_mentioned_stays(self) -> None:
        gateway("workspaces", "set", "acme", "--requests-per-minute", "7", "--dialect", "ctyun")

        gateway("workspaces", "set", "acme", "--tokens-per-minute", "70")

        out = gateway("workspaces", "show", "acme").out
        assert out.splitlines()[-2].split() == ["acme", "7", "70", "ctyun", "0"]

    @pytest.mark.parametrize("command", ["list", "show"])
    def test_all_are_shown_with_the_number_of_their_keys(self, acme: str, command: str) -> None:
        gateway("workspaces", "set", "beta")
        new_key(acme)

        lines = gateway("workspaces", command).out.splitlines()

        assert [(line.split()[0], line.split()[-1]) for line in lines[-3:-1]] == [("acme", "1"), ("beta", "0")]

    def test_a_stage_without_any_is_told(self) -> None:
        assert gateway("workspaces", "list") == Outcome(0, "", "The stage local has no workspaces.\n")

    @pytest.mark.parametrize(
        ("option", "most"), [("--requests-per-minute", 1_000_000), ("--tokens-per-minute", 1_000_000_000)]
    )
    def test_limits_are_bounded_and_a_limit_of_nothing_is_no_limit(self, option: str, most: int) -> None:
        least, largest = (gateway("workspaces", "set", "acme", option, str(limit)) for limit in (1, most))
        nothing, less, more = (gateway("workspaces", "set", "beta", option, str(limit)) for limit in (0, -1, most + 1))

        assert [outcome.exit_code for outcome in (least, largest)] == [0, 0]
        assert [outcome.exit_code for outcome in (nothing, less, more)] == [2, 2, 2]
        assert "revoke its keys" in nothing.err
        assert f"1 to {most}" in more.err
        assert gateway("workspaces", "show", "beta").exit_code == 1

    def test_a_removed_workspace_is_gone_with_its_keys(self, acme: str) -> None:
        gateway("workspaces", "set", "beta")
        new_key(acme)
        new_key(acme)

        outcome = gateway("workspaces", "remove", acme, "--yes")

        assert outcome.out == (
            "The workspace acme is removed: its settings are deleted, 2 keys revoked and their secret deleted. "
            "Warm functions forget it within 1 minute.\n"
        )
        place = find_stage("local")
        assert open_workspaces(place).names() == ["beta"]
        assert not SecretValues(place.client("secretsmanager")).exists(place.api_keys_prefix + acme)

    def test_a_removed_workspace_made_again_lets_no_old_key_in(self, acme: str) -> None:
        old = parse(new_key(acme)).key_id
        gateway("workspaces", "remove", acme, "--yes")

        gateway("workspaces", "set", acme)
        new = parse(new_key(acme)).key_id

        assert {key_id: record.disabled for key_id, record in kept_keys(acme).items()} == {old: True, new: False}

    def test_a_workspace_without_keys_can_be_removed(self, acme: str) -> None:
        assert "it had no keys" in gateway("workspaces", "remove", acme, "--yes").out

    def test_removing_asks_first_and_says_what_it_costs(self, acme: str) -> None:
        key = parse(new_key(acme))

        outcome = gateway("workspaces", "remove", acme, stdin="n\n")

        assert outcome.exit_code == 1
        assert "revoke its 1 key for good?" in outcome.out
        assert gateway("workspaces", "show", acme).exit_code == 0
        assert not kept_keys(acme)[key.key_id].disabled

    def test_what_does_not_exist_cannot_be_removed(self) -> None:
        outcome = gateway("workspaces", "remove", "nosuch", "--yes")

        assert outcome.exit_code == 1
        assert "There is no workspace 'nosuch'" in outcome.err

    def test_a_stage_knows_nothing_of_another_stages_workspaces(self, acme: str) -> None:
        assert gateway("workspaces", "show", acme, stage="us").exit_code == 1

    @pytest.mark.parametrize("name", ["Acme", "a_b", "a-", "", "x" * 33])
    def test_a_name_that_no_key_could_carry_is_refused(self, name: str) -> None:
        outcome = gateway("workspaces", "set", name)

        assert outcome.exit_code == 2
        assert "a-z, 0-9" in outcome.err


class TestProviders:
    def test_a_key_comes_from_the_environment_and_is_never_shown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("VENDOR_KEY", "sk-very-secret\n")

        outcome = gateway("providers", "set", "vendor", *VENDOR, "--key-from-env", "VENDOR_KEY")

        assert provider_key("vendor") == "sk-very-secret"
        assert rows().providers["vendor"].key == "vendor"
        assert "sk-very-secret" not in outcome.out + outcome.err + gateway("providers", "list").out

    def test_a_key_comes_from_standard_input(self) -> None:
        gateway("providers", "set", "vendor", *VENDOR, "--key-stdin", stdin="sk-1\n")
        gateway("providers", "set", "vendor", "--key-stdin", stdin="sk-2\n")

        assert provider_key("vendor") == "sk-2"

    def test_two_providers_may_share_a_key(self) -> None:
        gateway("providers", "set", "vendor-eu", *VENDOR, "--key-name", "vendor", "--key-stdin", stdin="sk-1")
        gateway("providers", "set", "vendor-us", *VENDOR, "--key-name", "vendor")

        gateway("providers", "remove", "vendor-eu", "--yes")

        assert provider_key("vendor") == "sk-1"

    def test_the_list_tells_which_keys_are_missing(self) -> None:
        gateway("providers", "set", "vendor", *VENDOR, "--key-name", "shared")

        assert "shared (not set)" in gateway("providers", "list").out

    def test_what_is_not_mentioned_stays(self) -> None:
        gateway("providers", "set", "vendor", *VENDOR, "--setting", "path=/embed", "--setting", "send_user=true")

        gateway("providers", "set", "vendor", "--timeout", "9", "--setting", "path=null")

        assert rows().providers["vendor"] == ProviderRow(
            name="vendor", kind="openai", url="https://vendor.example/v1", timeout=9, settings={"send_user": True}
        )

    @pytest.mark.parametrize(
        "url", ["http://vendor.example/v1", "https://10.0.0.1/v1", "https://169.254.169.254/", "https://a:b@c.example/"]
    )
    def test_an_address_that_is_not_public_is_refused_and_nothing_written(self, url: str) -> None:
        outcome = gateway("providers", "set", "vendor", "--kind", "openai", "--url", url)

        assert outcome.exit_code == 1
        assert "Nothing was written" in outcome.err
        assert rows().providers == {}

    def test_only_the_local_stage_may_have_providers_on_this_machine(self) -> None:
        words = ("providers", "set", "vendor", "--kind", "openai", "--url", "http://127.0.0.1:9/v1")

        assert gateway(*words).exit_code == 0
        assert gateway(*words, stage="us").exit_code == 1

    def test_an_unknown_kind_is_refused_with_those_that_there_are(self) -> None:
        outcome = gateway("providers", "set", "vendor", "--kind", "carrier-pigeon")

        assert outcome.exit_code == 1
        assert "openai, embedded" in outcome.err

    def test_a_key_that_is_not_there_leaves_everything_as_it_was(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("VENDOR_KEY", raising=False)

        outcome = gateway("providers", "set", "vendor", *VENDOR, "--key-from-env", "VENDOR_KEY")

        assert outcome == Outcome(2, "", "Error: The environment variable VENDOR_KEY holds no key.\n")
        assert rows().providers == {}

    @pytest.mark.parametrize(
        "move",
        [
            ("--url", "https://other.example/v1"),
            ("--url", "https://vendor.example:8443/v1"),
            ("--setting", "path=.other.example/v1", "--url", "https://vendor.example"),
        ],
    )
    def test_a_stored_key_does_not_go_to_another_host_until_it_is_given_anew(self, move: tuple[str, ...]) -> None:
        gateway("providers", "set", "vendor", *VENDOR, "--key-stdin", stdin="sk-1")

        refused = gateway("providers", "set", "vendor", *move)
        before = rows().providers["vendor"]
        moved = gateway("providers", "set", "vendor", *move, "--key-stdin", stdin="sk-2")

        assert refused.exit_code == 1
        assert "gateway providers set vendor --kind openai --url https://" in refused.err
        assert "--key-from-env" in refused.err
        assert before.url == "https://vendor.example/v1"
        assert moved.exit_code == 0
        assert rows().providers["vendor"] != before
        assert provider_key("vendor") == "sk-2"

    def test_a_path_at_the_same_host_may_change_without_the_key(self) -> None:
        gateway("providers", "set", "vendor", *VENDOR, "--key-stdin", stdin="sk-1")

        outcome = gateway("providers", "set", "vendor", "--url", "https://vendor.example:443/v2")

        assert outcome.exit_code == 0

    def test_another_provider_cannot_take_a_stored_key_to_its_own_host(self, tmp_path: Path) -> None:
        gateway("providers", "set", "vendor", *VENDOR, "--key-stdin", stdin="sk-1")
        thief = a_provider("thief", url="https://thief.example", key="vendor")
        folder = write_folder(tmp_path, all={"providers": [thief]})

        made = gateway(
            "providers", "set", "thief", "--kind", "openai", "--url", "https://thief.example", "--key-name", "vendor"
        )
        loaded, compared = gateway("catalogue", "load", folder), gateway("catalogue", "diff", folder)

        assert [outcome.exit_code for outcome in (made, loaded, compared)] == [1, 1, 1]
        assert "--key-name vendor --key-from-env" in made.err
        assert made.err == loaded.err == compared.err
        assert rows().providers.keys() == {"vendor"}

    def test_a_key_that_nobody_used_yet_may_be_named_by_any_provider(self) -> None:
        gateway("providers", "set", "vendor-eu", *VENDOR, "--key-name", "vendor")

        outcome = gateway(
            "providers", "set", "vendor-us", "--kind", "openai", "--url", "https://us.example", "--key-name", "vendor"
        )

        assert outcome.exit_code == 0

    def test_a_provider_that_a_model_leads_to_cannot_be_removed(self, tmp_path: Path) -> None:
        gateway("catalogue", "load", write_folder(tmp_path, all={"providers": [a_provider()], "models": [a_model()]}))

        outcome = gateway("providers", "remove", "vendor", "--yes")

        assert outcome.exit_code == 1
        assert "'m'" in outcome.err
        assert "vendor" in rows().providers

    def test_a_removed_provider_takes_its_key_with_it_and_may_come_back(self) -> None:
        gateway("providers", "set", "vendor", *VENDOR, "--key-stdin", stdin="sk-1")

        gateway("providers", "remove", "vendor", "--yes")
        gone = rows().providers
        gateway("providers", "set", "vendor", *VENDOR, "--key-stdin", stdin="sk-2")

        assert gone == {}
        assert provider_key("vendor") == "sk-2"

    def test_removing_asks_first(self) -> None:
        gateway("providers", "set", "vendor", *VENDOR)

        outcome = gateway("providers", "remove", "vendor", stdin="n\n")

        assert outcome.exit_code == 1
        assert "vendor" in rows().providers


def provider_key(name: str) -> str:
    """A vendor's key as the gateway finds it."""
    place = find_stage("local")
    answer = place.client("secretsmanager").get_secret_value(SecretId=place.provider_keys_prefix + name)
    return str(answer["SecretString"])


class TestModels:
    def test_a_model_is_made_of_a_few_words(self) -> None:
        gateway("providers", "set", "vendor", *VENDOR)

        gateway(
            "models", "set", "m", "--dimensions", "8", "--price", "0.5", "--alias", "n", "--max-tokens", "99",
            "--route", "provider=vendor,max_inputs=32,accepts_base64=false", "--set", "shortenable=true",
        )  # fmt: skip

        route = RouteRow(
            name="vendor", provider="vendor", vendor_model="m", region="eu", max_inputs=32, accepts_base64=False
        )
        assert rows().models["m"] == ModelRow(
            name="m", dimensions=8, price=0.5, aliases=["n"], max_tokens=99, shortenable=True, routes=[route]
        )

    def test_what_is_not_mentioned_stays(self, tmp_path: Path) -> None:
        gateway("catalogue", "load", write_folder(tmp_path, all={"providers": [a_provider()], "models": [a_model()]}))
        before = rows().models["m"]

        gateway("models", "set", "m", "--price", "0.25")

        assert rows().models["m"] == replace_price(before, 0.25)

    def test_a_route_to_an_unknown_provider_is_refused(self) -> None:
        outcome = gateway("models", "set", "m", "--dimensions", "8", "--route", "provider=nobody")

        assert outcome.exit_code == 1
        assert "do not exist: nobody" in outcome.err
        assert rows().models == {}

    def test_a_wrong_field_is_named(self) -> None:
        outcome = gateway("models", "set", "m", "--dimensions", "8", "--set", "colour=red")

        assert outcome.exit_code == 2
        assert "colour" in outcome.err

    def test_a_name_that_another_model_answers_to_is_refused(self, tmp_path: Path) -> None:
        folder = write_folder(tmp_path, all={"providers": [a_provider()], "models": [a_model(aliases=["n"])]})
        gateway("catalogue", "load", folder)

        outcome = gateway("models", "set", "n", "--dimensions", "8", "--route", "provider=vendor")

        assert outcome.exit_code == 1
        assert "two models" in outcome.err

    def test_the_list_tells_where_models_lead_and_whether_this_stage_serves_them(self, tmp_path: Path) -> None:
        folder = write_folder(tmp_path, all={"providers": [a_provider()], "models": [a_model()]})
        gateway("catalogue", "load", folder)
        gateway("catalogue", "load", folder, stage="us")

        assert gateway("models", "list").out.splitlines()[-2].split() == ["m", "8", "8192", "vendor/m", "yes"]
        assert gateway("models", "list", stage="us").out.splitlines()[-2].split()[-1] == "no"

    def test_a_removed_model_is_gone(self, tmp_path: Path) -> None:
        gateway("catalogue", "load", write_folder(tmp_path, all={"providers": [a_provider()], "models": [a_model()]}))

        outcome = gateway("models", "remove", "m", "--yes")

        assert outcome.exit_code == 0
        assert rows().models == {}
        assert gateway("models", "remove", "m", "--yes").err == "Error: There is no model m.\n"


def replace_price(row: ModelRow, price: float) -> ModelRow:
    return ModelRow(**{name: getattr(row, name) for name in row.__struct_fields__} | {"price": price})


class TestCatalogue:
    def test_loading_twice_changes_nothing_the_second_time(self) -> None:
        first = gateway("catalogue", "load", str(ROOT / "infra" / "catalogue"))
        second = gateway("catalogue", "load", str(ROOT / "infra" / "catalogue"))

        assert "+ model all-minilm-l6-v2" in first.out
        assert second.out.startswith("0 added, 0 changed, 0 removed;")

    def test_loading_ends_with_the_keys_that_are_still_to_be_set(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("VENDOR_KEY", "sk-1")
        words = ("catalogue", "load", str(ROOT / "infra" / "catalogue"))

        without = gateway(*words)
        gateway("providers", "set", "openai-eu", "--key-from-env", "VENDOR_KEY")
        with_key = gateway(*words)

        assert without.err == (
            "The key openai of openai-eu, openai-us is not set: models that lead there are listed and answer 503 "
            "until `gateway providers set openai-eu --key-from-env VARIABLE` stores it.\n"
        )
        assert (with_key.exit_code, with_key.err) == (0, "")

    def test_a_row_is_kept_as_the_gateway_reads_it(self, tmp_path: Path) -> None:
        gateway("catalogue", "load", write_folder(tmp_path, all={"providers": [a_provider()]}))

        kept = item("provider#vendor")

        assert kept.keys() == {"pk", "sk", "document"}
        assert json.loads(kept["document"]["S"])["url"] == "https://vendor.example/v1"

    def test_diff_shows_what_load_would_do_and_tells_scripts(self, tmp_path: Path) -> None:
        gateway("catalogue", "load", write_folder(tmp_path, p={"providers": [a_provider()]}, m={"models": [a_model()]}))
        folder = write_folder(tmp_path, m={"models": [a_model(price=0.5), a_model("new")]})

        different = gateway("catalogue", "diff", folder)
        before = rows()
        gateway("catalogue", "load", folder)
        same = gateway("catalogue", "diff", folder)

        assert different.exit_code == 1
        assert different.out.splitlines() == [
            "~ model m", "    price: nothing → 0.5", "+ model new", "Would be done: 1 added, 1 changed, 0 removed.",
        ]  # fmt: skip
        assert before.models["m"].price is None
        assert (same.exit_code, same.out) == (0, "The stage is as the folder says.\n")

    def test_what_is_not_in_the_folder_stays_unless_pruned(self, tmp_path: Path) -> None:
        folder = write_folder(tmp_path, all={"providers": [a_provider()], "models": [a_model("old"), a_model("new")]})
        gateway("catalogue", "load", folder)
        write_folder(tmp_path, all={"providers": [a_provider()], "models": [a_model("new")]})

        kept, told = gateway("catalogue", "load", folder), gateway("catalogue", "diff", folder)
        declined = gateway("catalogue", "load", folder, "--prune", stdin="n\n")
        still_there = rows().models.keys()
        pruned = gateway("catalogue", "load", folder, "--prune", "--yes")

        assert (kept.exit_code, told.exit_code, declined.exit_code, pruned.exit_code) == (0, 0, 1, 0)
        assert "model old" in told.err
        assert still_there == {"old", "new"}
        assert rows().models.keys() == {"new"}

    def test_if_one_row_is_wrong_none_is_written(self, tmp_path: Path) -> None:
        models = [a_model("right"), a_model("wrong", provider="nobody")]
        folder = write_folder(tmp_path, all={"providers": [a_provider()], "models": models})

        outcome = gateway("catalogue", "load", folder)

        assert outcome.exit_code == 1
        assert "do not exist: nobody" in outcome.err
        assert rows() == Rows()

    def test_more_rows_than_one_transaction_takes_are_loaded(self, tmp_path: Path) -> None:
        models = [a_model(f"m{number}") for number in range(250)]

        gateway("catalogue", "load", write_folder(tmp_path, all={"providers": [a_provider()], "models": models}))

        assert len(rows().models) == 250

    def test_changes_made_at_the_same_time_are_all_kept(self, tmp_path: Path) -> None:
        gateway("catalogue", "load", write_folder(tmp_path, all={"providers": [a_provider()]}))
        table = open_catalogue(find_stage("local"))
        row = RouteRow(name="r", provider="vendor", vendor_model="m", region="eu")

        def add(number: int) -> None:
            model = ModelRow(name=f"m{number}", dimensions=8, routes=[row])
            table.edit(lambda found: found.put(model))

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(add, range(18)))

        assert rows().models.keys() == {f"m{number}" for number in range(18)}

    def test_a_provider_cannot_vanish_under_a_model_that_is_being_made(self) -> None:
        gateway("providers", "set", "vendor", *VENDOR)
        table = open_catalogue(find_stage("local"))
        model = ModelRow(
            name="m", dimensions=8, routes=[RouteRow(name="r", provider="vendor", vendor_model="m", region="eu")]
        )

        outcomes: list[Outcome] = []

        def change(found: Rows) -> Rows:
            if not outcomes:
                outcomes.append(gateway("providers", "remove", "vendor", "--yes"))
            return found.put(model)

        with pytest.raises(Failure, match="do not exist: vendor"):
            table.edit(change)

        assert outcomes[0].exit_code == 0
        assert rows().models == {}

    def test_a_stored_row_that_cannot_be_read_is_told_and_can_be_mended(self, tmp_path: Path) -> None:
        folder = write_folder(tmp_path, all={"providers": [a_provider()], "models": [a_model()]})
        gateway("catalogue", "load", folder)
        spoil("model#m", "{}")
        spoil("model#gone", "{}")

        told = gateway("models", "list")
        loaded = gateway("catalogue", "load", folder)
        removed = gateway("models", "remove", "gone", "--yes")

        assert "model m cannot be read" in told.err
        assert "~ model m" in loaded.out
        assert removed.exit_code == 0
        assert rows().broken == {}
        assert rows().models.keys() == {"m"}


def spoil(key: str, document: str) -> None:
    """Write what no command would."""
    place = find_stage("local")
    found: CatalogueTable = open_catalogue(place)
    entry = {"pk": {"S": "catalogue"}, "sk": {"S": key}, "document": {"S": document}}
    found.client.put_item(TableName=found.table, Item=entry)


class TestLocalStage:
    """Without AWS_ENDPOINT_URL, the local stage is where `make run` says; never anywhere else."""

    @pytest.fixture(autouse=True)
    def checkout(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr(infra.admin.stages, "ROOT", tmp_path)
        for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        (tmp_path / "samconfig.toml").write_text((ROOT / "samconfig.toml").read_text())
        return tmp_path

    def test_a_running_one_is_found_without_any_credentials(self, checkout: Path, emulator: str) -> None:
        self.describe(checkout, emulator)

        assert gateway("workspaces", "set", "acme").exit_code == 0

    def test_a_key_is_good_at_the_front_door_rather_than_at_the_emulators_own(
        self, checkout: Path, emulator: str
    ) -> None:
        self.describe(checkout, emulator)
        gateway("workspaces", "set", "acme")

        created = gateway("keys", "create", "acme")

        assert "It is good at http://127.0.0.1:8081 until" in created.err

    def describe(self, checkout: Path, emulator: str) -> None:
        """What `make run PORT=8081` writes."""
        stack = {
            "base_url": "http://127.0.0.1:8081",
            "endpoint": emulator,
            "access_key_id": "test",
            "secret_access_key": "test",
        }
        (checkout / ".local").mkdir()
        (checkout / ".local" / "stack.json").write_text(json.dumps(stack))

    def test_one_that_does_not_run_is_told(self) -> None:
        outcome = gateway("workspaces", "set", "acme")

        assert outcome == Outcome(2, "", "Error: The local stack is not running: start it with `make run`.\n")


class TestTroubles:
    """One sentence each, on standard error; exit code 2, because nothing was tried."""

    def test_a_stage_that_is_not_deployed(self) -> None:
        outcome = gateway("keys", "list", "acme", stage="eu")

        assert outcome == Outcome(
            2,
            "",
            "Error: There is no stack embeddings-gateway-eu in eu-central-1: deploy it with `make deploy STAGE=eu`.\n",
        )

    def test_a_stack_of_an_older_version(self, emulator: str) -> None:
        cloudformation = aws("cloudformation", emulator, "eu-central-1")
        document = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}
        cloudformation.create_stack(StackName="embeddings-gateway-eu", TemplateBody=json.dumps(document))
        cloudformation.get_waiter("stack_create_complete").wait(StackName="embeddings-gateway-eu")

        outcome = gateway("keys", "list", "acme", stage="eu")

        cloudformation.delete_stack(StackName="embeddings-gateway-eu")
        assert outcome.exit_code == 2
        assert outcome.err.endswith("deploy it again with `make deploy STAGE=eu`.\n")

    def test_a_stage_that_does_not_exist(self) -> None:
        outcome = gateway("keys", "list", "acme", stage="asia")

        known = ", ".join([*(stage.name for stage in read_stages()), "local"])
        assert outcome == Outcome(2, "", f"Error: There is no stage 'asia': samconfig.toml knows {known}.\n")

    def test_no_stage_at_all(self) -> None:
        result = CliRunner().invoke(app, ["keys", "list", "acme"])

        assert result.exit_code == 2
        assert "--stage" in result.stderr

    def test_aws_out_of_reach(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")

        outcome = gateway("keys", "list", "acme")

        assert outcome.exit_code == 2
        assert "cannot be reached" in outcome.err
        assert "Traceback" not in outcome.err

    def test_credentials_that_nobody_knows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")

        outcome = gateway("keys", "list", "acme")

        assert outcome.exit_code == 2
        assert "does not accept these credentials" in outcome.err

    def test_no_credentials(self, tmp_path: Path, emulator: str) -> None:
        ran = run_program("keys", "list", "acme", "--stage", "us", environment=no_aws(tmp_path, emulator))

        assert ran.exit_code == 2
        assert ran.err.startswith("Error: There are no AWS credentials")
        assert ran.err.count("\n") == 1


class TestGuide:
    """docs/operating.md: its commands work as written, with the rights that it names; its YAML is right."""

    def test_its_commands_work_in_order_for_an_operator_with_its_rights(
        self, emulator: str, monkeypatch: pytest.MonkeyPatch
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
        self, acme: str, emulator: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        new_key(acme)
        for name, value in make_operator(emulator, json.loads(blocks("json")[0])).items():
            monkeypatch.setenv(name, value)

        removed = gateway("workspaces", "remove", acme, "--yes")
        made = gateway("workspaces", "set", acme)
        created = gateway("keys", "create", acme)

        assert [outcome.exit_code for outcome in (removed, made, created)] == [0, 0, 0]

    def test_it_names_every_parameter_of_an_identity_provider(self) -> None:
        named = set(re.findall(r"\bOidc\w+", GUIDE))

        assert named == {name for name in read_template()["Parameters"] if name.startswith("Oidc")}

    def test_an_operator_with_its_rights_cannot_read_a_vendors_key(
        self, emulator: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gateway("providers", "set", "vendor", *VENDOR, "--key-stdin", stdin="sk-1")
        for name, value in make_operator(emulator, json.loads(blocks("json")[0])).items():
            monkeypatch.setenv(name, value)

        with pytest.raises(ClientError, match="AccessDenied"):
            provider_key("vendor")

    @pytest.mark.parametrize("text", blocks("yaml"))
    def test_its_catalogues_can_be_loaded(self, tmp_path: Path, text: str) -> None:
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
        words = words.replace("KEY_ID", max(kept_keys("acme").values(), key=lambda record: record.created).key_id)
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


def no_aws(home: Path, endpoint: str) -> dict[str, str]:
    """An environment without any credentials."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | {"HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": endpoint}


def run_program(*words: str, environment: dict[str, str]) -> Outcome:
    """What `python -m infra.admin` does, as a process of its own."""
    command: Sequence[str] = (sys.executable, "-m", "infra.admin", *words)
    ran = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    return Outcome(ran.returncode, ran.stdout, ran.stderr)
