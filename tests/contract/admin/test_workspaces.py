"""`gateway workspaces`."""

import re

import pytest

from gateway.core.api_key import parse
from infra.admin.stages import find_stage
from infra.admin.workspaces import open_workspaces
from tests.contract.admin.command import Outcome, gateway, kept_keys, new_key


def test_a_new_workspace_has_the_default_limits() -> None:
    gateway("workspaces", "set", "acme")

    out = gateway("workspaces", "show", "acme").out

    assert out.splitlines()[-2].split() == ["acme", "500", "60000", "0"]


def test_what_is_not_mentioned_stays() -> None:
    gateway("workspaces", "set", "acme", "--requests-per-minute", "7", "--dialect", "ctyun")

    gateway("workspaces", "set", "acme", "--tokens-per-minute", "70")

    out = gateway("workspaces", "show", "acme").out
    assert out.splitlines()[-2].split() == ["acme", "7", "70", "ctyun", "0"]


@pytest.mark.parametrize("command", ["list", "show"])
def test_all_are_shown_with_the_number_of_their_keys(acme: str, command: str) -> None:
    gateway("workspaces", "set", "beta")
    new_key(acme)

    lines = gateway("workspaces", command).out.splitlines()

    assert [(line.split()[0], line.split()[-1]) for line in lines[-3:-1]] == [("acme", "1"), ("beta", "0")]


def test_a_stage_without_any_is_told() -> None:
    assert gateway("workspaces", "list") == Outcome(0, "", "The stage local has no workspaces.\n")


@pytest.mark.parametrize(
    ("option", "most"), [("--requests-per-minute", 1_000_000), ("--tokens-per-minute", 1_000_000_000)]
)
def test_limits_are_bounded_and_a_limit_of_nothing_is_no_limit(option: str, most: int) -> None:
    least, largest = (gateway("workspaces", "set", "acme", option, str(limit)) for limit in (1, most))
    nothing, less, more = (gateway("workspaces", "set", "beta", option, str(limit)) for limit in (0, -1, most + 1))

    assert [outcome.exit_code for outcome in (least, largest)] == [0, 0]
    assert [outcome.exit_code for outcome in (nothing, less, more)] == [2, 2, 2]
    assert "revoke its keys" in nothing.err
    assert f"1 to {most}" in more.err
    assert gateway("workspaces", "show", "beta").exit_code == 1


def test_a_removed_workspace_is_gone_with_its_keys(acme: str) -> None:
    gateway("workspaces", "set", "beta")
    new_key(acme)
    new_key(acme)

    outcome = gateway("workspaces", "remove", acme, "--yes")

    assert outcome.out == (
        "The workspace acme is removed: its settings are deleted, 2 keys deleted. "
        "Warm functions forget it within 1 minute.\n"
    )
    place = find_stage("local")
    assert open_workspaces(place).names() == ["beta"]
    assert kept_keys(acme) == {}


def test_a_removed_workspace_made_again_lets_no_old_key_in(acme: str) -> None:
    old = parse(new_key(acme)).key_id
    gateway("workspaces", "remove", acme, "--yes")

    gateway("workspaces", "set", acme)
    new = parse(new_key(acme)).key_id

    assert kept_keys(acme).keys() == {new}
    assert old != new


def test_a_workspace_made_again_has_another_id_and_keys_of_its_own(acme: str) -> None:
    workspaces = open_workspaces(find_stage("local"))
    first = workspaces.read(acme)
    gateway("workspaces", "set", acme, "--tokens-per-minute", "7")
    same = workspaces.read(acme)
    gateway("workspaces", "remove", acme, "--yes")
    gateway("workspaces", "set", acme)
    second = workspaces.read(acme)
    new_key(acme)

    assert first
    assert same
    assert second
    assert first.id == same.id != second.id
    assert {record.workspace_id for record in kept_keys(acme).values()} == {second.id}


def test_a_workspace_older_than_ids_keeps_its_empty_one(acme: str) -> None:
    place = find_stage("local")
    document = '{"name": "old", "limits": {"requests": 5, "tokens": 6}}'
    place.client("dynamodb").put_item(
        TableName=place.catalogue_table,
        Item={"pk": {"S": "workspace#old"}, "sk": {"S": "settings"}, "document": {"S": document}},
    )

    gateway("workspaces", "set", "old", "--requests-per-minute", "7")
    new_key("old")

    row = open_workspaces(place).read("old")
    assert row
    assert (row.id, row.cache_scope, row.limits.requests) == ("", "old", 7)
    assert {record.workspace_id for record in kept_keys("old").values()} == {""}


def test_a_workspace_without_keys_can_be_removed(acme: str) -> None:
    assert "it had no keys" in gateway("workspaces", "remove", acme, "--yes").out


def test_removing_asks_first_and_says_what_it_costs(acme: str) -> None:
    key = parse(new_key(acme))

    outcome = gateway("workspaces", "remove", acme, stdin="n\n")

    assert outcome.exit_code == 1
    assert "revoke its 1 key for good?" in outcome.out
    assert gateway("workspaces", "show", acme).exit_code == 0
    assert not kept_keys(acme)[key.key_id].disabled


def test_what_does_not_exist_cannot_be_removed() -> None:
    outcome = gateway("workspaces", "remove", "nosuch", "--yes")

    assert outcome.exit_code == 1
    assert "There is no workspace 'nosuch'" in outcome.err


def test_a_stage_knows_nothing_of_another_stages_workspaces(acme: str) -> None:
    assert gateway("workspaces", "show", acme, stage="us").exit_code == 1


@pytest.mark.parametrize("name", ["Acme", "a_b", "a-", "", "x" * 33])
def test_a_name_that_no_key_could_carry_is_refused(name: str) -> None:
    outcome = gateway("workspaces", "set", name)

    assert outcome.exit_code == 2
    assert "a-z, 0-9" in outcome.err


def test_every_change_is_shown() -> None:
    made = gateway("workspaces", "set", "acme").out.splitlines()
    changed = gateway("workspaces", "set", "acme", "--tokens-per-minute", "7", "--dialect", "ctyun").out.splitlines()
    same = gateway("workspaces", "set", "acme", "--tokens-per-minute", "7").out.splitlines()

    assert made[1:] == []
    assert changed[1:] == ['    dialect: nothing → "ctyun"', "    limits.tokens: 60000 → 7"]
    assert same[1:] == ["    nothing changed"]


def cached(workspace: str) -> set[int]:
    """The vectors that the cache holds of a workspace, by their numbers."""
    place = find_stage("local")
    items = place.client("dynamodb").scan(TableName=place.vector_cache_table)["Items"]
    return {int(item["tokens"]["N"]) for item in items if item["vector"]["B"] == workspace.encode()}


def fill_cache(workspace: str, numbers: range) -> None:
    """Cache vectors as a function does, of a workspace that exists."""
    place = find_stage("local")
    row = open_workspaces(place).read(workspace)
    assert row
    for number in numbers:
        item = {
            "key": {"B": f"{row.cache_scope}/{number}".encode()},
            "vector": {"B": workspace.encode()},
            "tokens": {"N": str(number)},
            "expires_at": {"N": "9999999999"},
            "owner": {"B": row.cache_owner},
        }
        place.client("dynamodb").put_item(TableName=place.vector_cache_table, Item=item)


def test_what_is_cached_of_a_workspace_is_erased_and_nothing_else(acme: str) -> None:
    gateway("workspaces", "set", "beta")
    fill_cache(acme, range(60))
    fill_cache("beta", range(3))

    outcome = gateway("workspaces", "erase-cache", acme, "--yes")

    assert outcome.out == "60 vectors of acme are erased. Warm functions may still have some of them in memory.\n"
    assert "costs about US$ 0.00" in outcome.err
    assert (cached(acme), cached("beta")) == (set(), {0, 1, 2})


def test_what_is_cached_of_a_removed_workspace_is_erased_by_what_its_removal_said(acme: str) -> None:
    fill_cache(acme, range(3))
    removed = gateway("workspaces", "remove", acme, "--yes")
    gateway("workspaces", "set", acme)
    fill_cache(acme, range(10, 12))
    [owner] = re.findall(r"--owner ([0-9a-f]{16}) ", removed.err)

    outcome = gateway("workspaces", "erase-cache", acme, "--owner", owner, "--yes")

    assert outcome.out.startswith("3 vectors of acme are erased.")
    assert cached(acme) == {10, 11}


@pytest.mark.parametrize("words", [("nosuch",), ("acme", "--owner", "x"), ("acme", "--owner", "AB" * 8), ("a_b",)])
def test_a_cache_that_nobody_owns_is_not_read(acme: str, words: tuple[str, ...]) -> None:
    fill_cache(acme, range(1))

    outcome = gateway("workspaces", "erase-cache", *words, "--yes")

    assert outcome.exit_code in {1, 2}
    assert outcome.err.count("\n") == 1
    assert cached(acme) == {0}


def test_erasing_asks_first_and_says_what_it_costs(acme: str) -> None:
    fill_cache(acme, range(1))

    outcome = gateway("workspaces", "erase-cache", acme, stdin="n\n")

    assert outcome.exit_code == 1
    assert "costs about US$" in outcome.err
    assert cached(acme) == {0}
