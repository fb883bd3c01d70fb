"""Allowances: counters in memory and in DynamoDB keep the same promise, also when many functions write at once."""

import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.aws.client import AwsClient
from gateway.aws.dynamodb import DynamoDb
from gateway.aws.errors import AwsTimeout
from gateway.aws.signing import Credentials
from gateway.core.caller import Limits, Workspace
from gateway.core.errors import AllowanceExhausted
from gateway.stores.minute_counters import (
    ITEM_TTL,
    NUMBER,
    Counters,
    Counts,
    LimitReached,
    Minute,
    TableCounters,
    Write,
)
from gateway.stores.rate_limits import SharedRateLimits
from tests.contract import hammer
from tests.contract.conftest import Boto
from tests.fakes.models import make_caller
from tests.fakes.stores import MemoryCounters

ROOT = Path(__file__).parents[2]
LIMITS = Limits(requests=3, tokens=100)
ACME = make_caller(workspace=Workspace(name="acme", limits=LIMITS))
MINUTE = Minute("acme", 0, 7)
FUNCTIONS = 8


@pytest.fixture
def table(make_table: Callable[..., str]) -> str:
    return make_table("account:S", "minute:S")


@pytest.fixture(params=["memory", "emulator"])
def counters(request: pytest.FixtureRequest) -> Counters:
    if request.param == "memory":
        return MemoryCounters()
    aws, table = map(request.getfixturevalue, ("aws", "table"))
    return TableCounters(DynamoDb(aws, timeout=10), table=table)


def take(counters: Counters, tokens: int, *, minute: Minute = MINUTE, limits: Limits = LIMITS) -> Counts:
    """Count one request of so many tokens, within the limits."""
    return counters.begin(Write(minute, 1, tokens, limits)).finish()


def correct(counters: Counters, tokens: int, requests: int = 0) -> Counts:
    """Count whatever the limits."""
    return counters.begin(Write(MINUTE, requests, tokens)).finish()


def test_a_minute_counts_requests_and_tokens(counters: Counters) -> None:
    counts = [take(counters, tokens) for tokens in (30, 0, 70)]

    assert counts == [Counts(requests=1, tokens=30), Counts(requests=2, tokens=30), Counts(requests=3, tokens=100)]


def test_a_request_too_many_is_not_counted(counters: Counters) -> None:
    for _ in range(3):
        take(counters, 1)

    for _ in range(2):
        with pytest.raises(LimitReached) as caught:
            take(counters, 1)

    assert caught.value.counts == Counts(requests=3, tokens=3)
    assert caught.value.by_requests


def test_a_token_too_many_is_not_counted(counters: Counters) -> None:
    take(counters, 60)

    with pytest.raises(LimitReached) as caught:
        take(counters, 41)
    after = take(counters, 40)

    assert caught.value.counts == Counts(requests=1, tokens=60)
    assert not caught.value.by_requests
    assert after == Counts(requests=2, tokens=100)


@pytest.mark.parametrize("limits", [Limits(requests=0, tokens=100), Limits(requests=3, tokens=9)])
def test_an_empty_minute_has_its_limits_too(counters: Counters, limits: Limits) -> None:
    with pytest.raises(LimitReached) as caught:
        take(counters, 10, limits=limits)

    assert caught.value.counts == Counts()


def test_the_second_share_of_a_request_is_bound_by_tokens_alone(counters: Counters) -> None:
    """Its request is counted in the first share, and may have been the last one there."""
    no_requests = Limits(requests=0, tokens=100)

    after = counters.begin(Write(MINUTE, 0, 90, no_requests)).finish()
    with pytest.raises(LimitReached):
        counters.begin(Write(MINUTE, 0, 11, no_requests)).finish()

    assert after == Counts(requests=0, tokens=90)


def test_a_correction_counts_whatever_the_limits(counters: Counters) -> None:
    take(counters, 50)

    correct(counters, 70)
    with pytest.raises(LimitReached) as caught:
        take(counters, 0)
    correct(counters, -100, requests=-1)
    after = take(counters, 0)

    assert caught.value.counts == Counts(requests=1, tokens=120)
    assert after == Counts(requests=1, tokens=20)


OTHERS = [Minute("acme", 0, 8), Minute("acme", 1, 7), Minute("acme-2", 0, 7), Minute("acme", 0, 7 + 24 * 60)]


def test_accounts_shards_and_minutes_are_counted_apart(counters: Counters) -> None:
    take(counters, 100)

    counts = [take(counters, 100, minute=minute) for minute in OTHERS]

    assert counts == [Counts(requests=1, tokens=100)] * len(OTHERS)


def test_a_minute_is_found_by_its_day_and_leaves_the_table_after_three(aws: AwsClient, boto: Boto, table: str) -> None:
    at = Minute("acme", 2, 30 * 24 * 60 + 61)  # 1970-01-31, 01:01
    TableCounters(DynamoDb(aws, timeout=10), table=table).begin(Write(at, 1, 5, LIMITS)).finish()

    (item,) = boto("dynamodb").query(
        TableName=table,
        KeyConditionExpression="account = :day",
        ExpressionAttributeValues={":day": {"S": "acme#2#19700131"}},
    )["Items"]

    ((_, seen),) = [(name, item.pop(name)) for name in list(item) if name.startswith("s.")]
    assert item == {
        "account": {"S": "acme#2#19700131"},
        "minute": {"S": "0101"},
        "requests": {"N": "1"},
        "tokens": {"N": "5"},
        "expires_at": {"N": str((at.window + 1) * 60 + ITEM_TTL)},
    }
    assert seen == {"N": str(NUMBER + 5)}


def test_a_write_is_sent_before_its_reply_is_read(counters: Counters) -> None:
    pending = counters.begin(Write(MINUTE, 1, 50, LIMITS))
    other = take(counters, 10)

    assert pending.finish() == Counts(requests=1, tokens=50)
    assert other == Counts(requests=2, tokens=60)


class Forgetful(DynamoDb):
    """DynamoDB whose calls get lost while it `loses` them: on the way back, or on the way there."""

    loses = False
    carries_out = True

    def begin_update_item(self, *arguments: Any, **options: Any) -> Any:  # as DynamoDb has them
        if not self.loses:
            return super().begin_update_item(*arguments, **options)
        if self.carries_out:
            super().begin_update_item(*arguments, **options).finish()
        return Lost()


class Lost:
    def finish(self) -> None:
        raise AwsTimeout("There is no reply.")


@pytest.mark.parametrize("limits", [None, LIMITS])
def test_a_write_whose_reply_was_lost_is_sent_again_and_counted_once(
    aws: AwsClient, table: str, limits: Limits | None
) -> None:
    dynamodb = Forgetful(aws, timeout=10)
    function, other = (TableCounters(it, table=table) for it in (dynamodb, DynamoDb(aws, timeout=10)))
    take(function, 40)
    dynamodb.loses = True
    pending = function.begin(Write(MINUTE, 1, 10, limits))
    with pytest.raises(AwsTimeout):
        pending.finish()
    dynamodb.loses = False
    take(other, 20)

    after = pending.finish()

    assert after.tokens == 50  # as it was right after this write
    assert take(other, 0, limits=Limits()) == Counts(requests=4, tokens=70)


def test_a_write_that_never_arrived_is_counted_when_it_is_sent_again(aws: AwsClient, table: str) -> None:
    dynamodb = Forgetful(aws, timeout=10)
    function = TableCounters(dynamodb, table=table)
    dynamodb.loses, dynamodb.carries_out = True, False
    pending = function.begin(Write(MINUTE, 0, 10))
    with pytest.raises(AwsTimeout):
        pending.finish()
    dynamodb.loses = False

    assert pending.finish() == Counts(requests=0, tokens=10)
    assert correct(function, 0) == Counts(requests=0, tokens=10)


def test_a_correction_that_may_be_lost_is_not_overtaken(aws: AwsClient, table: str) -> None:
    """A later write of the same function would make it look counted."""
    dynamodb = Forgetful(aws, timeout=10)
    function = TableCounters(dynamodb, table=table)
    dynamodb.loses, dynamodb.carries_out = True, False
    pending = function.begin(Write(MINUTE, 0, 10))
    with pytest.raises(AwsTimeout):
        take(function, 5)
    dynamodb.loses = False

    assert take(function, 5) == Counts(requests=1, tokens=15)
    assert pending.finish() == Counts(requests=0, tokens=10)


async def test_a_request_that_uses_what_it_reserved_is_one_write_and_any_other_two(counters: Counters) -> None:
    recorder = Recorder(counters)
    function = SharedRateLimits(recorder, clock=lambda: 7 * 60.0, on_fallback=pytest.fail)
    workspace = Workspace(name="acme", limits=Limits(requests=100, tokens=60_000))

    for estimate, used in ((0, 0), (900, 900), (900, 700)):
        function.settle(await function.reserve(make_caller(workspace=workspace), estimate), used)()

    assert [(write.requests, write.tokens) for write in recorder.writes] == [(1, 0), (1, 900), (1, 900), (0, -200)]


class Recorder:
    """Counters that write down what is asked of them."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self.writes: list[Write] = []

    def begin(self, write: Write) -> Any:
        self.writes.append(write)
        return self._counters.begin(write)


async def test_a_table_that_does_not_exist_is_a_failure_and_so_a_fallback(aws: AwsClient) -> None:
    counters = TableCounters(DynamoDb(aws, timeout=10), table="no-such-table")
    reports: list[str] = []
    function = SharedRateLimits(counters, clock=lambda: 7 * 60.0, on_fallback=reports.append)

    reservation = await function.reserve(ACME, 1)

    assert reservation.local
    assert reports == ["refused"]


ENOUGH = 1_000_000
LARGEST = 60
PLAY = hammer.Play(
    loads=(
        hammer.Load(workspace="by-requests", limits=Limits(requests=40, tokens=ENOUGH), smallest=50, largest=50),
        hammer.Load(workspace="by-tokens", limits=Limits(requests=11_000, tokens=2_000), smallest=50, largest=50),
        hammer.Load(
            workspace="refunds",
            limits=Limits(requests=11_000, tokens=2_000),
            smallest=1,
            largest=LARGEST,
            at_random=True,
        ),
        hammer.Load(
            workspace="fooled", limits=Limits(requests=11_000, tokens=4_000), smallest=1, largest=LARGEST, factor=2.0
        ),
        hammer.Load(
            workspace="sharded", limits=Limits(requests=36_000, tokens=4_000), smallest=1, largest=LARGEST, factor=2.0
        ),
    ),
    windows=(1_000, 1_001, 1_002, 1_003),
)


class Hammered:
    """What many processes were admitted that asked for more than there was, at the same time."""

    def __init__(self, emulator: str, identity: Credentials, table: str, boto: Boto) -> None:
        self._boto = boto
        self._table = table
        command = [sys.executable, "-m", "tests.contract.hammer", emulator, *identity[:2], table]
        play = msgspec.json.encode(PLAY).decode()
        environment = {"PYTHONPATH": f"{ROOT}/functions:{ROOT}"}
        functions = [
            subprocess.Popen([*command, str(seed), play], cwd=ROOT, env=environment, stdout=subprocess.PIPE)
            for seed in range(FUNCTIONS)
        ]
        self.admitted: dict[tuple[str, int], list[hammer.Admitted]] = defaultdict(list)
        for function in functions:
            said, _ = function.communicate(timeout=120)
            assert function.returncode == 0
            for request in msgspec.json.decode(said, type=list[hammer.Admitted]):
                self.admitted[request[0], request[1]].append(request)

    def requests(self, workspace: str, window: int) -> int:
        return len(self.admitted[workspace, window])

    def reserved(self, workspace: str, window: int) -> int:
        return sum(reserved for _, _, reserved, _ in self.admitted[workspace, window])

    def used(self, workspace: str, window: int) -> int:
        return sum(used for _, _, _, used in self.admitted[workspace, window])

    def counted(self, workspace: str, window: int, shard: int = 0) -> Counts:
        key = {"account": {"S": f"{workspace}#{shard}#19700101"}, "minute": {"S": f"{window // 60:02}{window % 60:02}"}}
        item = self._boto("dynamodb").get_item(TableName=self._table, Key=key).get("Item", {})
        return Counts(*(int(item.get(name, {"N": "0"})["N"]) for name in ("requests", "tokens")))


@pytest.fixture
def hammered(emulator: str, identity: Credentials, table: str, boto: Boto) -> Hammered:
    return Hammered(emulator, identity, table, boto)


def test_many_functions_at_once_are_admitted_exactly_what_the_limits_say(hammered: Hammered) -> None:
    limits = {load.workspace: load.limits for load in PLAY.loads}
    in_flight = FUNCTIONS * LARGEST
    for window in PLAY.windows:
        assert hammered.requests("by-requests", window) == limits["by-requests"].requests
        assert hammered.reserved("by-tokens", window) == limits["by-tokens"].tokens

        # Nothing is held back: what is counted is what was used, and others get what was not.
        used, most = hammered.used("refunds", window), limits["refunds"].tokens
        assert hammered.counted("refunds", window) == Counts(hammered.requests("refunds", window), used)
        assert most - in_flight < used <= most

        # A minute is over by no more than what was under way; and the next one counts that, too.
        for workspace in ("fooled", "sharded"):
            assert hammered.used(workspace, window) <= limits[workspace].tokens + in_flight
        debt = max(0, hammered.counted("fooled", window - 1).tokens - limits["fooled"].tokens)
        assert hammered.counted("fooled", window).tokens == hammered.used("fooled", window) + debt

    for workspace in ("fooled", "sharded"):
        used = sum(hammered.used(workspace, window) for window in PLAY.windows)
        assert used <= len(PLAY.windows) * limits[workspace].tokens + in_flight


def test_functions_that_share_a_sharded_workspace_use_all_of_it(hammered: Hammered) -> None:
    (limits,) = (load.limits for load in PLAY.loads if load.workspace == "sharded")

    used = sum(hammered.used("sharded", window) for window in PLAY.windows)

    assert all(hammered.counted("sharded", window, shard).requests for window in PLAY.windows for shard in range(3))
    assert used > 0.9 * len(PLAY.windows) * limits.tokens


async def test_a_refusal_tells_what_is_left(counters: Counters) -> None:
    function = SharedRateLimits(counters, clock=lambda: 7 * 60.0 + 20, on_fallback=lambda _: None)
    await function.reserve(ACME, 60)

    with pytest.raises(AllowanceExhausted) as caught:
        await function.reserve(ACME, 41)

    assert caught.value.retry_after == 40
    left = caught.value.facts.allowance
    assert left
    assert (left.remaining_requests, left.remaining_tokens) == (2, 40)
