"""A provider that computes: each input has one vector for each purpose and title, whatever else is in the call."""

import array
import hashlib
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.core.embedding import EmbeddingResult, Input, Purpose
from gateway.core.errors import GatewayError
from gateway.core.ports import ProviderCall


def echo_vector(item: Input, dimensions: int, *, purpose: Purpose | None = None, title: str | None = None) -> bytes:
    """The float32 vector of that input, of length one, shape `(dimensions,)`; short ones begin like long ones."""
    made_from = repr(item) if purpose is None and title is None else repr((item, purpose, title))
    source = random.Random(hashlib.sha256(made_from.encode()).digest())
    values = [source.gauss(0, 1) for _ in range(dimensions)]
    length = math.sqrt(sum(value * value for value in values))
    return array.array("f", [value / length for value in values]).tobytes()


def echo_tokens(item: Input) -> int:
    """Words of a text, ids of a token array."""
    return len(item.split()) or 1 if isinstance(item, str) else len(item)


@dataclass
class EchoProvider:
    """Remembers what it was asked. `fails` may raise for a call; `spoils` may change an answer."""

    calls: list[ProviderCall] = field(default_factory=list)
    fails: Callable[[ProviderCall], GatewayError | None] = lambda _: None
    spoils: Callable[[EmbeddingResult], EmbeddingResult] = lambda result: result
    tells_total: bool = True
    tells_counts: bool = True

    @property
    def inputs(self) -> list[Input]:
        """Everything that was asked, in order."""
        return [item for call in self.calls for item in call.inputs]

    async def embed(self, call: ProviderCall) -> EmbeddingResult:
        self.calls.append(call)
        if error := self.fails(call):
            raise error
        counts, length = tuple(map(echo_tokens, call.inputs)), call.dimensions or call.native_dimensions
        return self.spoils(
            EmbeddingResult(
                vectors=tuple(
                    echo_vector(item, length, purpose=call.purpose, title=call.title) for item in call.inputs
                ),
                tokens=sum(counts) if self.tells_total else None,
                token_counts=counts if self.tells_counts else None,
            )
        )
