"""Callers' keys in Secrets Manager, as hashes: `BUCKETS` secrets, each with the keys of the workspaces that fall in it.

A bucket is `{"workspaces": {"<workspace>": {"<key id>": {"sha256": …, "created": …, …}}}, "apart": […]}`. The keys of a
workspace that is `apart` have a secret of their own, named like it: `{"keys": {"<key id>": {…}}}`. So had all of them
before there were buckets; a bucket that exists holds or names every workspace that has keys and falls in it.
"""

import zlib
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

import msgspec

from gateway.aws.errors import AwsError, AwsUnavailable, NotFound
from gateway.aws.secrets_manager import Vault
from gateway.core.caller import KeyRecord, KeyRecords
from gateway.core.errors import StoreUnavailable
from gateway.stores.ttl_cache import TokenBucket, TtlCache

BUCKETS: Final = 8
FRESH: Final = 300.0
"""Seconds until keys are read again; a revoked key works that long."""
UNKNOWN: Final = 60.0
"""Seconds for which a bucket or a secret that does not exist is believed not to."""
STALE: Final = 900.0
"""Seconds for which remembered keys serve while Secrets Manager is down."""
REREADS: Final = 10
"""Look-ups at once, per bucket, of keys that memory does not hold; then one every ten seconds."""
MAX_WORKSPACES: Final = 2_000
MAX_STRANGERS: Final = 20
"""Workspaces without a bucket that are looked up at once; then one a second."""

_NONE: Final[KeyRecords] = {}

Document = TypeVar("Document")


class MalformedKeys(ValueError):
    """The document is not one of keys; the message names the field."""


class KeyBucket(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The keys of the workspaces that fall in one bucket."""

    workspaces: Mapping[str, dict[str, KeyRecord]]
    apart: frozenset[str] = frozenset()
    """Workspaces whose keys have a secret of their own, because they did not fit in here."""

    def records(self, workspace: str) -> KeyRecords:
        return self.workspaces.get(workspace, _NONE)


class _OwnDocument(msgspec.Struct):
    keys: dict[str, KeyRecord]


def bucket_of(workspace: str) -> str:
    """The name of the secret with that workspace's keys, below the prefix of all. Workspaces' names hold no slash."""
    return f"buckets/{zlib.crc32(workspace.encode()) % BUCKETS}"


def encode_records(records: KeyRecords) -> str:
    """The document of a workspace that has a secret of its own."""
    return msgspec.json.encode(_OwnDocument(dict(records)), order="deterministic").decode()


def decode_records(document: str) -> KeyRecords:
    """The keys that such a document holds; raises `MalformedKeys`."""
    try:
        return msgspec.json.decode(document, type=_OwnDocument).keys
    except msgspec.MsgspecError as error:
        raise MalformedKeys(str(error)) from error


def encode_bucket(bucket: KeyBucket) -> str:
    """The document of a bucket."""
    return msgspec.json.encode(bucket, order="deterministic").decode()


def decode_bucket(document: str) -> KeyBucket:
    """The keys that a bucket's document holds; raises `MalformedKeys`."""
    try:
        return msgspec.json.decode(document, type=KeyBucket)
    except msgspec.MsgspecError as error:
        raise MalformedKeys(str(error)) from error


class SecretApiKeys:
    """The port `ApiKeys` over Secrets Manager and the warm function's memory.

    A key that memory does not hold is looked for at once, but made-up keys and workspaces cost no look-up each: their
    number is bounded per bucket. Both take the same steps, so that nobody learns from the time which names exist.
    """

    def __init__(self, secrets: Vault, *, prefix: str, clock: Callable[[], float]) -> None:
        """Secrets are named `prefix` + `bucket_of(workspace)`, or `prefix` + workspace; `clock` is Unix time."""
        self._secrets = secrets
        self._prefix = prefix
        self._buckets = TtlCache(
            self._load_bucket, fresh=_fresh, stale=STALE, size=BUCKETS, clock=clock, rereads=REREADS
        )
        self._own = TtlCache(
            self._load_own, fresh=_fresh, stale=STALE, size=MAX_WORKSPACES, clock=clock, rereads=REREADS
        )
        self._strangers = TokenBucket(MAX_STRANGERS, 1.0, clock, tokens=MAX_STRANGERS)

    async def records(self, workspace: str, key_id: str) -> KeyRecords:
        """The workspace's keys, empty if there is no such workspace; raises `StoreUnavailable`."""
        try:
            bucket = self._buckets.get(bucket_of(workspace), suffices=lambda kept: self._knows(kept, workspace, key_id))
            if bucket is not None and workspace not in bucket.apart:
                return bucket.records(workspace)
            # One that has no keys is believed to have none: new keys go into a bucket.
            return self._own.get(workspace, suffices=lambda kept: kept is None or key_id in kept) or _NONE
        except AwsError as error:
            raise StoreUnavailable("API keys cannot be checked at the moment. Try again shortly.") from error

    def _knows(self, bucket: KeyBucket | None, workspace: str, key_id: str) -> bool:
        if bucket is None:
            return key_id in (self._own.peek(workspace) or _NONE)
        return workspace in bucket.apart or key_id in bucket.records(workspace)

    def _load_bucket(self, name: str) -> KeyBucket | None:
        return self._load(name, decode_bucket)

    def _load_own(self, workspace: str) -> KeyRecords | None:
        if self._own.peek(workspace) is None and not self._strangers.take():
            raise AwsUnavailable("Too many unknown workspaces were asked for.")
        return self._load(workspace, decode_records)

    def _load(self, name: str, decode: Callable[[str], Document]) -> Document | None:
        try:
            return decode(self._secrets.text(self._prefix + name))
        except NotFound:
            return None
        except MalformedKeys as error:
            raise AwsUnavailable(f"The keys in {name!r} cannot be read: {error}.") from error


def _fresh(kept: object | None) -> float:
    return UNKNOWN if kept is None else FRESH
