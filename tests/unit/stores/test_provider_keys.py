"""Vendors' keys: what is remembered of them."""

from dataclasses import dataclass, field

import pytest

from gateway.aws.errors import AwsUnavailable, NotFound
from gateway.core.errors import ProviderMisconfigured, ProviderUnavailable
from gateway.stores.provider_keys import FRESH, MISSING, STALE, SecretProviderKeys


@dataclass
class Vault:
    """Secrets Manager as the store sees it, and a clock."""

    now: float = 1000.0
    secrets: dict[str, str] = field(default_factory=lambda: {"p/openai": "sk-1"})
    reads: list[str] = field(default_factory=list)
    down: bool = False

    def text(self, name: str) -> str:
        self.reads.append(name)
        if self.down:
            raise AwsUnavailable("down")
        if name not in self.secrets:
            raise NotFound("none", code="ResourceNotFoundException")
        return self.secrets[name]

    def store(self) -> SecretProviderKeys:
        return SecretProviderKeys(self, prefix="p/", clock=lambda: self.now)


async def test_a_key_is_read_once_in_five_minutes() -> None:
    vault = Vault()
    store = vault.store()

    keys = [await store.key("openai"), await store.key("openai")]
    vault.secrets["p/openai"], vault.now = "sk-2", vault.now + FRESH
    keys.append(await store.key("openai"))

    assert keys == ["sk-1", "sk-1", "sk-2"]
    assert len(vault.reads) == 2


async def test_a_line_break_after_a_key_is_no_part_of_it() -> None:
    store = Vault(secrets={"p/openai": " sk-1\n"}).store()

    key = await store.key("openai")

    assert key == "sk-1"


@pytest.mark.parametrize("secrets", [{}, {"p/openai": " \n"}])
async def test_a_missing_key_is_looked_for_again_within_seconds(secrets: dict[str, str]) -> None:
    vault = Vault(secrets=secrets)
    store = vault.store()

    for _ in range(2):
        with pytest.raises(ProviderMisconfigured, match="openai"):
            await store.key("openai")
    vault.secrets["p/openai"], vault.now = "sk-1", vault.now + MISSING
    key = await store.key("openai")

    assert key == "sk-1"
    assert len(vault.reads) == 2


async def test_a_remembered_key_serves_while_secrets_manager_is_down() -> None:
    vault = Vault()
    store = vault.store()
    await store.key("openai")
    vault.down, vault.now = True, vault.now + STALE - 1

    key = await store.key("openai")

    assert key == "sk-1"


async def test_a_key_that_cannot_be_read_makes_the_provider_unavailable() -> None:
    store = Vault(down=True).store()

    with pytest.raises(ProviderUnavailable):
        await store.key("openai")
