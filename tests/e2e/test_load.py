"""A mixed load gets right vectors and deserved refusals only: `python -m benchmarks.load`, for a few seconds."""

import asyncio
import time

import pytest

from benchmarks import load
from gateway.stores.catalogue import FRESH
from tests.e2e.clients.stage import PLENTY, Operator
from tests.e2e.stack import Stack


@pytest.mark.usefixtures("vendor")
def test_a_mixed_load_gets_right_vectors_and_deserved_refusals_only(stack: Stack) -> None:
    operator = Operator(stack.endpoint)
    asks = load.make_asks([operator.make_workspace(*PLENTY) for _ in range(2)], seed=7)
    time.sleep(FRESH)  # warm functions believe the old catalogue for so long

    tally = asyncio.run(load.run(stack.base_url, asks, seconds=8, concurrency=6))

    assert tally.faults == []
    assert tally.statuses[200] > 10
