"""Clients that ask which models there are get those of the gateway, each in the words of its own service."""

import pytest

from tests.e2e.clients.drivers import Drivers, Program
from tests.e2e.clients.stage import OWN_MODEL, Stage
from tests.e2e.clients.vendor import VENDOR_MODEL

OPENAI_SDKS = (
    Program(environment="newest", name="openai_client"),
    Program(environment="established", name="openai_client"),
    Program(environment="javascript", name="openai", words=("7",)),
)
# Two of them ask at /v1/models, as OpenAI's do: their credential tells them apart.
GOOGLE_SDKS = (
    Program(environment="newest", name="google_genai_client"),
    Program(environment="established", name="google_genai_client"),
    Program(environment="javascript", name="google_genai"),
)
AZURE_SDK = Program(environment="established", name="azure_inference_client")


@pytest.mark.parametrize("program", OPENAI_SDKS, ids=lambda program: program.id)
def test_openais_client_lists_models_and_finds_one(program: Program, drivers: Drivers, stage: Stage) -> None:
    outcome = drivers[program].models(key=stage.workspace.key, model=OWN_MODEL)

    assert outcome.error is None
    assert {OWN_MODEL, VENDOR_MODEL} <= set(outcome.names[:-1])
    assert outcome.names[-1] == OWN_MODEL


@pytest.mark.parametrize("program", GOOGLE_SDKS, ids=lambda program: program.id)
def test_googles_client_pages_through_models_and_finds_one(program: Program, drivers: Drivers, stage: Stage) -> None:
    outcome = drivers[program].models(key=stage.workspace.key, model=OWN_MODEL)

    assert outcome.error is None
    assert {f"models/{OWN_MODEL}", f"models/{VENDOR_MODEL}"} <= set(outcome.names[:-1])
    assert len(set(outcome.names[:-1])) == len(outcome.names[:-1])
    assert outcome.names[-1] == f"models/{OWN_MODEL}"


def test_microsofts_client_finds_that_the_endpoint_embeds(drivers: Drivers, stage: Stage) -> None:
    outcome = drivers[AZURE_SDK].models(key=stage.workspace.key, model=OWN_MODEL)

    assert outcome.names == ["EmbeddingsClient", "embeddings"]
