"""Vendors' keys: in memory and in Secrets Manager."""

from typing import Protocol

import pytest

from gateway.aws.client import AwsClient
from gateway.aws.secrets_manager import Secrets
from gateway.core.errors import ProviderMisconfigured
from gateway.core.ports import ProviderKeys
from gateway.stores.provider_keys import SecretProviderKeys
from tests.contract.conftest import Boto
from tests.fakes.stores import MemoryProviderKeys


class Place(Protocol):
    """A store, and the way in which an operator puts a key there."""

    @property
    def store(self) -> ProviderKeys: ...

    def put(self, name: str, key: str) -> None: ...


class InMemory:
    def __init__(self) -> None:
        self.store = MemoryProviderKeys()

    def put(self, name: str, key: str) -> None:
        self.store.keys[name] = key


class InSecrets:
    def __init__(self, aws: AwsClient, boto: Boto, prefix: str) -> None:
        self.store = SecretProviderKeys(Secrets(aws), prefix=prefix, clock=lambda: 0.0)
        self._secrets, self._prefix = boto("secretsmanager"), prefix

    def put(self, name: str, key: str) -> None:
        self._secrets.create_secret(Name=self._prefix + name, SecretString=key)


@pytest.fixture(params=["memory", "emulator"])
def place(request: pytest.FixtureRequest) -> Place:
    if request.param == "memory":
        return InMemory()
    aws, boto, unique = map(request.getfixturevalue, ("aws", "boto", "unique"))
    return InSecrets(aws, boto, f"{unique}/providers/")


async def test_a_key_is_read_as_it_was_put(place: Place) -> None:
    place.put("openai", "sk-ключ/+=")

    key = await place.store.key("openai")

    assert key == "sk-ключ/+="


async def test_a_missing_key_makes_the_provider_unavailable(place: Place) -> None:
    place.put("openai", "sk-1")

    with pytest.raises(ProviderMisconfigured, match="voyage"):
        await place.store.key("voyage")
