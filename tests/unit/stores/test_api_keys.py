"""Callers' keys: the document, what is remembered of it, and what happens when it cannot be read."""

from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.aws.errors import AwsUnavailable, NotFound
from gateway.core.caller import KeyRecord, KeyRecords
from gateway.core.errors import StoreUnavailable
from gateway.stores.api_keys import (
    BUCKETS,
    FRESH,
    MAX_STRANGERS,
    REREADS,
    STALE,
    UNKNOWN,
    KeyBucket,
    MalformedKeys,
    SecretApiKeys,
    bucket_of,
    decode_bucket,
    decode_records,
    encode_bucket,
    encode_records,
)
from gateway.stores.ttl_cache import LOOK_AGAIN

ACME = "p/" + bucket_of("acme")
KEY = KeyRecord(sha256="ab" * 32, created=1)
OTHER = KeyRecord(sha256="cd" * 32, created=2, models=frozenset({"m"}), expires=9, disabled=True)

records = st.builds(
    KeyRecord,
    sha256=st.text(max_size=64),
    created=st.integers(0, 2**40),
    expires=st.none() | st.integers(0, 2**40),
    disabled=st.booleans(),
    models=st.none() | st.frozensets(st.text(max_size=9), max_size=3),
    label=st.text(max_size=9),
    dialect=st.none() | st.text(max_size=9),
)


@dataclass
class Vault:
    """Secrets Manager as the store sees it, and a clock."""

    now: float = 1000.0
    documents: dict[str, str] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)
    down: bool = False

    def text(self, name: str) -> str:
        self.reads.append(name)
        if self.down:
            raise AwsUnavailable("down")
        if name not in self.documents:
            raise NotFound("none", code="ResourceNotFoundException")
        return self.documents[name]

    def put(self, workspace: str = "acme", **records: KeyRecord) -> None:
        bucket = KeyBucket(workspaces={workspace: records})
        self.documents["p/" + bucket_of(workspace)] = encode_bucket(bucket)

    def put_apart(self, **records: KeyRecord) -> None:
        self.documents["p/acme"] = encode_records(records)

    def fill(self) -> None:
        """Make every bucket, as `gateway keys pack` does."""
        for number in range(BUCKETS):
            self.documents.setdefault(f"p/buckets/{number}", encode_bucket(KeyBucket(workspaces={})))

    def store(self) -> SecretApiKeys:
        return SecretApiKeys(self, prefix="p/", clock=lambda: self.now)


@given(st.dictionaries(st.text(max_size=8), records, max_size=4))
def test_a_document_reads_back_as_it_was_written(written: KeyRecords) -> None:
    read = decode_records(encode_records(written))

    assert read == written


def test_a_document_that_only_says_what_is_needed_is_understood() -> None:
    kept = decode_records('{"keys": {"k1": {"sha256": "x", "created": 5, "invented_later": 1}}}')

    assert kept == {"k1": KeyRecord(sha256="x", created=5)}


@pytest.mark.parametrize(
    ("document", "field_name"),
    [("no json", "JSON"), ("{}", "keys"), ('{"keys": {"k": {"sha256": "x", "created": "yesterday"}}}', "created")],
)
def test_a_malformed_document_is_refused_by_the_name_of_its_field(document: str, field_name: str) -> None:
    with pytest.raises(MalformedKeys, match=field_name):
        decode_records(document)


async def test_keys_are_read_once_in_five_minutes() -> None:
    vault = Vault()
    vault.put(k1=KEY)
    store = vault.store()

    for _ in range(3):
        await store.records("acme", "k1")
    vault.now += FRESH
    await store.records("acme", "k1")

    assert vault.reads == [ACME, ACME]


async def test_a_key_works_as_soon_as_it_is_made() -> None:
    vault = Vault()
    vault.put(k1=KEY)
    store = vault.store()
    await store.records("acme", "k1")
    vault.put(k1=KEY, k2=OTHER)

    found = await store.records("acme", "k2")

    assert found == {"k1": KEY, "k2": OTHER}


async def test_the_first_key_of_a_stage_works_as_soon_as_it_is_made() -> None:
    vault = Vault()
    store = vault.store()
    before = await store.records("acme", "k1")
    vault.put(k1=KEY)

    after = await store.records("acme", "k1")

    assert (before, after) == ({}, {"k1": KEY})


async def test_the_first_key_of_a_workspace_works_as_soon_as_it_is_made() -> None:
    vault = Vault()
    vault.fill()
    store = vault.store()
    before = await store.records("acme", "k1")
    vault.put(k1=KEY)

    after = await store.records("acme", "k1")

    assert (before, after) == ({}, {"k1": KEY})


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("made_up", ["workspace", "key id"])
async def test_made_up_keys_and_workspaces_do_not_run_up_a_bill(made_up: str, *, packed: bool) -> None:
    vault = Vault()
    if packed:
        vault.fill()
    store = vault.store()

    for number in range(20_000):
        names = (f"made-up-{number}", "k1") if made_up == "workspace" else ("acme", f"made-up-{number}")
        with suppress(StoreUnavailable):
            await store.records(*names)

    assert len(vault.reads) <= BUCKETS * (1 + REREADS) + MAX_STRANGERS


@pytest.mark.parametrize("seconds", [0.0, LOOK_AGAIN])
async def test_a_flood_of_made_up_keys_delays_a_new_one_by_ten_seconds_at_most(seconds: float) -> None:
    vault = Vault()
    vault.put(k1=KEY)
    store = vault.store()
    for number in range(100):
        await store.records("acme", f"made-up-{number}")
    vault.put(k1=KEY, k2=OTHER)
    vault.now += seconds

    found = await store.records("acme", "k2")

    assert ("k2" in found) == (seconds >= LOOK_AGAIN)
    assert "k1" in found


async def test_a_made_up_workspace_takes_the_same_steps_as_a_made_up_key() -> None:
    vault = Vault()
    vault.put(k1=KEY)
    store = vault.store()
    same_bucket = next(name for name in map(str, range(99)) if "p/" + bucket_of(name) == ACME)
    await store.records("acme", "k1")
    vault.reads.clear()

    unknown_key = await store.records("acme", "k2"), vault.reads.copy()
    vault.reads.clear()
    unknown_workspace = await store.records(same_bucket, "k1"), vault.reads.copy()

    assert unknown_key == ({"k1": KEY}, [ACME])
    assert unknown_workspace == ({}, [ACME])


async def test_keys_in_a_secret_of_their_own_are_read_where_there_is_no_bucket_yet() -> None:
    vault = Vault()
    vault.put_apart(k1=KEY)
    store = vault.store()

    found = [await store.records("acme", "k1") for _ in range(3)]

    assert found == [{"k1": KEY}] * 3
    assert vault.reads == [ACME, "p/acme"]


async def test_keys_in_a_secret_of_their_own_are_read_where_the_bucket_says_so() -> None:
    vault = Vault()
    vault.put_apart(k1=KEY)
    vault.documents[ACME] = encode_bucket(KeyBucket(workspaces={}, apart=frozenset({"acme"})))
    store = vault.store()
    await store.records("acme", "k1")
    vault.put_apart(k1=KEY, k2=OTHER)

    found = await store.records("acme", "k2")

    assert found == {"k1": KEY, "k2": OTHER}


async def test_a_bucket_wins_over_a_secret_that_was_left_behind() -> None:
    vault = Vault()
    vault.put_apart(k1=KEY)
    vault.put(k2=OTHER)
    store = vault.store()

    assert await store.records("acme", "k1") == {"k2": OTHER}


async def test_keys_are_found_while_they_are_packed() -> None:
    """A warm function that knew of no bucket still knows the keys, and looks again for what it does not know."""
    vault = Vault()
    vault.put_apart(k1=KEY)
    warm, cold = vault.store(), vault.store()
    await warm.records("acme", "k1")
    await cold.records("another", "k1")
    vault.put(k1=KEY)
    del vault.documents["p/acme"]

    assert [await store.records("acme", "k1") for store in (warm, cold)] == [{"k1": KEY}] * 2


async def test_an_unknown_workspace_of_a_stage_without_buckets_is_looked_up_once_a_minute() -> None:
    vault = Vault()
    store = vault.store()

    for _ in range(100):
        await store.records("acme", "k1")
    vault.now += UNKNOWN
    await store.records("acme", "k1")

    assert vault.reads.count("p/acme") == 2


async def test_a_real_workspace_is_told_to_come_back_while_too_many_unknown_ones_are_asked_for() -> None:
    vault = Vault()
    vault.put_apart(k1=KEY)
    store = vault.store()
    for number in range(MAX_STRANGERS):
        await store.records(f"made-up-{number}", "k1")

    with pytest.raises(StoreUnavailable):
        await store.records("acme", "k1")
    vault.now += 1

    assert await store.records("acme", "k1") == {"k1": KEY}


@given(st.dictionaries(st.text(max_size=8), st.dictionaries(st.text(max_size=8), records, max_size=3), max_size=3))
def test_a_bucket_reads_back_as_it_was_written(written: dict[str, dict[str, KeyRecord]]) -> None:
    bucket = KeyBucket(workspaces=written, apart=frozenset({"acme"}))

    assert decode_bucket(encode_bucket(bucket)) == bucket


async def test_remembered_keys_open_the_door_while_secrets_manager_is_down() -> None:
    vault = Vault()
    vault.put(k1=KEY)
    store = vault.store()
    await store.records("acme", "k1")
    vault.down, vault.now = True, vault.now + STALE - 1

    found = await store.records("acme", "k1")

    assert found == {"k1": KEY}


async def test_keys_that_are_too_old_open_nothing() -> None:
    vault = Vault()
    vault.put(k1=KEY)
    store = vault.store()
    await store.records("acme", "k1")
    vault.down, vault.now = True, vault.now + STALE

    with pytest.raises(StoreUnavailable):
        await store.records("acme", "k1")


async def test_nobody_is_let_in_who_cannot_be_checked() -> None:
    store = Vault(down=True).store()

    with pytest.raises(StoreUnavailable):
        await store.records("acme", "k1")


@pytest.mark.parametrize("document", [ACME, "p/acme"])
async def test_a_broken_document_means_that_keys_cannot_be_checked(document: str) -> None:
    store = Vault(documents={document: "{"}).store()

    with pytest.raises(StoreUnavailable):
        await store.records("acme", "k1")


async def test_a_workspace_whose_secret_was_deleted_is_unknown_within_five_minutes() -> None:
    vault = Vault()
    vault.put(k1=KEY)
    store = vault.store()
    await store.records("acme", "k1")
    vault.documents.clear()
    vault.now += FRESH

    found = await store.records("acme", "k1")

    assert found == {}
