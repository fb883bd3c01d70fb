"""The fake AWS answers boto3 as AWS does, so the gateway's speed is not bought with nonsense."""

import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from benchmarks import stage
from benchmarks.aws_controls import AwsControls
from benchmarks.fake_aws import updated
from benchmarks.processes import server
from gateway.stores.api_keys import bucket_of

KNOWN, UNKNOWN = bytes(32), bytes([1]) * 32
VECTOR = {"vector": {"B": bytes(4 * 1536)}, "tokens": {"N": "8"}, "expires_at": {"N": "99"}}

Client = Any  # what boto3 makes is typed for some installations only


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with server("benchmarks.fake_aws", "http://127.0.0.1:1") as (_, address):
        yield address


@pytest.fixture
def controls(address: str) -> AwsControls:
    return AwsControls(address)


@pytest.fixture
def session() -> boto3.Session:
    return boto3.Session("AKIDBENCHMARK", "secret", region_name=stage.REGION)


@pytest.fixture
def dynamodb(session: boto3.Session, address: str) -> Iterator[Client]:
    client = session.client("dynamodb", endpoint_url=address, config=Config(retries={"total_max_attempts": 1}))
    yield client
    client.close()


def test_the_stage_has_two_models_and_their_providers(dynamodb: Client) -> None:
    reply = dynamodb.query(
        TableName="catalogue",
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "catalogue"}},
    )

    assert {item["sk"]["S"] for item in reply["Items"]} == {
        "provider#vendor",
        "provider#embedded",
        f"model#{stage.VENDOR_MODEL}",
        f"model#{stage.OWN_MODEL}",
    }


def test_an_item_is_found_by_its_key(dynamodb: Client) -> None:
    key = {"pk": {"S": f"workspace#{stage.WORKSPACE}"}, "sk": {"S": "settings"}}

    reply = dynamodb.get_item(TableName="catalogue", Key=key)

    assert {name: reply["Item"][name] for name in key} == key
    assert str(stage.LIMITS["tokens"]) in reply["Item"]["document"]["S"]


def test_an_item_that_is_not_there_is_not_found(dynamodb: Client) -> None:
    assert "Item" not in dynamodb.get_item(TableName="catalogue", Key={"pk": {"S": "no"}, "sk": {"S": "no"}})


def test_the_secret_of_the_workspace_has_its_key(session: boto3.Session, address: str) -> None:
    client = session.client("secretsmanager", endpoint_url=address)

    reply = client.get_secret_value(SecretId=stage.WORKSPACES_PREFIX + bucket_of(stage.WORKSPACE))

    assert stage.KEY_ID in reply["SecretString"]
    client.close()


def test_updates_add_up(dynamodb: Client) -> None:
    key = {"account": {"S": "adder#0#19700101"}, "minute": {"S": "0001"}}

    for _ in range(2):
        reply = dynamodb.update_item(
            TableName="usage",
            Key=key,
            UpdateExpression="ADD tokens :tokens",
            ExpressionAttributeValues={":tokens": {"N": "5"}},
            ReturnValues="ALL_NEW",
        )

    assert reply["Attributes"] == {**key, "tokens": {"N": "10"}}


@pytest.mark.parametrize(
    ("knows", "found"),
    [("store", {KNOWN}), ("every", {KNOWN, UNKNOWN}), ("none", set())],
    ids=["store", "every", "none"],
)
def test_the_cache_knows_what_the_benchmark_wants(
    controls: AwsControls, dynamodb: Client, knows: str, found: set[bytes]
) -> None:
    controls.set_cache("store")
    dynamodb.batch_write_item(RequestItems={"vectors": [{"PutRequest": {"Item": {"key": {"B": KNOWN}, **VECTOR}}}]})
    controls.set_cache(knows)

    reply = dynamodb.batch_get_item(
        RequestItems={"vectors": {"Keys": [{"key": {"B": KNOWN}}, {"key": {"B": UNKNOWN}}]}}
    )

    items = reply["Responses"]["vectors"]
    assert {item.pop("key")["B"] for item in items} == found
    assert items == [VECTOR] * len(found)


def test_calls_take_the_latency_that_was_set(controls: AwsControls, dynamodb: Client) -> None:
    controls.set_latency(0.05)
    controls.take_calls()
    begun = time.perf_counter()

    dynamodb.get_item(TableName="catalogue", Key={"pk": {"S": "no"}, "sk": {"S": "no"}})

    waited = time.perf_counter() - begun
    controls.set_latency(0)
    (call,) = controls.take_calls()
    assert call.operation == "GetItem"
    assert call.ended - call.begun >= 0.05
    assert waited >= 0.05


def test_calls_are_taken_once(controls: AwsControls, dynamodb: Client) -> None:
    dynamodb.get_item(TableName="catalogue", Key={"pk": {"S": "no"}, "sk": {"S": "no"}})
    controls.take_calls()

    assert controls.take_calls() == []


def test_a_call_that_the_fake_cannot_answer_ends_the_measurement(controls: AwsControls, dynamodb: Client) -> None:
    with pytest.raises(dynamodb.exceptions.ClientError):
        dynamodb.list_tables()

    with pytest.raises(RuntimeError, match="could not answer ListTables"):
        controls.take_calls()


def test_an_update_adds_to_numbers_and_sets_them() -> None:
    asked = {
        "UpdateExpression": "ADD #requests :one, #tokens :tokens SET #expires_at = :expires_at",
        "ExpressionAttributeNames": {"#requests": "requests", "#tokens": "tokens", "#expires_at": "expires_at"},
        "ExpressionAttributeValues": {":one": {"N": "1"}, ":tokens": {"N": "8"}, ":expires_at": {"N": "99"}},
    }

    item = updated({"window": {"S": "a#1"}, "requests": {"N": "2"}}, asked)

    assert item == {
        "window": {"S": "a#1"},
        "requests": {"N": "3"},
        "tokens": {"N": "8"},
        "expires_at": {"N": "99"},
    }
