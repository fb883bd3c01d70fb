"""Callers' keys in Secrets Manager: one secret per workspace, holding a JSON document of hashes.

`{"keys": {"<key id>": {"sha256": …, "created": …, "expires": …, "disabled": …, "models": …, "label": …, …}}}`
"""

from collections.abc import Callable
from typing import Final

import msgspec

from gateway.aws.errors import AwsError, AwsUnavailable, NotFound
from gateway.aws.secrets_manager import Vault
from gateway.core.caller import KeyRecord, KeyRecords
from gateway.core.errors import StoreUnavailable
from gateway.stores.ttl_cache import TtlCache

FRESH: Final = 300.0
"""Seconds until a workspace's keys are read again; a revoked key works that long."""
UNKNOWN: Final = 60.0
"""Seconds for which a workspace that does not exist is believed not to."""
STALE: Final = 900.0
"""Seconds for which remembered keys serve while Secrets Manager is down."""
MAX_WORKSPACES: Final = 2_000
MAX_UNKNOWN: Final = 10_000
"""Made-up names are remembered apart, so that a flood of them does not push out real ones."""

_NONE: Final[KeyRecords] = {}


class MalformedKeys(ValueError):
    """The document is not one of keys; the message names the field."""


class _Document(msgspec.Struct):
    keys: dict[str, KeyRecord]


def encode_records(records: KeyRecords) -> str:
    """The document that holds these keys."""
    return msgspec.json.encode(_Document(dict(records)), order="deterministic").decode()


def decode_records(document: str) -> KeyRecords:
    """The keys that a document holds; raises `MalformedKeys`."""
    try:
        return msgspec.json.decode(document, type=_Document).keys
    except msgspec.MsgspecError as error:
        raise MalformedKeys(str(error)) from error


class SecretApiKeys:
    """The port `ApiKeys` over Secrets Manager and the warm function's memory."""

    def __init__(self, secrets: Vault, *, prefix: str, clock: Callable[[], float]) -> None:
        """Secrets are named `prefix` + workspace; `clock` is Unix time."""
        self._secrets = secrets
        self._prefix = prefix
        self._known = TtlCache(self._load, fresh=lambda _: FRESH, stale=STALE, size=MAX_WORKSPACES, clock=clock)
        self._unknown = _Unknown(clock)

    async def records(self, workspace: str, key_id: str) -> KeyRecords:
        """The workspace's keys, empty if there is no such workspace; raises `StoreUnavailable`.

        If memory does not hold `key_id`, it looks again, at most every ten seconds.
        """
        if workspace in self._unknown:
            return _NONE
        try:
            return self._known.get(workspace, suffices=lambda records: key_id in records)
        except NotFound:
            self._unknown.add(workspace)
            return _NONE
        except AwsError as error:
            raise StoreUnavailable("API keys cannot be checked at the moment. Try again shortly.") from error

    def _load(self, workspace: str) -> KeyRecords:
        document = self._secrets.text(self._prefix + workspace)
        try:
            return decode_records(document)
        except MalformedKeys as error:
            raise AwsUnavailable(f"The keys of workspace {workspace!r} cannot be read: {error}.") from error


class _Unknown:
    """Names of workspaces that do not exist, each for `UNKNOWN` seconds, the `MAX_UNKNOWN` latest of them."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}

    def __contains__(self, workspace: str) -> bool:
        until = self._until.get(workspace)
        if until is None:
            return False
        if until > self._clock():
            return True
        del self._until[workspace]
        return False

    def add(self, workspace: str) -> None:
        self._until[workspace] = self._clock() + UNKNOWN
        if len(self._until) > MAX_UNKNOWN:
            del self._until[next(iter(self._until))]
