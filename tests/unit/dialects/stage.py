"""The whole app on memory and an echo: what a dialect's tests drive."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi import FastAPI

from gateway.app import create_app
from gateway.core import api_key
from gateway.core.api_key import ApiKey
from gateway.core.caller import Caller, KeyRecord, KeyRecords, Limits, Workspace
from gateway.core.catalogue import Catalogue, Model, Provider
from gateway.core.errors import GatewayError
from gateway.core.ports import CachedVector, PendingWrite, nothing_pending
from gateway.core.rate_limit import Reservation
from gateway.core.vocabulary import Vocabularies, none_at_hand
from gateway.operations.authenticate import Authenticate
from gateway.operations.embed import Embed
from gateway.operations.gateway import BatchOperations, Gateway
from gateway.operations.models import Models
from gateway.stores.read_limits import OwnReadLimits
from tests.fakes.batch import memory_batch
from tests.fakes.echo_provider import EchoProvider
from tests.fakes.models import make_model, make_provider

KEY = ApiKey(workspace="acme", key_id="k" * 8, secret="s" * 32).text
STRANGERS_KEY = ApiKey(workspace="acme", key_id="k" * 8, secret="x" * 32).text


@dataclass
class Stage:
    """A stage with one workspace, `acme`, whose key is `KEY`. Whatever a test wants otherwise is a field."""

    models: Sequence[Model] = field(default_factory=lambda: [make_model()])
    providers: Sequence[Provider] = field(default_factory=lambda: [make_provider()])
    provider: EchoProvider = field(default_factory=EchoProvider)
    key_record: Mapping[str, Any] = field(default_factory=dict)
    dialect: str | None = None
    region: str = "eu"
    stages: Mapping[str, str | None] = field(default_factory=lambda: {"eu": None, "us": None})
    cors_origins: Sequence[str] = ()
    fails: Callable[[], None] = lambda: None
    """Called where keys are looked up: the one place every request passes."""
    throttles: GatewayError | None = None
    vocabularies: Vocabularies = none_at_hand
    reserved: list[int] = field(default_factory=list)
    """The tokens of each request that was counted."""
    health: Callable[[], Mapping[str, str]] = dict
    reads: OwnReadLimits = field(default_factory=lambda: OwnReadLimits(lambda: 0.0))
    kept: dict[bytes, CachedVector] = field(default_factory=dict)
    answers: list[bytes] = field(default_factory=list)
    batch: BatchOperations = field(default_factory=memory_batch)

    async def records(self, workspace: str, key_id: str) -> KeyRecords:
        self.fails()
        if workspace != "acme":
            return {}
        record: dict[str, Any] = {"sha256": api_key.digest("s" * 32), "created": 0}
        return {"k" * 8: KeyRecord(**{**record, **self.key_record})}

    async def catalogue(self) -> Catalogue:
        return Catalogue(self.models, self.providers)

    async def workspace(self, name: str, workspace_id: str | None = None) -> Workspace | None:
        return Workspace(name=name, dialect=self.dialect)

    async def reserve(self, caller: Caller, tokens: int) -> Reservation:
        if self.throttles:
            raise self.throttles
        self.reserved.append(tokens)
        return untouched(caller.workspace.limits, tokens)

    def remaining(self, caller: Caller) -> Reservation:
        return untouched(caller.workspace.limits)

    def settle(self, reservation: Reservation, tokens: int) -> PendingWrite:
        return nothing_pending

    async def get(self, keys: Sequence[bytes]) -> Mapping[bytes, CachedVector]:
        return {key: self.kept[key] for key in keys if key in self.kept}

    def put(self, vectors: Mapping[bytes, CachedVector], ttl: int, owner: bytes) -> PendingWrite:
        self.kept |= vectors
        return nothing_pending

    async def keep(self, body: bytes, content_type: str) -> str:
        self.answers.append(body)
        return "https://files.invalid/answer"

    @property
    def authenticate(self) -> Authenticate:
        return Authenticate(keys=self, catalogue=self, now=lambda: 1_000.0)

    @property
    def gateway(self) -> Gateway:
        return Gateway(
            region=self.region,
            aws_region="eu-central-1",
            authenticate=self.authenticate,
            embed=Embed(
                region=self.region,
                catalogue=self,
                rate_limits=self,
                cache=self,
                provider=lambda _: self.provider,
                clock=lambda: 0.0,
                vocabularies=self.vocabularies,
            ),
            models=Models(region=self.region, catalogue=self),
            large_answers=self,
            reads=self.reads,
            health=self.health,
            batch=lambda: self.batch,
            stages=self.stages,
        )

    @property
    def app(self) -> FastAPI:
        return create_app(self.gateway, cors_origins=self.cors_origins)

    async def send(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Any: what `httpx` takes. Without `headers` the request carries `KEY` as a Bearer token."""
        request.setdefault("headers", {"authorization": f"Bearer {KEY}"})
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="https://gateway.test") as client:
            return await client.request(method, path, **request)

    async def post(self, path: str, **body: Any) -> httpx.Response:
        return await self.send("POST", path, json=body)

    async def get_json(self, path: str) -> Any:
        return (await self.send("GET", path)).json()


def untouched(limits: Limits, tokens: int = 0) -> Reservation:
    """What is left of an allowance that nobody else uses."""
    return Reservation(
        window=0,
        tokens=tokens,
        limits=limits,
        remaining_requests=limits.requests - 1,
        remaining_tokens=limits.tokens - tokens,
        resets_in=6.5,
    )
