"""API key, or an identity provider's token → Caller."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.core import api_key
from gateway.core.caller import Caller, KeyRecord, Workspace
from gateway.core.errors import Unauthenticated
from gateway.core.ports import ApiKeys, CatalogueStore, OidcVerifier
from gateway.core.shown import quoted

DOTS_OF_A_TOKEN = 2
"""A signed token has three parts; a key of ours has no dot."""

# An unknown key is compared with this, so that it takes as long as a wrong secret.
_NO_SUCH_KEY = KeyRecord(sha256="0" * 64, created=0, disabled=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticate:
    """Raises `Unauthenticated` for an invalid key, `StoreUnavailable` if it cannot be checked.

    `identity` reads tokens where the operator has an identity provider; without one every credential is a key.
    """

    keys: ApiKeys
    catalogue: CatalogueStore
    now: Callable[[], float]
    identity: OidcVerifier | None = None

    async def __call__(self, text: str | None) -> Caller:
        if not text:
            raise Unauthenticated(
                "No API key was given. Send it as 'Authorization: Bearer <key>', 'api-key' or 'x-goog-api-key'.",
                missing=True,
            )
        if self.identity is not None and text.count(".") == DOTS_OF_A_TOKEN:
            return await self._by_token(self.identity, text)
        return await self._by_key(text)

    async def _by_token(self, identity: OidcVerifier, token: str) -> Caller:
        who = await identity.read(token)
        workspace = await self._workspace(who.workspace)
        return Caller(workspace=workspace, key_id=who.subject, dialect=workspace.dialect)

    async def _by_key(self, text: str) -> Caller:
        key = api_key.parse(text)
        records = await self.keys.records(key.workspace, key.key_id)
        record = records.get(key.key_id, _NO_SUCH_KEY)
        if not api_key.matches(key.secret, record.sha256) or record is _NO_SUCH_KEY:
            raise Unauthenticated("The API key is unknown: it was never made, or it was revoked.")
        self._check_in_force(record)
        # Only now: made-up names must not fill the memory with settings.
        workspace = await self._workspace(key.workspace, record.workspace_id)
        if workspace.id != record.workspace_id:
            raise Unauthenticated("The API key belongs to a workspace of the same name that was removed.")
        return Caller(
            workspace=workspace,
            key_id=key.key_id,
            limits=record.limits.within(workspace.limits) if record.limits else None,
            models=record.models,
            dialect=record.dialect or workspace.dialect,
        )

    async def _workspace(self, name: str, workspace_id: str | None = None) -> Workspace:
        """Its settings; raises `Unauthenticated` for one that the operator never made, or removed."""
        workspace = await self.catalogue.workspace(name, workspace_id)
        if workspace is None:
            raise Unauthenticated(f"There is no workspace {quoted(name)} here: it was never set up, or it was removed.")
        return workspace

    def _check_in_force(self, record: KeyRecord) -> None:
        if record.disabled:
            raise Unauthenticated("The API key was revoked.")
        if record.expires is not None and record.expires <= self.now():
            raise Unauthenticated("The API key has expired.")
