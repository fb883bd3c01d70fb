"""Vendors' keys in Secrets Manager: one secret each, the key as plain text."""

from collections.abc import Callable
from typing import Final

from gateway.aws.errors import AwsError, NotFound
from gateway.aws.secrets_manager import Vault
from gateway.core.errors import ProviderMisconfigured, ProviderUnavailable
from gateway.stores.ttl_cache import TtlCache

FRESH: Final = 300.0
"""Seconds until a key is read again; a replaced key is used that long."""
MISSING: Final = 10.0
"""Seconds for which a missing key is believed to be missing."""
STALE: Final = 900.0
"""Seconds for which a remembered key serves while Secrets Manager is down."""
MAX_KEYS: Final = 1_000


class SecretProviderKeys:
    """The port `ProviderKeys` over Secrets Manager and the warm function's memory."""

    def __init__(self, secrets: Vault, *, prefix: str, clock: Callable[[], float]) -> None:
        """Secrets are named `prefix` + the name of the key; `clock` is Unix time."""
        self._secrets = secrets
        self._prefix = prefix
        self._keys = TtlCache(self._load, fresh=_fresh, stale=STALE, size=MAX_KEYS, clock=clock)

    async def key(self, name: str) -> str:
        """The vendor's key kept under that name.

        Raises `ProviderMisconfigured` when there is none, `ProviderUnavailable` when that cannot be known.
        """
        try:
            key = self._keys.get(name)
        except AwsError as error:
            raise ProviderUnavailable(f"The key {name!r} of the provider cannot be read at the moment.") from error
        if key is None:
            raise ProviderMisconfigured(f"The gateway's operator has set no key {name!r} for the provider.")
        return key

    def _load(self, name: str) -> str | None:
        try:
            # A trailing line break is what an editor or a shell adds, never part of a key.
            return self._secrets.text(self._prefix + name).strip() or None
        except NotFound:
            return None


def _fresh(key: str | None) -> float:
    return MISSING if key is None else FRESH
