"""Batches whose requests ask for different things."""

from dataclasses import dataclass, field

import pytest

from gateway.core.caller import Limits, Workspace
from gateway.core.catalogue import PurposeRule, Symmetry
from gateway.core.embedding import EmbeddingRequest, Purpose
from gateway.core.errors import RequestTooLarge
from gateway.core.facts import Record
from gateway.operations.embed import Embed
from gateway.operations.embed_each import EmbeddedEach, embed_each
from tests.fakes.echo_provider import EchoProvider, echo_vector
from tests.fakes.models import make_caller, make_model
from tests.fakes.stores import MemoryCatalogue, MemoryVectorCache, memory_allowances

MODEL = make_model(
    symmetry=Symmetry.BY_PURPOSE, purposes={purpose: PurposeRule(prefix=f"{purpose}: ") for purpose in Purpose}
)


@dataclass
class Stage:
    """An operation on memory alone, for a workspace of these limits."""

    limits: Limits
    provider: EchoProvider = field(default_factory=EchoProvider)
    record: Record = field(default_factory=lambda: Record(request_id="r"))

    async def ask(self, *requests: tuple[str, Purpose]) -> EmbeddedEach:
        embed = Embed(
            region="eu",
            catalogue=MemoryCatalogue([MODEL]),
            allowances=memory_allowances(lambda: 0.0),
            cache=MemoryVectorCache(clock=lambda: 0.0),
            provider=lambda _: self.provider,
            clock=lambda: 0.0,
        )
        asked = [EmbeddingRequest(model="echo", inputs=(text,), purpose=purpose) for text, purpose in requests]
        caller = make_caller(workspace=Workspace(name="acme", limits=self.limits))
        return await embed_each(embed, asked, caller, self.record)


async def test_vectors_come_in_the_order_of_the_requests_whatever_each_asks_for() -> None:
    stage = Stage(Limits())

    embedded = await stage.ask(("a", Purpose.QUERY), ("b", Purpose.DOCUMENT), ("c", Purpose.QUERY))

    texts = ["query: a", "document: b", "query: c"]
    assert [bytes(vector) for vector in embedded.vectors] == [echo_vector(text, 8) for text in texts]
    assert (stage.record.inputs, stage.record.misses) == (3, 3)


@pytest.mark.parametrize("limits", [Limits(requests=1), Limits(tokens=5)])
async def test_what_can_never_fit_a_minute_together_is_refused_at_once(limits: Limits) -> None:
    stage = Stage(limits)

    with pytest.raises(RequestTooLarge, match="send fewer"):
        await stage.ask(("a", Purpose.QUERY), ("b", Purpose.DOCUMENT))

    assert not stage.provider.calls
