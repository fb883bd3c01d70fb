"""Who asks, and with what rights."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """A workspace's allowance: requests and tokens per minute."""

    requests: int = 500
    tokens: int = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """A customer: its limits, and the dialect its keys speak on shared paths (`None`: what the path says).

    `is_set` tells whether the operator ever set it: a name alone makes no customer.
    """

    name: str
    limits: Limits = Limits()
    dialect: str | None = None
    is_set: bool = True


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks. `models` are the permitted ones, `None` for all; `dialect` is what the key speaks on shared paths."""

    workspace: Workspace
    key_id: str
    models: frozenset[str] | None = None
    dialect: str | None = None

    def may_use(self, model: str) -> bool:
        return self.models is None or model in self.models


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcToken:
    """Whom an identity provider's token is for; `subject` tells callers apart without naming them."""

    workspace: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """What is kept of a key: never the key. Times are Unix seconds."""

    key_id: str
    sha256: str
    """Hex digest of the secret part."""
    created: int
    expires: int | None = None
    disabled: bool = False
    models: frozenset[str] | None = None
    label: str = ""
    dialect: str | None = None


KeyRecords = Mapping[str, KeyRecord]
"""A workspace's keys by key id."""
