"""`gateway keys`: what it writes is what the gateway's own store reads."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace as replace_dataclass
from itertools import islice
from typing import Any

import pytest

from gateway.core.api_key import matches, parse
from gateway.core.caller import KeyLimits, KeyRecords
from gateway.stores.api_keys import bucket_of, decode_bucket, encode_records
from infra.admin.api_keys import ApiKeys, open_api_keys
from infra.admin.failures import Failure
from infra.admin.key_records import add_key, make_key
from infra.admin.secret_values import SecretValues
from infra.admin.stages import find_stage
from tests.contract.admin.command import VENDOR, Outcome, gateway, kept_bucket, kept_keys, new_key

HOUR = 3600


def test_plain_prints_a_key_that_the_gateway_knows_and_nothing_else(acme: str) -> None:
    outcome = gateway("keys", "create", acme, "--plain")

    key = parse(outcome.out.removesuffix("\n"))
    assert matches(key.secret, kept_keys(acme)[key.key_id].sha256)
    assert (outcome.exit_code, outcome.err) == (0, "")


def test_otherwise_it_also_says_where_the_key_is_good_and_that_it_is_shown_once(acme: str) -> None:
    outcome = gateway("keys", "create", acme)

    assert parse(outcome.out.strip()).workspace == acme
    assert "only time" in outcome.err
    assert "https://api.example" in outcome.err


def test_nothing_that_is_kept_holds_the_secret(acme: str) -> None:
    key = parse(new_key(acme))

    assert key.secret not in kept_bucket(acme)


def test_a_key_has_the_label_expiry_models_and_dialect_it_was_made_with(acme: str) -> None:
    gateway("providers", "set", "vendor", *VENDOR)
    gateway("models", "set", "m", "--dimensions", "8", "--alias", "other", "--route", "provider=vendor")

    key = parse(new_key(acme, "--label", "the app", "--expires", "1h", "--model", "other", "--dialect", "ctyun"))

    record = kept_keys(acme)[key.key_id]
    assert (record.label, record.models, record.dialect) == ("the app", frozenset({"m"}), "ctyun")
    assert record.expires == record.created + HOUR


def test_a_key_may_have_limits_of_its_own(acme: str) -> None:
    gateway("workspaces", "set", acme, "--requests-per-minute", "100")

    one, both = (
        parse(new_key(acme, "--requests-per-minute", "7")),
        parse(new_key(acme, "--requests-per-minute", "100", "--tokens-per-minute", "5000")),
    )

    kept = kept_keys(acme)
    assert kept[one.key_id].limits == KeyLimits(requests=7)
    assert kept[both.key_id].limits == KeyLimits(requests=100, tokens=5000)
    assert "5000" in gateway("keys", "list", acme).out


@pytest.mark.parametrize(("option", "limit"), [("--requests-per-minute", "0"), ("--tokens-per-minute", "60001")])
def test_a_key_cannot_have_more_than_its_workspace(acme: str, option: str, limit: str) -> None:
    outcome = gateway("keys", "create", acme, option, limit)

    assert outcome.exit_code != 0
    assert "as its workspace may" in outcome.err
    assert "has no keys" in gateway("keys", "list", acme).err


def test_the_list_shows_all_but_secrets(acme: str) -> None:
    key = parse(new_key(acme, "--label", "the app", "--expires", "90d"))

    out = gateway("keys", "list", acme).out

    assert key.key_id in out
    assert "the app" in out
    assert "active" in out
    assert key.secret not in out
    assert kept_keys(acme)[key.key_id].sha256 not in out


def test_a_revoked_key_is_disabled_and_the_others_are_not(acme: str) -> None:
    revoked, other = parse(new_key(acme)).key_id, parse(new_key(acme)).key_id

    outcome = gateway("keys", "revoke", acme, revoked)

    assert {key_id: record.disabled for key_id, record in kept_keys(acme).items()} == {revoked: True, other: False}
    assert "within 5 minutes" in outcome.out


def test_a_rotated_key_goes_on_for_the_grace_beside_one_with_the_same_rights(acme: str) -> None:
    old = parse(new_key(acme, "--label", "the app"))

    outcome = gateway("keys", "rotate", acme, old.key_id, "--grace", "1h", "--plain")

    new = parse(outcome.out.strip())
    kept = kept_keys(acme)
    assert matches(new.secret, kept[new.key_id].sha256)
    assert kept[new.key_id].label == "the app"
    assert kept[new.key_id].expires is None
    assert kept[old.key_id].expires == kept[new.key_id].created + HOUR
    assert old.key_id in outcome.err


def test_pruning_forgets_what_is_of_no_use(acme: str) -> None:
    useless, useful = parse(new_key(acme)).key_id, parse(new_key(acme)).key_id
    gateway("keys", "revoke", acme, useless)

    outcome = gateway("keys", "prune", acme)

    assert kept_keys(acme).keys() == {useful}
    assert outcome.out == "Forgotten: 1 key of acme. Left: 1 key.\n"


@pytest.mark.parametrize("command", ["create", "list", "prune"])
def test_a_workspace_that_does_not_exist_is_told_and_nothing_made(command: str) -> None:
    outcome = gateway("keys", command, "nosuch")

    assert outcome == Outcome(
        1,
        "",
        "Error: There is no workspace 'nosuch' in local: make it first with "
        "`gateway workspaces set nosuch --stage local`.\n",
    )
    place = find_stage("local")
    assert not SecretValues(place.client("secretsmanager")).exists(place.api_keys_prefix + bucket_of("nosuch"))


@pytest.mark.parametrize("label", ["x" * 65, "two\nlines", "\x1b[31mred", "\u202eright to left"])
def test_a_label_that_does_not_fit_on_a_line_is_refused(acme: str, label: str) -> None:
    outcome = gateway("keys", "create", acme, "--label", label)

    assert (outcome.exit_code, outcome.out) == (2, "")
    assert outcome.err.startswith("Error: The label ")
    assert label not in outcome.err


def test_a_label_may_be_of_any_script(acme: str) -> None:
    label = "é" * 32 + "検索" * 16

    key = parse(new_key(acme, "--label", label))

    assert kept_keys(acme)[key.key_id].label == label


def test_a_key_cannot_outlast_what_can_be_written_as_a_date(acme: str) -> None:
    outcome = gateway("keys", "create", acme, "--expires", "9999999d")

    assert outcome == Outcome(
        2, "", "Error: '9999999d' is longer than 100 years, and nothing here lasts longer than that.\n"
    )


@pytest.mark.parametrize("command", ["revoke", "rotate"])
def test_an_unknown_key_id_is_told_in_one_sentence(acme: str, command: str) -> None:
    outcome = gateway("keys", command, acme, "AAAAAAAA")

    assert outcome == Outcome(
        1, "", "Error: There is no key 'AAAAAAAA' here: `gateway keys list` names those that there are.\n"
    )


def test_a_misspelt_workspace_gets_no_key() -> None:
    outcome = gateway("keys", "create", "acmee")

    assert outcome.exit_code == 1
    assert "workspaces set acmee" in outcome.err


def test_a_model_that_does_not_exist_cannot_be_permitted(acme: str) -> None:
    outcome = gateway("keys", "create", acme, "--model", "nothing")

    assert (outcome.exit_code, outcome.out) == (1, "")
    assert "'nothing'" in outcome.err


def test_keys_made_at_the_same_time_are_all_kept(acme: str) -> None:
    keys = open_api_keys(find_stage("local"))
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: make_and_keep(keys, acme), range(24)))

    assert len(made) == 24
    assert kept_keys(acme).keys() == made


def test_an_edit_that_was_overtaken_is_made_again_from_the_newer_keys(acme: str) -> None:
    keys = open_api_keys(find_stage("local"))
    make_and_keep(keys, acme)
    mine, theirs = make_key(acme, now=1), make_key(acme, now=2)
    calls: list[int] = []

    def change(records: KeyRecords) -> KeyRecords:
        calls.append(len(records))
        if len(calls) == 1:
            keys.edit(acme, lambda others: add_key(others, theirs))
        return add_key(records, mine)

    keys.edit(acme, change)

    assert calls == [1, 2]
    assert {mine.key_id, theirs.key_id} <= kept_keys(acme).keys()


def test_a_workspace_whose_first_key_is_made_twice_at_once_keeps_both(acme: str) -> None:
    keys = open_api_keys(find_stage("local"))
    mine, theirs = make_key(acme, now=1), make_key(acme, now=2)
    calls: list[int] = []

    def change(records: KeyRecords) -> KeyRecords:
        calls.append(len(records))
        if len(calls) == 1:
            keys.edit(acme, lambda others: add_key(others, theirs))
        return add_key(records, mine)

    keys.edit(acme, change)

    assert kept_keys(acme).keys() == {mine.key_id, theirs.key_id}


def test_keys_whose_secret_was_deleted_are_brought_back_with_it(acme: str) -> None:
    first = parse(new_key(acme)).key_id
    place = find_stage("local")
    place.client("secretsmanager").delete_secret(
        SecretId=place.api_keys_prefix + bucket_of(acme), RecoveryWindowInDays=7
    )

    second = parse(new_key(acme)).key_id

    assert kept_keys(acme).keys() == {first, second}


def test_keys_of_workspaces_that_share_a_bucket_made_at_the_same_time_are_all_kept() -> None:
    first, second = neighbours(2)
    keys = open_api_keys(find_stage("local"))
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda name: (name, make_and_keep(keys, name)), [first, second] * 8))

    for name in (first, second):
        assert kept_keys(name).keys() == {key_id for owner, key_id in made if owner == name}


def test_an_operator_who_dies_in_the_middle_of_an_edit_holds_nobody_up(acme: str) -> None:
    kept = make_and_keep(open_api_keys(find_stage("local")), acme)
    client = find_stage("local").client("secretsmanager")
    dying = replace_client(client, "update_secret_version_stage", KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        make_and_keep(keys_over(dying), acme)

    later = make_and_keep(open_api_keys(find_stage("local")), acme)

    assert kept_keys(acme).keys() == {kept, later}


def test_keys_that_do_not_fit_into_their_bucket_get_a_secret_of_their_own(acme: str) -> None:
    keys = open_api_keys(find_stage("local"))
    neighbour = neighbours(1, beside=acme)[0]
    gateway("workspaces", "set", neighbour)
    fill_up(keys, neighbour, 150)
    theirs = keys.read(neighbour)
    fill_up(keys, acme, 250)

    new = parse(new_key(acme, "--label", "x" * 64)).key_id

    bucket = decode_bucket(kept_bucket(acme))
    assert (set(bucket.apart), set(bucket.workspaces)) == ({acme}, {neighbour})
    assert len(keys.read(acme)) == 251
    assert new in keys.read(acme)
    assert keys.read(neighbour) == theirs
    assert gateway("workspaces", "remove", acme, "--yes").exit_code == 0
    assert keys.read(acme) == {}
    assert kept_keys(neighbour) == theirs


def test_a_workspace_that_is_full_says_what_makes_room(acme: str) -> None:
    keys = open_api_keys(find_stage("local"))
    fill_up(keys, acme, 300)
    with pytest.raises(Failure, match="keys prune acme"):
        fill_up(keys, acme, 400)

    assert len(keys.read(acme)) == 300


def test_keys_of_an_older_version_are_packed_and_all_still_there(acme: str) -> None:
    gateway("workspaces", "set", "beta")
    written = {name: make_key(name, now=1) for name in (acme, "beta")}
    for key_name, key in written.items():
        write_as_before(key_name, {key.key_id: key.record})
    read_before = {name: open_api_keys(find_stage("local")).read(name) for name in written}

    first, second = gateway("keys", "pack"), gateway("keys", "pack")

    assert (first.exit_code, first.out) == (0, "The keys of 2 workspaces were brought into buckets.\n")
    assert (second.exit_code, second.out) == (0, "All keys are in buckets.\n")
    assert {name: kept_keys(name) for name in written} == read_before
    assert not any(has_secret(name) for name in written)


def test_the_first_key_of_a_newer_version_packs_the_older_ones_first(acme: str) -> None:
    old = make_key(acme, now=1)
    write_as_before(acme, {old.key_id: old.record})

    new = parse(new_key(acme)).key_id

    assert kept_keys(acme).keys() == {old.key_id, new}


def test_keys_that_cannot_be_read_stay_where_they_are_and_hold_up_nobody_else(acme: str) -> None:
    gateway("workspaces", "set", "beta")
    place = find_stage("local")
    place.client("secretsmanager").create_secret(Name=place.api_keys_prefix + "beta", SecretString="{")

    made = gateway("keys", "create", acme)
    told = gateway("keys", "list", "beta")

    assert made.exit_code == 0
    assert (told.exit_code, "mend that secret by hand" in told.err) == (1, True)
    assert has_secret("beta")


@pytest.mark.parametrize("operation", ["create_secret", "delete_secret"])
@pytest.mark.parametrize("calls", [0, 1, 2])
def test_packing_that_was_interrupted_is_taken_up_again(acme: str, operation: str, calls: int) -> None:
    gateway("workspaces", "set", "beta")
    written = {name: make_key(name, now=1) for name in (acme, "beta", "gamma")}
    for name, key in written.items():
        gateway("workspaces", "set", name)
        write_as_before(name, {key.key_id: key.record})
    dying = replace_client(find_stage("local").client("secretsmanager"), operation, KeyboardInterrupt, after=calls)

    with pytest.raises(KeyboardInterrupt):
        keys_over(dying).pack()
    between = {name: open_api_keys(find_stage("local")).read(name).keys() for name in written}
    gateway("keys", "pack")

    expected = {name: {key.key_id} for name, key in written.items()}
    assert between == expected
    assert {name: kept_keys(name).keys() for name in written} == expected
    assert not any(has_secret(name) for name in written)


def test_packing_while_others_make_keys_loses_none(acme: str) -> None:
    old = make_key(acme, now=1)
    write_as_before(acme, {old.key_id: old.record})
    keys = open_api_keys(find_stage("local"))

    with ThreadPoolExecutor(6) as pool:
        packed = [pool.submit(keys.pack) for _ in range(4)]
        made = set(pool.map(lambda _: make_and_keep(keys, acme), range(8)))

    assert sum(pack.result() for pack in packed) <= 1
    assert kept_keys(acme).keys() == made | {old.key_id}


def test_a_stage_whose_functions_read_no_buckets_is_left_alone(acme: str) -> None:
    stage = replace_dataclass(find_stage("local"), api_key_buckets=4)

    with pytest.raises(Failure, match="deploy it again"):
        open_api_keys(stage)


def neighbours(count: int, beside: str = "acme") -> list[str]:
    """Names of workspaces that fall in the same bucket."""
    names = (f"beside-{number}" for number in range(1000))
    return list(islice((name for name in names if bucket_of(name) == bucket_of(beside)), count))


def fill_up(keys: ApiKeys, workspace: str, count: int) -> None:
    """Give a workspace so many keys with long labels."""
    made = [make_key(workspace, now=1, label="x" * 64) for _ in range(count)]
    keys.edit(workspace, lambda _: {key.key_id: key.record for key in made})


def write_as_before(workspace: str, records: KeyRecords) -> None:
    """Keep keys as versions before buckets did."""
    place = find_stage("local")
    place.client("secretsmanager").create_secret(
        Name=place.api_keys_prefix + workspace, SecretString=encode_records(records)
    )


def has_secret(workspace: str) -> bool:
    place = find_stage("local")
    return SecretValues(place.client("secretsmanager")).exists(place.api_keys_prefix + workspace)


def replace_client(client: Any, operation: str, error: type[BaseException], after: int = 0) -> Any:
    """A client of boto3 that dies instead of a call of that operation, once it did so many of them."""
    works, calls = getattr(client, operation), iter(range(after))

    def die(**arguments: Any) -> Any:
        if next(calls, None) is None:
            raise error
        return works(**arguments)

    setattr(client, operation, die)
    return client


def keys_over(client: Any) -> ApiKeys:
    """The keys of the stage, over that client."""
    return replace_dataclass(open_api_keys(find_stage("local")), secrets=SecretValues(client))


def make_and_keep(keys: ApiKeys, workspace: str) -> str:
    """Keep a new key as `keys create` does; its id."""
    key = make_key(workspace, now=1)
    keys.edit(workspace, lambda records: add_key(records, key))
    return key.key_id
