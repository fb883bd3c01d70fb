"""Callers' keys: the document, what is remembered of it, and what happens when it cannot be read."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.aws.errors import AwsUnavailable, NotFound
from gateway.core.caller import KeyRecord, KeyRecords
from gateway.core.errors import StoreUnavailable
from gateway.stores.api_keys import (
    FRESH,
    MAX_UNKNOWN,
    STALE,
    UNKNOWN,
    MalformedKeys,
    SecretApiKeys,
    decode_records,
    encode_records,
)
from gateway.stores.ttl_cache import LOOK_AGAIN

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

    def put(self, **records: KeyRecord) -> None:
        self.documents["p/acme"] = encode_records(records)

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

    assert vault.reads == ["p/acme", "p/acme"]


async def test_a_key_that_was_just_made_is_found_within_seconds() -> None:
    vault = Vault()
    vault.put(k1=KEY)
    store = vault.store()
    await store.records("acme", "k1")
    vault.put(k1=KEY, k2=OTHER)
    vault.now += LOOK_AGAIN

    found = await store.records("acme", "k2")

    assert found == {"k1": KEY, "k2": OTHER}


async def test_made_up_key_ids_do_not_run_up_a_bill() -> None:
    vault = Vault()
    vault.put(k1=KEY)
    store = vault.store()

    for number in range(100):
        await store.records("acme", f"made-up-{number}")

    assert len(vault.reads) == 1


async def test_an_unknown_workspace_is_remembered_as_unknown_for_a_minute() -> None:
    vault = Vault()
    store = vault.store()

    found = [await store.records("acme", "k1") for _ in range(3)]
    vault.put(k1=KEY)
    vault.now += UNKNOWN
    found.append(await store.records("acme", "k1"))

    assert found == [{}, {}, {}, {"k1": KEY}]
    assert len(vault.reads) == 2


async def test_made_up_workspaces_neither_fill_memory_nor_push_out_real_ones() -> None:
    vault = Vault()
    vault.put(k1=KEY)
    store = vault.store()
    await store.records("acme", "k1")

    for number in range(MAX_UNKNOWN + 10):
        await store.records(f"made-up-{number}", "k1")
    vault.reads.clear()
    await store.records("acme", "k1")
    await store.records("made-up-0", "k1")
    await store.records(f"made-up-{MAX_UNKNOWN}", "k1")

    assert vault.reads == ["p/made-up-0"]


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


async def test_a_broken_document_means_that_keys_cannot_be_checked() -> None:
    store = Vault(documents={"p/acme": "{"}).store()

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
