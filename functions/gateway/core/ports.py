"""The interfaces that operations need. Stores and providers implement them; so do the tests' fakes.

Methods of stores are `async`, yet they block for the milliseconds that AWS takes: their sockets are not asyncio's.
Providers let other tasks run while they wait.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from gateway.core import catalogue
from gateway.core.caller import Caller, KeyRecords, OidcToken, Workspace
from gateway.core.catalogue import Catalogue, Route
from gateway.core.embedding import EmbeddingResult, Input, Purpose, Vector
from gateway.core.errors import InputTooLong
from gateway.core.rate_limit import Reservation


class ProviderCall(msgspec.Struct, frozen=True, kw_only=True):
    """One call to one provider: what `build_call` is given.

    `inputs` already fit the route's limits and carry any prefix; `positions` are their numbers in the caller's
    request, which has `request_inputs` of them. Vectors are `dimensions` long if that is set, because the vendor makes
    shorter ones itself; else `native_dimensions`, the model's own length. `purpose` is set only where the vendor has a
    word of its own for it. `timeout` is seconds until the request gives up, whatever the provider's own limit.
    """

    route: Route
    provider: catalogue.Provider
    inputs: tuple[Input, ...]
    native_dimensions: int
    positions: tuple[int, ...]
    request_inputs: int
    dimensions: int | None = None
    purpose: Purpose | None = None
    title: str | None = None
    user: str | None = None
    truncate: bool = False
    extra: Mapping[str, object] = {}
    timeout: float = 25.0

    def input_too_long(self, index: int, *, tokens: int, limit: int) -> InputTooLong:
        """The error about the input at that index of this call, under its number in the caller's request."""
        return InputTooLong.at(self.positions[index], of=self.request_inputs, tokens=tokens, limit=limit)


class Provider(Protocol):
    """Who computes."""

    async def embed(self, call: ProviderCall) -> EmbeddingResult:
        """Vectors of the call's inputs, in input order, every component finite.

        Raises `Provider…` errors and `InvalidRequest`. `InputTooLong` has the number in the caller's request, or none.
        """


PendingWrite = Callable[[], None]
"""Waits for the reply to a write that was sent. It must be called before the function may freeze.

It raises nothing: stores report their failures themselves.
"""


def nothing_pending() -> None:
    """The pending write where nothing had to be sent."""


class CatalogueStore(Protocol):
    """Models, routes, providers and workspaces, as the operator wrote them."""

    async def catalogue(self) -> Catalogue:
        """All models; from memory for a stated time."""

    async def workspace(self, name: str, workspace_id: str | None = None) -> Workspace | None:
        """A workspace's settings; `None` if the operator never made it, or removed it.

        If memory holds one that has another id than `workspace_id`, the store may look again.
        """


class ApiKeys(Protocol):
    """Callers' keys, hashed."""

    async def records(self, workspace: str, key_id: str) -> KeyRecords:
        """The workspace's keys (empty if there is no such workspace); raises `StoreUnavailable`.

        `key_id` is the key that is looked for: if memory does not hold it, the store may look again.
        """


class OidcVerifier(Protocol):
    """Tokens of the operator's identity provider."""

    async def read(self, token: str) -> OidcToken:
        """Whose token it is; raises `Unauthenticated`, or `StoreUnavailable` if it cannot be checked."""


class ProviderKeys(Protocol):
    """Vendors' keys."""

    async def key(self, name: str) -> str:
        """The vendor's key kept under that name; raises `ProviderMisconfigured`, `ProviderUnavailable`."""


class RateLimits(Protocol):
    """Counters of requests and tokens per minute, of a workspace and of a key that has limits of its own."""

    async def reserve(self, caller: Caller, tokens: int) -> Reservation:
        """Take one request and `tokens` from this minute's allowance; raises `AllowanceExhausted`.

        Raises `RequestTooLarge` if `tokens` exceed the whole budget of a minute.
        """

    def remaining(self, caller: Caller) -> Reservation:
        """What was left of this minute's allowance when this function last saw it; sends and takes nothing."""

    def settle(self, reservation: Reservation, tokens: int) -> PendingWrite:
        """Begin to replace the reservation's estimate by what was used; to be called once."""


Health = Callable[[], Mapping[str, str]]
"""Asks every store whether it can be asked: `ok`, or a word for what is wrong, by the store's name."""


class ReadLimits(Protocol):
    """A bound on requests that embed nothing, such as lists of models."""

    def take(self, workspace: str) -> None:
        """Count one; raises `AllowanceExhausted`."""


class CachedVector(msgspec.Struct, frozen=True, kw_only=True):
    """A vector, native length, with the tokens its input had."""

    vector: Vector
    tokens: int


class VectorCache(Protocol):
    """Vectors already computed, by key (32 bytes, see `core/cache_key.py`). It never fails: at worst it has nothing."""

    async def get(self, keys: Sequence[bytes]) -> Mapping[bytes, CachedVector]:
        """Those that are known, of distinct keys; fewer, or none, when the store is slow or broken."""

    def put(self, vectors: Mapping[bytes, CachedVector], ttl: int, owner: bytes) -> PendingWrite:
        """Begin to keep them for `ttl` seconds; `owner` is whose they are (`Workspace.cache_owner`)."""


LARGE_ANSWER_TIME = 900
"""Seconds for which the address of a large answer is good."""


class LargeAnswers(Protocol):
    """A place for answers too large for the front door."""

    async def keep(self, body: bytes, content_type: str) -> str:
        """Store one answer; the address at which it can be fetched without a key, for `LARGE_ANSWER_TIME` seconds."""
