import pytest

from gateway.core.api_key import matches, parse
from gateway.core.caller import KeyLimits, KeyRecord
from infra.admin.failures import Failure
from infra.admin.key_records import (
    NewKey,
    add_key,
    forget_useless,
    make_key,
    make_successor,
    replace_key,
    revoke_key,
    state,
)

NOW = 1_800_000_000
HOUR = 3600


def a_record(*, expires: int | None = None, disabled: bool = False, created: int = NOW - HOUR) -> KeyRecord:
    return KeyRecord(sha256="0" * 64, created=created, expires=expires, disabled=disabled)


def a_key(key_id: str) -> NewKey:
    return NewKey(key_id=key_id, text="egw_…", record=a_record())


def test_a_new_key_is_one_that_the_gateway_reads_and_knows_again() -> None:
    key = make_key("acme", now=NOW)

    parsed = parse(key.text)

    assert (parsed.workspace, parsed.key_id) == ("acme", key.key_id)
    assert matches(parsed.secret, key.record.sha256)


def test_nothing_that_is_kept_of_a_key_holds_its_secret() -> None:
    key = make_key("acme", now=NOW, label="ours")

    assert parse(key.text).secret not in repr(key.record)


def test_two_keys_are_never_the_same() -> None:
    assert make_key("acme", now=NOW).text != make_key("acme", now=NOW).text


def test_a_successor_has_the_rights_of_the_old_key() -> None:
    limits = KeyLimits(requests=5)
    old = make_key("acme", now=NOW, models=frozenset({"m"}), label="app", dialect="ctyun", limits=limits)

    new = make_successor("acme", old.record, now=NOW + 5)

    rights = (new.record.models, new.record.label, new.record.dialect, new.record.expires)
    assert rights == (frozenset({"m"}), "app", "ctyun", None)
    assert new.record.limits == limits
    assert new.key_id != old.key_id


def test_a_successor_lives_as_long_as_the_old_key_was_meant_to() -> None:
    old = a_record(created=NOW - HOUR, expires=NOW + HOUR)

    assert make_successor("acme", old, now=NOW).record.expires == NOW + 2 * HOUR
    assert make_successor("acme", old, now=NOW, expires=NOW + 7).record.expires == NOW + 7


@pytest.mark.parametrize(("expires", "end"), [(None, NOW + HOUR), (NOW + 2 * HOUR, NOW + HOUR), (NOW + 60, NOW + 60)])
def test_a_replaced_key_ends_after_the_grace_or_sooner_if_it_was_to_end_sooner(expires: int | None, end: int) -> None:
    old, successor = a_record(expires=expires), a_key("BBBBBBBB")

    records = replace_key({"AAAAAAAA": old}, "AAAAAAAA", successor, now=NOW, grace=HOUR)

    assert records["AAAAAAAA"].expires == end
    assert records["BBBBBBBB"] == successor.record


@pytest.mark.parametrize("old", [a_record(disabled=True), a_record(expires=NOW)])
def test_a_key_of_no_use_is_not_replaced(old: KeyRecord) -> None:
    with pytest.raises(Failure, match="keys create"):
        replace_key({"AAAAAAAA": old}, "AAAAAAAA", a_key("BBBBBBBB"), now=NOW, grace=0)


def test_revoking_disables_that_key_and_no_other() -> None:
    records = {"AAAAAAAA": a_record(), "BBBBBBBB": a_record()}

    after = revoke_key(records, "AAAAAAAA")

    assert {key_id: record.disabled for key_id, record in after.items()} == {"AAAAAAAA": True, "BBBBBBBB": False}
    assert not records["AAAAAAAA"].disabled


def test_a_key_that_is_not_there_cannot_be_revoked() -> None:
    with pytest.raises(Failure, match="CCCCCCCC"):
        revoke_key({"AAAAAAAA": a_record()}, "CCCCCCCC")


def test_pruning_forgets_revoked_and_expired_keys_only() -> None:
    records = {
        "AAAAAAAA": a_record(),
        "BBBBBBBB": a_record(disabled=True),
        "CCCCCCCC": a_record(expires=NOW - 1),
        "DDDDDDDD": a_record(expires=NOW + 1),
    }

    assert forget_useless(records, now=NOW).keys() == {"AAAAAAAA", "DDDDDDDD"}


def test_a_key_expires_at_its_moment_as_the_gateway_sees_it() -> None:
    assert state(a_record(expires=NOW + 1), now=NOW) == "active"
    assert state(a_record(expires=NOW), now=NOW) == "expired"
    assert state(a_record(expires=NOW, disabled=True), now=NOW) == "revoked"


def test_adding_a_key_keeps_the_others() -> None:
    assert add_key({"AAAAAAAA": a_record()}, a_key("BBBBBBBB")).keys() == {"AAAAAAAA", "BBBBBBBB"}
