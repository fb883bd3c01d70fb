"""Vendors' keys of a stage: one secret each, see functions/gateway/stores/provider_keys.py for its form."""

from dataclasses import dataclass

from infra.admin.secret_values import SecretValues
from infra.admin.stages import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderKeys:
    """The vendors' keys of a stage, by their names. They can be written and not read."""

    secrets: SecretValues
    prefix: str

    def secret(self, name: str) -> str:
        """The secret that holds the key of that name."""
        return self.prefix + name

    def exists(self, name: str) -> bool:
        """Whether there is a key of that name."""
        return self.secrets.exists(self.secret(name))

    def put(self, name: str, key: str) -> None:
        """Store a key, in the place of the one of that name if there is one."""
        self.secrets.put(
            self.secret(name), key, description=f"The vendor's key of the provider {name} (gateway providers)"
        )

    def remove(self, name: str) -> bool:
        """Delete a key, which AWS can still restore for 7 days; whether there was one."""
        return self.secrets.remove(self.secret(name))


def open_provider_keys(stage: Stage) -> ProviderKeys:
    """The vendors' keys of that stage."""
    return ProviderKeys(secrets=SecretValues(stage.client("secretsmanager")), prefix=stage.provider_keys_prefix)
