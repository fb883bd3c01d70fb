"""Calls in two steps: sent now, read later. What DynamoDB makes of them is in tests/contract/test_aws_client.py."""

import threading
from typing import Any

import msgspec
import pytest

from gateway.aws.dynamodb import Attribute, DynamoDb
from gateway.aws.errors import AwsTimeout, AwsUnavailable, ConditionFailed
from tests.fakes.aws import ScriptedAws, failure, reply


class Row(msgspec.Struct):
    """What these tests want to know of an item."""

    number: Attribute


KEY: dict[str, Any] = {"pk": {"S": "k"}}
COUNT: dict[str, Any] = {
    "update": "ADD #n :one",
    "condition": "#n < :two",
    "names": {"#n": "number"},
    "values": {":one": {"N": "1"}, ":two": {"N": "2"}},
    "repeatable": False,
}


def test_an_update_that_is_begun_arrives_before_it_is_finished() -> None:
    has_arrived = threading.Event()

    def answer(_: object) -> bytes:
        has_arrived.set()
        return reply({"Attributes": {"number": {"N": "1"}}})

    with ScriptedAws(answer) as server:
        pending = DynamoDb(server.client()).begin_update_item("t", KEY, Row, **COUNT)
        arrived_alone = has_arrived.wait(5)

        row = pending.finish()

    assert arrived_alone
    assert row == Row(number=Attribute(N="1"))


def test_a_condition_that_fails_is_raised_when_the_update_is_finished() -> None:
    with ScriptedAws(lambda _: failure("ConditionalCheckFailedException")) as server:
        pending = DynamoDb(server.client()).begin_update_item("t", KEY, Row, **COUNT)

        with pytest.raises(ConditionFailed):
            pending.finish()


def test_whoever_finishes_says_how_long_to_wait() -> None:
    is_over = threading.Event()
    with ScriptedAws(lambda _: reply() if is_over.wait(5) else None) as server:
        pending = DynamoDb(server.client(), timeout=5).begin_update_item("t", KEY, Row, **COUNT)

        with pytest.raises(AwsTimeout, match=r"0\.050 s"):
            pending.finish(0.05)

        is_over.set()


def test_an_update_that_is_abandoned_leaves_no_reply_to_the_next_call() -> None:
    with ScriptedAws(lambda request: reply({"Attributes": {"number": {"N": str(request.connection)}}})) as server:
        dynamodb = DynamoDb(server.client())
        dynamodb.begin_update_item("t", KEY, Row, **COUNT).finish()

        dynamodb.begin_update_item("t", KEY, Row, **COUNT).abandon()
        row = dynamodb.begin_update_item("t", KEY, Row, **COUNT).finish()

    assert row == Row(number=Attribute(N="1"))


NOT_UTF8 = b'{"Attributes": {"number": {"N": "\xff"}}}'


@pytest.mark.parametrize("answer", [reply(b"no"), reply(NOT_UTF8), reply({}), reply({"Attributes": {}})])
def test_a_reply_that_cannot_be_read_is_unavailable(answer: bytes) -> None:
    with ScriptedAws(lambda _: answer) as server, pytest.raises(AwsUnavailable):
        DynamoDb(server.client()).begin_update_item("t", KEY, Row, **COUNT).finish()
