"""Answers that are larger than a Lambda's 6 MB arrive all the same, or the client is told how much would.

Which clients fetch them elsewhere, and which must not be sent there because they would take their key along, is in
`functions/gateway/dialects/_response.py`.
"""

import re

import pytest

from tests.e2e.clients.drivers import Drivers, Program
from tests.e2e.clients.stage import Stage
from tests.e2e.clients.vendor import VENDOR_MODEL, expected_vector

MANY = 900
"""Vectors of 1,536 dimensions that make 7.4 MB of base64, and more than twice that of floats."""

FETCHING = (
    Program(environment="newest", name="openai_client", words=("azure",)),
    Program(environment="established", name="litellm_client", words=("openai",)),
    Program(environment="javascript", name="openai", words=("4",)),
    Program(environment="javascript", name="langchain_openai"),
    Program(environment="javascript", name="ai_sdk", words=("openai",)),
)
TOLD = (
    Program(environment="established", name="azure_inference_client"),
    Program(environment="javascript", name="azure_rest"),
    Program(environment="javascript", name="ai_sdk", words=("azure",)),
)


@pytest.mark.parametrize("program", FETCHING, ids=lambda program: program.id)
def test_large_answer_is_fetched_without_the_user_noticing(program: Program, drivers: Drivers, stage: Stage) -> None:
    texts = [f"{stage.marker} {program.id} {number}" for number in range(MANY)]

    outcome = drivers[program].embed(key=stage.workspace.key, model=VENDOR_MODEL, input=texts)

    assert outcome.error is None
    assert len(outcome.vectors) == MANY
    for position in (0, 511, 512, MANY - 1):
        assert outcome.vectors[position] == pytest.approx(expected_vector(texts[position]), abs=1e-6)


@pytest.mark.parametrize("program", TOLD, ids=lambda program: program.id)
def test_client_that_would_take_its_key_along_is_told_how_much_fits(
    program: Program, drivers: Drivers, stage: Stage
) -> None:
    texts = [f"{stage.marker} {program.id} {number}" for number in range(MANY)]

    refused = drivers[program].embed(key=stage.workspace.key, model=VENDOR_MODEL, input=texts)
    assert refused.error
    assert refused.error.status == 413
    fits = re.search(r"at most (\d+) inputs", refused.error.message)
    assert fits
    outcome = drivers[program].embed(key=stage.workspace.key, model=VENDOR_MODEL, input=texts[: int(fits[1])])

    assert outcome.error is None
    assert len(outcome.vectors) == int(fits[1])
