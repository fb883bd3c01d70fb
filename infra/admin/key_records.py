"""What happens to a workspace's keys: made, replaced, disabled, forgotten. Nothing here knows where they are kept."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from gateway.core.api_key import ALPHABET, KEY_ID_LENGTH, SECRET_LENGTH, ApiKey, digest
from gateway.core.caller import KeyLimits, KeyRecord, KeyRecords
from infra.admin.failures import Failure, NotTried

MAX_LABEL = 64
"""Characters. The keys of many workspaces share one secret of 64 KB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key just made: what its owner gets, once, and what is kept of it."""

    key_id: str
    text: str
    record: KeyRecord


def make_key(
    workspace: str,
    *,
    now: int,
    workspace_id: str = "",
    expires: int | None = None,
    models: frozenset[str] | None = None,
    label: str = "",
    dialect: str | None = None,
    limits: KeyLimits | None = None,
) -> NewKey:
    """A new key of a workspace, valid from `now` until `expires` (Unix seconds; `None`: until it is revoked)."""
    key = ApiKey(workspace=workspace, key_id=_random_text(KEY_ID_LENGTH), secret=_random_text(SECRET_LENGTH))
    record = KeyRecord(
        sha256=digest(key.secret),
        created=now,
        expires=expires,
        models=models,
        label=label,
        dialect=dialect,
        limits=limits,
        workspace_id=workspace_id,
    )
    return NewKey(key_id=key.key_id, text=key.text, record=record)


def check_label(label: str) -> None:
    """Raises `NotTried` for a label that is too long, or that a terminal would not show as it is."""
    if len(label) > MAX_LABEL:
        raise NotTried(f"The label has {len(label)} characters; at most {MAX_LABEL} are kept with a key.")
    if not label.isprintable():
        raise NotTried("The label holds a line break or another character that cannot be printed.")


def read_limit(unit: str, limit: int | None, *, of: int) -> int | None:
    """A key's own limit, checked against its workspace's; raises `NotTried`."""
    if limit is None or 1 <= limit <= of:
        return limit
    raise NotTried(f"A key of this workspace may use 1 to {of} {unit} a minute, as its workspace may, not {limit}.")


def add_key(records: KeyRecords, key: NewKey) -> KeyRecords:
    """The workspace's keys and one more."""
    return {**records, key.key_id: key.record}


def make_successor(workspace: str, old: KeyRecord, *, now: int, expires: int | None = None) -> NewKey:
    """A key with the rights of `old`; without `expires` it lives as long as `old` was meant to."""
    lifetime = None if old.expires is None else old.expires - old.created
    return make_key(
        workspace,
        now=now,
        expires=expires if expires or lifetime is None else now + lifetime,
        models=old.models,
        label=old.label,
        dialect=old.dialect,
        limits=old.limits,
        workspace_id=old.workspace_id,
    )


def replace_key(records: KeyRecords, old_id: str, successor: NewKey, *, now: int, grace: int) -> KeyRecords:
    """The keys with a successor, and the old one ending `grace` seconds from now, or sooner if it was to end sooner.

    Raises `Failure` for a key that is not there, or that is of no use any more.
    """
    old = find_key(records, old_id)
    if not is_usable(old, now=now):
        raise Failure(f"The key {old_id} is {state(old, now=now)}: make a new one with `gateway keys create`.")
    end = now + grace
    expires = end if old.expires is None else min(old.expires, end)
    return add_key({**records, old_id: replace(old, expires=expires)}, successor)


def revoke_key(records: KeyRecords, key_id: str) -> KeyRecords:
    """The keys with that one disabled; raises `Failure` for a key that is not there."""
    return {**records, key_id: replace(find_key(records, key_id), disabled=True)}


def revoke_all(records: KeyRecords) -> KeyRecords:
    """The keys, every one of them disabled."""
    return {key_id: replace(record, disabled=True) for key_id, record in records.items()}


def forget_useless(records: KeyRecords, *, now: int) -> KeyRecords:
    """The keys that are neither expired nor revoked."""
    return {key_id: record for key_id, record in records.items() if is_usable(record, now=now)}


def find_key(records: Mapping[str, KeyRecord], key_id: str) -> KeyRecord:
    """The key of that id; raises `Failure`."""
    if key_id not in records:
        raise Failure(f"There is no key {key_id!r} here: `gateway keys list` names those that there are.")
    return records[key_id]


def is_usable(record: KeyRecord, *, now: int) -> bool:
    """Whether the key lets anyone in now."""
    return state(record, now=now) == "active"


def count_keys(count: int) -> str:
    """`1 key`, `2 keys`."""
    return f"{count} key" if count == 1 else f"{count} keys"


def state(record: KeyRecord, *, now: int) -> str:
    """`active`, `revoked` or `expired`."""
    if record.disabled:
        return "revoked"
    return "expired" if record.expires is not None and record.expires <= now else "active"


def _random_text(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
