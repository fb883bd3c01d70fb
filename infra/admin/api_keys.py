"""Callers' keys of a stage, in a few secrets that workspaces share; their form: functions/gateway/stores/api_keys.py.

Several operators may edit at once: `SecretValues.edit` replaces only what it has read, and nobody holds a lock.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from msgspec.structs import replace

from gateway.core.caller import KeyRecord, KeyRecords
from gateway.stores.api_keys import (
    BUCKETS,
    KeyBucket,
    MalformedKeys,
    bucket_of,
    decode_bucket,
    decode_records,
    encode_bucket,
    encode_records,
)
from infra.admin.failures import Failure
from infra.admin.key_records import revoke_all
from infra.admin.secret_values import SecretValues
from infra.admin.stages import Stage
from infra.admin.workspaces import open_workspaces

_LARGEST_SECRET = 65_536  # bytes: https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html

Edit = Callable[[KeyRecords], KeyRecords]
Document = TypeVar("Document")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeys:
    """The keys of a stage's workspaces."""

    secrets: SecretValues
    prefix: str
    workspaces: Callable[[], list[str]]
    """The names of all workspaces of the stage."""

    def read(self, workspace: str) -> KeyRecords:
        """A workspace's keys, empty where none were made."""
        bucket = self._read_bucket(bucket_of(workspace))
        if bucket is not None and workspace not in bucket.apart:
            return bucket.records(workspace)
        return self._read_own(workspace)

    def edit(self, workspace: str, change: Edit) -> None:
        """Replace a workspace's keys by what `change` makes of them; `change` may be called more than once."""
        if self._read_bucket(bucket_of(workspace)) is None:
            self.pack()
        self._edit_bucket(bucket_of(workspace), lambda bucket: self._change(bucket, workspace, change))

    def remove(self, workspace: str) -> bool:
        """Forget a workspace's keys; whether it had any.

        AWS keeps a deleted secret for 7 days, and a key made meanwhile brings it back: so its keys are revoked first.
        """
        had_keys = bool(self.read(workspace))
        if self._read_bucket(bucket_of(workspace)) is not None:
            self._edit_bucket(bucket_of(workspace), lambda bucket: _without(bucket, workspace))
        if self.secrets.read(self.prefix + workspace) is not None:
            self._edit_own(workspace, revoke_all)
            self.secrets.remove(self.prefix + workspace)
        return had_keys

    def pack(self) -> int:
        """Bring the keys of all workspaces into buckets; how many workspaces had a secret of their own.

        Keys stand in their bucket before their own secret is deleted, so it may be interrupted and repeated.
        """
        names: dict[str, list[str]] = {f"buckets/{number}": [] for number in range(BUCKETS)}
        for workspace in self.workspaces():
            names[bucket_of(workspace)].append(workspace)
        for bucket, members in names.items():
            self._edit_bucket(bucket, lambda kept, members=members: self._gather(kept, members))  # type: ignore[misc]
        return sum(self._remove_packed(workspace) for members in names.values() for workspace in members)

    def _change(self, bucket: KeyBucket, workspace: str, change: Edit) -> KeyBucket:
        if workspace in bucket.apart:
            self._edit_own(workspace, change)
            return bucket
        return self._put(bucket, workspace, change(bucket.records(workspace)))

    def _put(self, bucket: KeyBucket, workspace: str, records: KeyRecords) -> KeyBucket:
        """The bucket with these keys of a workspace, or, if they do not fit in it, with a word that they are apart."""
        with_it = replace(bucket, workspaces={**bucket.workspaces, workspace: dict(records)})
        if _fits(encode_bucket(with_it)):
            return with_it
        self._edit_own(workspace, lambda _: records)
        without = _without(bucket, workspace)
        return replace(without, apart=without.apart | {workspace})

    def _gather(self, bucket: KeyBucket, members: list[str]) -> KeyBucket:
        """The bucket with the keys of those members that still have only a secret of their own."""
        for workspace in members:
            if workspace not in bucket.workspaces and workspace not in bucket.apart:
                bucket = self._bring_in(bucket, workspace)
        return bucket

    def _bring_in(self, bucket: KeyBucket, workspace: str) -> KeyBucket:
        try:
            records = self._read_own(workspace)
        except Failure:  # it stays where it is, to be mended there; the others go on
            return replace(bucket, apart=bucket.apart | {workspace})
        return self._put(bucket, workspace, records) if records else bucket

    def _remove_packed(self, workspace: str) -> bool:
        bucket = self._read_bucket(bucket_of(workspace))
        if bucket is None or workspace not in bucket.workspaces:
            return False
        return self.secrets.remove(self.prefix + workspace)

    def _read_bucket(self, name: str) -> KeyBucket | None:
        value = self.secrets.read(self.prefix + name)
        return _decode(name, value.text, decode_bucket) if value else None

    def _read_own(self, workspace: str) -> KeyRecords:
        value = self.secrets.read(self.prefix + workspace)
        return _decode(workspace, value.text, decode_records) if value else {}

    def _edit_bucket(self, name: str, change: Callable[[KeyBucket], KeyBucket]) -> None:
        def edit_text(text: str | None) -> str:
            bucket = KeyBucket(workspaces={}) if text is None else _decode(name, text, decode_bucket)
            return encode_bucket(change(bucket))

        self.secrets.edit(
            self.prefix + name, edit_text, description="Hashes of the API keys of many workspaces (gateway keys)"
        )

    def _edit_own(self, workspace: str, change: Edit) -> None:
        def edit_text(text: str | None) -> str:
            return _encode_own(change(_decode(workspace, text, decode_records) if text else {}), workspace)

        self.secrets.edit(
            self.prefix + workspace,
            edit_text,
            description=f"Hashes of the API keys of the workspace {workspace} (gateway keys)",
        )


def open_api_keys(stage: Stage) -> ApiKeys:
    """The keys of that stage; raises `Failure` if its functions look for keys elsewhere."""
    if stage.api_key_buckets != BUCKETS:
        raise Failure(f"{stage.name} runs another version: deploy it again with `make deploy STAGE={stage.name}`.")
    return ApiKeys(
        secrets=SecretValues(stage.client("secretsmanager")),
        prefix=stage.api_keys_prefix,
        workspaces=open_workspaces(stage).names,
    )


def _without(bucket: KeyBucket, workspace: str) -> KeyBucket:
    kept: Mapping[str, dict[str, KeyRecord]] = {
        name: records for name, records in bucket.workspaces.items() if name != workspace
    }
    return replace(bucket, workspaces=kept, apart=bucket.apart - {workspace})


def _decode(name: str, text: str, decode: Callable[[str], Document]) -> Document:
    try:
        return decode(text)
    except MalformedKeys as error:
        raise Failure(f"The keys stored in {name} cannot be read ({error}): mend that secret by hand.") from error


def _encode_own(records: KeyRecords, workspace: str) -> str:
    text = encode_records(records)
    if not _fits(text):
        raise Failure(
            f"The workspace {workspace} holds {len(records) - 1} keys, and no more fit into its secret: "
            f"`gateway keys prune {workspace}` forgets those that are revoked or expired."
        )
    return text


def _fits(text: str) -> bool:
    return len(text.encode()) <= _LARGEST_SECRET
