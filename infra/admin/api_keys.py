"""Callers' keys of a stage: one secret per workspace, see functions/gateway/stores/api_keys.py for its form."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.core.caller import KeyRecords
from gateway.stores.api_keys import MalformedKeys, decode_records, encode_records
from infra.admin.failures import Failure
from infra.admin.key_records import revoke_all
from infra.admin.secret_values import SecretValues
from infra.admin.stages import Stage

_LARGEST_SECRET = 65_536  # bytes: https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeys:
    """The keys of a stage's workspaces."""

    secrets: SecretValues
    prefix: str

    def read(self, workspace: str) -> KeyRecords:
        """A workspace's keys, empty where none were made."""
        value = self.secrets.read(self.prefix + workspace)
        return _decode(workspace, value.text if value else None)

    def edit(self, workspace: str, change: Callable[[KeyRecords], KeyRecords]) -> None:
        """Replace a workspace's keys by what `change` makes of them; `change` may be called more than once."""

        def edit_text(text: str | None) -> str:
            return _encode(change(_decode(workspace, text)), workspace)

        self.secrets.edit(
            self.prefix + workspace,
            edit_text,
            description=f"Hashes of the API keys of the workspace {workspace} (gateway keys)",
        )

    def remove(self, workspace: str) -> bool:
        """Revoke a workspace's keys and delete their secret; whether there was one.

        AWS keeps a deleted secret for 7 days, and a key made meanwhile brings it back: with no key that is of use.
        """
        if self.secrets.read(self.prefix + workspace) is None:
            return False
        self.edit(workspace, revoke_all)
        return self.secrets.remove(self.prefix + workspace)


def open_api_keys(stage: Stage) -> ApiKeys:
    """The keys of that stage."""
    return ApiKeys(secrets=SecretValues(stage.client("secretsmanager")), prefix=stage.api_keys_prefix)


def _decode(workspace: str, text: str | None) -> KeyRecords:
    try:
        return decode_records(text) if text else {}
    except MalformedKeys as error:
        raise Failure(f"The stored keys of {workspace} cannot be read ({error}): mend that secret by hand.") from error


def _encode(records: KeyRecords, workspace: str) -> str:
    text = encode_records(records)
    if len(text.encode()) > _LARGEST_SECRET:
        raise Failure(
            f"The workspace {workspace} holds {len(records) - 1} keys, and no more fit into its secret: "
            f"`gateway keys prune {workspace}` forgets those that are revoked or expired."
        )
    return text
