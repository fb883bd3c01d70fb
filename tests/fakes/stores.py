"""Stores in memory: small real implementations of the ports, trusted because the contract tests run on them too."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.core.caller import Caller, KeyRecords, Workspace
from gateway.core.catalogue import Catalogue, Model, Provider
from gateway.core.errors import GatewayError, ProviderMisconfigured, StoreUnavailable
from gateway.core.ports import CachedVector, PendingWrite, nothing_pending
from gateway.core.rate_limit import Reservation
from gateway.stores.minute_counters import Counts, LimitReached, Minute, Write


@dataclass
class MemoryApiKeys:
    """Keys by workspace; `down` makes the store fail."""

    workspaces: dict[str, KeyRecords] = field(default_factory=dict)
    down: bool = False

    async def records(self, workspace: str, key_id: str) -> KeyRecords:
        if self.down:
            raise StoreUnavailable("API keys cannot be checked at the moment.")
        return self.workspaces.get(workspace, {})


@dataclass
class MemoryProviderKeys:
    """Vendors' keys by name."""

    keys: dict[str, str] = field(default_factory=dict)

    async def key(self, name: str) -> str:
        if name not in self.keys:
            raise ProviderMisconfigured(f"There is no key {name!r}.")
        return self.keys[name]


class MemoryCatalogue:
    """The models, workspaces and providers it is made of."""

    def __init__(
        self,
        models: Iterable[Model] = (),
        workspaces: Iterable[Workspace] = (),
        providers: Iterable[Provider] = (),
    ) -> None:
        self.models = list(models)
        self.workspaces = {workspace.name: workspace for workspace in workspaces}
        self.providers = list(providers)

    async def catalogue(self) -> Catalogue:
        return Catalogue(self.models, self.providers)

    async def workspace(self, name: str, workspace_id: str | None = None) -> Workspace | None:
        return self.workspaces.get(name)


@dataclass(frozen=True)
class Counted:
    """A write that was counted, or refused, when it was sent."""

    outcome: Counts | LimitReached

    def finish(self) -> Counts:
        if isinstance(self.outcome, LimitReached):
            raise self.outcome
        return self.outcome


@dataclass
class MemoryCounters:
    """The counters behind allowances."""

    minutes: dict[Minute, Counts] = field(default_factory=dict)

    def begin(self, write: Write) -> Counted:
        before = self.minutes.get(write.minute, Counts())
        after = before.plus(write.requests, write.tokens)
        if write.limits and (
            (write.requests and after.requests > write.limits.requests) or after.tokens > write.limits.tokens
        ):
            return Counted(LimitReached(write.minute.account, write.limits, before))
        self.minutes[write.minute] = after
        return Counted(after)

    def sum(self, window: int, account: str = "acme") -> Counts:
        """What all shards of an account counted."""
        of_account = [counts for at, counts in self.minutes.items() if (at.account, at.window) == (account, window)]
        return Counts(sum(counts.requests for counts in of_account), sum(counts.tokens for counts in of_account))


@dataclass
class OpenRateLimits:
    """Rate limits that remember what was reserved, and what was settled once its write was finished.

    They admit everything, except where `refuses` returns an error for a number of tokens.
    """

    refuses: Callable[[int], GatewayError | None] = lambda _: None
    reserved: list[int] = field(default_factory=list)
    settled: list[int] = field(default_factory=list)

    async def reserve(self, caller: Caller, tokens: int) -> Reservation:
        if error := self.refuses(tokens):
            raise error
        self.reserved.append(tokens)
        return self._left(caller, tokens)

    def remaining(self, caller: Caller) -> Reservation:
        return self._left(caller, 0)

    def settle(self, reservation: Reservation, tokens: int) -> PendingWrite:
        return lambda: self.settled.append(tokens)

    def _left(self, caller: Caller, tokens: int) -> Reservation:
        limits = caller.workspace.limits
        return Reservation(
            window=0,
            tokens=tokens,
            limits=limits,
            remaining_requests=limits.requests,
            remaining_tokens=limits.tokens,
            resets_in=1.0,
        )


@dataclass
class MemoryVectorCache:
    """Vectors, from the moment their write is finished until they expire; `clock` is Unix time."""

    clock: Callable[[], float]
    vectors: dict[bytes, tuple[CachedVector, float]] = field(default_factory=dict)
    owners: dict[bytes, bytes] = field(default_factory=dict)

    async def get(self, keys: Sequence[bytes]) -> Mapping[bytes, CachedVector]:
        kept = ((key, self.vectors[key]) for key in keys if key in self.vectors)
        return {key: vector for key, (vector, expires_at) in kept if expires_at > self.clock()}

    def put(self, vectors: Mapping[bytes, CachedVector], ttl: int, owner: bytes) -> PendingWrite:
        if ttl <= 0:
            return nothing_pending
        expires_at = self.clock() + ttl
        self.owners |= dict.fromkeys(vectors, owner)
        sent = {key: (_copied(vector), expires_at) for key, vector in vectors.items()}
        return lambda: self.vectors.update(sent)


@dataclass
class MemoryAnswers:
    """Answers by the address at which they would be fetched: content type and body."""

    kept: dict[str, tuple[str, bytes]] = field(default_factory=dict)

    async def keep(self, body: bytes, content_type: str) -> str:
        address = f"https://answers.example/{len(self.kept)}"
        self.kept[address] = (content_type, body)
        return address


def _copied(vector: CachedVector) -> CachedVector:
    return CachedVector(vector=bytes(vector.vector), tokens=vector.tokens)
