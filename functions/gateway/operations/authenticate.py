"""API key → Caller."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from gateway.core import api_key
from gateway.core.caller import Caller, KeyRecord
from gateway.core.errors import Unauthenticated
from gateway.core.ports import ApiKeys, CatalogueStore

# Compared with when there is no such key, so that an unknown key takes as long as a wrong secret.
_NOBODY = KeyRecord(key_id="", sha256="0" * 64, created=0, disabled=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticate:
    """Raises `Unauthenticated` for a key that opens nothing, `KeysUnavailable` when that cannot be known."""

    keys: ApiKeys
    catalogue: CatalogueStore
    now: Callable[[], float]

    async def __call__(self, text: str | None) -> Caller:
        if not text:
            raise Unauthenticated(
                "No API key was given. Send it as 'Authorization: Bearer <key>', 'api-key' or 'x-goog-api-key'.",
                missing=True,
            )
        key = api_key.parse(text)
        # The models are not needed here, but next: on a cold start the three look-ups overlap.
        records, workspace, _ = await asyncio.gather(
            self.keys.records(key.workspace, key.key_id),
            self.catalogue.workspace(key.workspace),
            self.catalogue.catalogue(),
        )
        record = records.get(key.key_id, _NOBODY)
        if not api_key.matches(key.secret, record.sha256) or record is _NOBODY:
            raise Unauthenticated("The API key is unknown: it was never made, or it was revoked.")
        self._check_in_force(record)
        return Caller(
            workspace=workspace, key_id=key.key_id, models=record.models, dialect=record.dialect or workspace.dialect
        )

    def _check_in_force(self, record: KeyRecord) -> None:
        if record.disabled:
            raise Unauthenticated("The API key was revoked.")
        if record.expires is not None and record.expires <= self.now():
            raise Unauthenticated("The API key has expired.")
