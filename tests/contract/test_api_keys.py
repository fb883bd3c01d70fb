"""Callers' keys: in memory and in Secrets Manager."""

from typing import Protocol

import pytest

from gateway.aws.client import AwsClient
from gateway.aws.secrets_manager import Secrets
from gateway.core.caller import KeyRecord, KeyRecords
from gateway.core.errors import StoreUnavailable
from gateway.core.ports import ApiKeys
from gateway.stores.api_keys import KeyBucket, SecretApiKeys, bucket_of, encode_bucket, encode_records
from tests.contract.conftest import Boto
from tests.fakes.aws import make_aws
from tests.fakes.stores import MemoryApiKeys

KEYS: KeyRecords = {
    "k1": KeyRecord(sha256="ab" * 32, created=1),
    "k2": KeyRecord(
        sha256="cd" * 32,
        created=2,
        expires=3,
        disabled=True,
        models=frozenset({"m", "é"}),
        label="Büro / 東京",
        dialect="ctyun",
    ),
}


class Place(Protocol):
    """A store, and the ways in which an operator changes what it holds."""

    @property
    def store(self) -> ApiKeys: ...

    def put(self, workspace: str, records: KeyRecords) -> None: ...


class InMemory:
    def __init__(self) -> None:
        self.store = MemoryApiKeys()

    def put(self, workspace: str, records: KeyRecords) -> None:
        self.store.workspaces[workspace] = records


class InSecrets:
    def __init__(self, aws: AwsClient, boto: Boto, prefix: str) -> None:
        self.store = SecretApiKeys(Secrets(aws, timeout=10), prefix=prefix, clock=lambda: 0.0)
        self._secrets, self._prefix = boto("secretsmanager"), prefix

    def put(self, workspace: str, records: KeyRecords) -> None:
        document = encode_bucket(KeyBucket(workspaces={workspace: dict(records)}))
        self._secrets.create_secret(Name=self._prefix + bucket_of(workspace), SecretString=document)


class InOwnSecrets(InSecrets):
    """As versions before buckets wrote them."""

    def put(self, workspace: str, records: KeyRecords) -> None:
        self._secrets.create_secret(Name=self._prefix + workspace, SecretString=encode_records(records))


@pytest.fixture(params=["memory", "emulator", "secrets of their own"])
def place(request: pytest.FixtureRequest) -> Place:
    if request.param == "memory":
        return InMemory()
    aws, boto, unique = map(request.getfixturevalue, ("aws", "boto", "unique"))
    kind = InSecrets if request.param == "emulator" else InOwnSecrets
    return kind(aws, boto, f"{unique}/workspaces/")


async def test_keys_are_read_as_they_were_put(place: Place) -> None:
    place.put("acme", KEYS)

    records = await place.store.records("acme", "k1")

    assert records == KEYS


async def test_an_unknown_workspace_has_no_keys(place: Place) -> None:
    place.put("acme", KEYS)

    records = await place.store.records("acme-2", "k1")

    assert records == {}


async def test_an_unknown_key_gets_the_keys_there_are(place: Place) -> None:
    place.put("acme", KEYS)

    records = await place.store.records("acme", "k3")

    assert records == KEYS


@pytest.mark.parametrize("kind", ["memory", "secrets manager"])
async def test_keys_that_cannot_be_checked_let_nobody_in(kind: str) -> None:
    nobody = make_aws("http://127.0.0.1:9")  # the port of discard, where nobody listens
    store: ApiKeys = MemoryApiKeys(down=True)
    if kind == "secrets manager":
        store = SecretApiKeys(Secrets(nobody), prefix="p/", clock=lambda: 0.0)

    with pytest.raises(StoreUnavailable):
        await store.records("acme", "k1")
