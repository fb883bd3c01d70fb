"""Allowances: counters in memory and in DynamoDB keep the same promise, also when many functions write at once."""

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.aws.client import AwsClient
from gateway.aws.dynamodb import DynamoDb
from gateway.aws.errors import AwsError
from gateway.aws.signing import Credentials
from gateway.core.caller import Limits
from gateway.core.errors import AllowanceExhausted
from gateway.stores.rate_limits import (
    ITEM_TTL,
    Counters,
    Counts,
    LimitReached,
    PendingCounts,
    SharedRateLimits,
    TableCounters,
)
from tests.contract import hammer
from tests.contract.conftest import Boto
from tests.fakes.stores import MemoryCounters

ROOT = Path(__file__).parents[2]
LIMITS = Limits(requests=3, tokens=100)
FUNCTIONS = 8


@pytest.fixture
def table(make_table: Callable[..., str]) -> str:
    return make_table("window:S")


@pytest.fixture(params=["memory", "emulator"])
def counters(request: pytest.FixtureRequest) -> Counters:
    if request.param == "memory":
        return MemoryCounters()
    aws, table = map(request.getfixturevalue, ("aws", "table"))
    return TableCounters(DynamoDb(aws, timeout=10), table=table)


def test_a_window_counts_requests_and_tokens(counters: Counters) -> None:
    counts = [counters.take("acme", 7, tokens=tokens, limits=LIMITS) for tokens in (30, 0, 70)]

    assert counts == [Counts(requests=1, tokens=30), Counts(requests=2, tokens=30), Counts(requests=3, tokens=100)]


def test_a_request_too_many_is_not_counted(counters: Counters) -> None:
    for _ in range(3):
        counters.take("acme", 7, tokens=1, limits=LIMITS)

    for _ in range(2):
        with pytest.raises(LimitReached) as caught:
            counters.take("acme", 7, tokens=1, limits=LIMITS)

    assert caught.value.counts == Counts(requests=3, tokens=3)


def test_a_token_too_many_is_not_counted(counters: Counters) -> None:
    counters.take("acme", 7, tokens=60, limits=LIMITS)

    with pytest.raises(LimitReached) as caught:
        counters.take("acme", 7, tokens=41, limits=LIMITS)
    after = counters.take("acme", 7, tokens=40, limits=LIMITS)

    assert caught.value.counts == Counts(requests=1, tokens=60)
    assert after == Counts(requests=2, tokens=100)


@pytest.mark.parametrize("limits", [Limits(requests=0, tokens=100), Limits(requests=3, tokens=9)])
def test_an_empty_window_has_its_limits_too(counters: Counters, limits: Limits) -> None:
    with pytest.raises(LimitReached) as caught:
        counters.take("acme", 7, tokens=10, limits=limits)

    assert caught.value.counts == Counts()


def test_corrections_may_take_a_request_below_nothing(counters: Counters) -> None:
    counters.take("acme", 7, tokens=100, limits=LIMITS)

    after = counters.take("acme", 7, tokens=-40, limits=LIMITS)

    assert after == Counts(requests=2, tokens=60)


def test_a_correction_counts_whatever_the_limits_and_is_no_request(counters: Counters) -> None:
    counters.take("acme", 7, tokens=50, limits=LIMITS)

    counters.begin_correct("acme", 7, tokens=70).finish()
    with pytest.raises(LimitReached) as caught:
        counters.take("acme", 7, tokens=0, limits=LIMITS)
    counters.begin_correct("acme", 7, tokens=-100).finish()
    after = counters.take("acme", 7, tokens=0, limits=LIMITS)

    assert caught.value.counts == Counts(requests=1, tokens=120)
    assert after == Counts(requests=2, tokens=20)


def test_workspaces_and_windows_are_counted_apart(counters: Counters) -> None:
    counters.take("acme", 7, tokens=100, limits=LIMITS)

    counts = [counters.take(workspace, window, tokens=100, limits=LIMITS) for workspace, window in OTHERS]

    assert counts == [Counts(requests=1, tokens=100)] * 2


OTHERS = [("acme", 8), ("acme-2", 7)]


def test_a_window_leaves_the_table_by_itself(aws: AwsClient, boto: Boto, table: str) -> None:
    TableCounters(DynamoDb(aws, timeout=10), table=table).take("acme", 7, tokens=1, limits=LIMITS)

    item = boto("dynamodb").get_item(TableName=table, Key={"window": {"S": "acme#7"}})["Item"]

    assert item == {
        "window": {"S": "acme#7"},
        "requests": {"N": "1"},
        "tokens": {"N": "1"},
        "expires_at": {"N": str(8 * 60 + ITEM_TTL)},
    }


def test_a_correction_is_sent_before_its_reply_is_read(counters: Counters) -> None:
    """Another function may count between the two; both are counted."""
    counters.take("acme", 7, tokens=50, limits=LIMITS)

    pending = counters.begin_correct("acme", 7, tokens=-20)
    counters.take("acme", 7, tokens=10, limits=LIMITS)
    pending.finish()
    after = counters.take("acme", 7, tokens=0, limits=LIMITS)

    assert after == Counts(requests=3, tokens=40)


async def test_a_reservation_is_one_write(counters: Counters) -> None:
    calls: list[str] = []
    function = SharedRateLimits(Recorder(counters, calls), clock=lambda: 7 * 60.0, on_fallback=calls.append)
    limits = Limits(requests=100, tokens=60_000)

    for estimate, used in ((900, 700), (100, 0), (50, 60)):
        function.settle(await function.reserve("acme", limits, estimate), used)()

    assert calls == ["take", "take", "take"]


class Recorder(Counters):
    """Counters that write down what is asked of them."""

    def __init__(self, counters: Counters, calls: list[str]) -> None:
        self._counters = counters
        self._calls = calls

    def take(self, workspace: str, window: int, *, tokens: int, limits: Limits) -> Counts:
        self._calls.append("take")
        return self._counters.take(workspace, window, tokens=tokens, limits=limits)

    def begin_correct(self, workspace: str, window: int, *, tokens: int) -> PendingCounts:
        self._calls.append("correct")
        return self._counters.begin_correct(workspace, window, tokens=tokens)


async def test_a_table_that_does_not_exist_is_a_failure_and_so_a_fallback(aws: AwsClient) -> None:
    counters = TableCounters(DynamoDb(aws, timeout=10), table="no-such-table")
    reports: list[str] = []
    function = SharedRateLimits(counters, clock=lambda: 7 * 60.0, on_fallback=reports.append)

    reservation = await function.reserve("acme", LIMITS, 1)

    assert reservation.local
    assert reports == ["refused"]
    with pytest.raises(AwsError):
        counters.take("acme", 7, tokens=1, limits=LIMITS)


@pytest.fixture
def hammered(emulator: str, identity: Credentials, table: str) -> dict[tuple[str, int], list[hammer.Admitted]]:
    """What eight processes were admitted that asked for more than there was, at the same time."""
    program = [sys.executable, "-m", "tests.contract.hammer", emulator, *identity[:2], table]
    functions = [
        subprocess.Popen(
            [*program, str(seed)], cwd=ROOT, env={"PYTHONPATH": f"{ROOT}/functions:{ROOT}"}, stdout=subprocess.PIPE
        )
        for seed in range(FUNCTIONS)
    ]
    admitted: dict[tuple[str, int], list[Any]] = defaultdict(list)
    for function in functions:
        said, _ = function.communicate(timeout=120)
        assert function.returncode == 0
        for workspace, window, reserved, used in json.loads(said):
            admitted[workspace, window].append((workspace, window, reserved, used))
    return admitted


def test_many_functions_at_once_are_admitted_exactly_what_the_limits_say(
    hammered: dict[tuple[str, int], list[hammer.Admitted]], boto: Boto, table: str
) -> None:
    for window in hammer.WINDOWS:
        by_requests, by_tokens = hammered["by-requests", window], hammered["by-tokens", window]
        assert len(by_requests) == hammer.LIMITS["by-requests"].requests
        assert sum(reserved for _, _, reserved, _ in by_tokens) == hammer.LIMITS["by-tokens"].tokens

        settling, limit = hammered["settling", window], hammer.LIMITS["settling"].tokens
        counted = boto("dynamodb").get_item(TableName=table, Key={"window": {"S": f"settling#{window}"}})["Item"]
        assert sum(used for _, _, _, used in settling) <= int(counted["tokens"]["N"]) <= limit
        assert sum(reserved for _, _, reserved, _ in settling) > limit - hammer.LARGEST
        assert len(settling) == int(counted["requests"]["N"])


async def test_a_refusal_tells_what_is_left(counters: Counters) -> None:
    function = SharedRateLimits(counters, clock=lambda: 7 * 60.0 + 20, on_fallback=lambda _: None)
    await function.reserve("acme", LIMITS, 60)

    with pytest.raises(AllowanceExhausted) as caught:
        await function.reserve("acme", LIMITS, 41)

    assert caught.value.retry_after == 40
    left = caught.value.facts.allowance
    assert left
    assert (left.remaining_requests, left.remaining_tokens) == (2, 40)
