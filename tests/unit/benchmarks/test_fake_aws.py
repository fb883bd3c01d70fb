"""The fake AWS answers the gateway's own stores, so its speed is not bought with nonsense."""

import ssl
import time
import urllib.request
from collections.abc import Iterator

import pytest

from benchmarks import stage
from benchmarks.fake_aws import updated
from benchmarks.processes import server
from gateway.aws.client import AwsClient, Endpoints
from gateway.aws.dynamodb import DynamoDb
from gateway.aws.secrets_manager import Secrets
from gateway.aws.signing import Credentials
from gateway.core import api_key
from gateway.core.caller import Limits
from gateway.core.ports import CachedVector
from gateway.stores.api_keys import SecretApiKeys
from gateway.stores.catalogue import TableCatalogue
from gateway.stores.rate_limits import Counts, TableCounters
from gateway.stores.vector_cache import TableVectorCache

KNOWN, UNKNOWN = bytes(32), bytes([1]) * 32
VECTOR = CachedVector(vector=bytes(4 * 1536), tokens=8)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with server("benchmarks.fake_aws", "http://127.0.0.1:1") as (_, address):
        yield address


@pytest.fixture
def aws(address: str) -> Iterator[AwsClient]:
    client = AwsClient(
        region=stage.REGION,
        endpoints=Endpoints({"AWS_ENDPOINT_URL": address}, stage.REGION),
        credentials=lambda: Credentials("AKIDBENCHMARK", "secret"),
        ssl_context=ssl.create_default_context,
        clock=time.time,
    )
    yield client
    client.close()


def let_cache_know(address: str, what: str) -> None:
    with urllib.request.urlopen(f"{address}/_cache?knows={what}", data=b"") as reply:
        reply.read()


def empty_cache(aws: AwsClient) -> TableVectorCache:
    """That of a function that remembers nothing yet."""
    return TableVectorCache(DynamoDb(aws), table="vectors", clock=time.time, on_failure=pytest.fail)


async def test_the_stage_has_two_models_and_plenty_of_allowance(aws: AwsClient) -> None:
    store = TableCatalogue(DynamoDb(aws), table="catalogue", clock=time.time)

    catalogue, workspace = await store.catalogue(), await store.workspace(stage.WORKSPACE)

    assert set(catalogue.models) == {stage.OWN_MODEL, stage.VENDOR_MODEL}
    assert workspace.limits.requests == workspace.limits.tokens == stage.PLENTY


async def test_the_key_of_the_stage_opens_it(aws: AwsClient) -> None:
    store = SecretApiKeys(Secrets(aws), prefix=stage.WORKSPACES_PREFIX, clock=time.time)

    records = await store.records(stage.WORKSPACE, stage.KEY.key_id)

    assert api_key.matches(api_key.parse(stage.KEY.text).secret, records[stage.KEY.key_id].sha256)


async def test_reservations_add_up(aws: AwsClient) -> None:
    counters = TableCounters(DynamoDb(aws), table="allowances")
    limits = Limits(requests=stage.PLENTY, tokens=stage.PLENTY)

    await counters.take("adder", 1, tokens=5, limits=limits)
    counts = await counters.take("adder", 1, tokens=6, limits=limits)

    assert counts == Counts(requests=2, tokens=11)


@pytest.mark.parametrize(
    ("what", "found"),
    [("store", {KNOWN}), ("every", {KNOWN, UNKNOWN}), ("none", set())],
    ids=["store", "every", "none"],
)
async def test_the_cache_knows_what_the_benchmark_wants(
    address: str, aws: AwsClient, what: str, found: set[bytes]
) -> None:
    let_cache_know(address, "store")
    await empty_cache(aws).put({KNOWN: VECTOR}, ttl=60)
    let_cache_know(address, what)

    vectors = await empty_cache(aws).get([KNOWN, UNKNOWN])

    assert vectors == dict.fromkeys(found, VECTOR)


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
