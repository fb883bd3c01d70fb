"""Who asks, and with what rights. `Limits`, `Workspace` and `KeyRecord` are also the form in which they are stored."""

import hashlib
from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

NotNegative = Annotated[int, Meta(ge=0)]


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A workspace's allowance: requests and tokens per minute. 0 admits nothing; there is no "unlimited"."""

    requests: NotNegative = 500
    tokens: NotNegative = 60_000


class Workspace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A customer: its limits, and the dialect its keys speak on shared paths (`None`: what the path says).

    `id` is random, 16 hex digits, and made with the workspace: another one of the same name later has another id, and
    shares neither keys nor cached vectors with this one. Workspaces older than ids have an empty one.
    """

    name: Annotated[str, Meta(min_length=1)]
    limits: Limits = Limits()
    dialect: str | None = None
    id: Annotated[str, Meta(pattern="^([0-9a-f]{16})?$")] = ""

    @property
    def cache_scope(self) -> str:
        """What keeps its cached vectors apart from everybody else's. Names hold no `#`."""
        return f"{self.name}#{self.id}" if self.id else self.name

    @property
    def cache_owner(self) -> bytes:
        """The 8 bytes that each of its cached vectors carries, by which an operator can erase them."""
        return bytes.fromhex(self.id) if self.id else hashlib.sha256(self.name.encode()).digest()[:8]


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks. `models` are the permitted ones, `None` for all; `dialect` is what the key speaks on shared paths.

    `limits` are the key's own, none of them above its workspace's; `None` if it has none.
    """

    workspace: Workspace
    key_id: str
    limits: Limits | None = None
    models: frozenset[str] | None = None
    dialect: str | None = None

    def may_use(self, model: str) -> bool:
        return self.models is None or model in self.models


class OidcToken(msgspec.Struct, frozen=True, kw_only=True):
    """The claims of an identity provider's token: its workspace, and an anonymous `subject` per caller."""

    workspace: str
    subject: str


class KeyLimits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a key may use of its workspace's requests and tokens per minute; `None` for all of them."""

    requests: NotNegative | None = None
    tokens: NotNegative | None = None

    def within(self, whole: Limits) -> Limits:
        """The limits of the key in a workspace with those."""
        return Limits(
            requests=whole.requests if self.requests is None else min(self.requests, whole.requests),
            tokens=whole.tokens if self.tokens is None else min(self.tokens, whole.tokens),
        )


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is kept of a key: never the key. Times are Unix seconds. Stored by key id, which is no field."""

    sha256: str
    """Hex digest of the secret part."""
    created: int
    expires: int | None = None
    disabled: bool = False
    models: frozenset[str] | None = None
    label: str = ""
    dialect: str | None = None
    limits: KeyLimits | None = None
    workspace_id: str = ""
    """The `id` of the workspace it was made for; it opens no other of the same name."""


KeyRecords = Mapping[str, KeyRecord]
"""A workspace's keys by key id."""
