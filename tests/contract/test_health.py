"""Whether stores can be asked, on the emulator: with the keys that the template's tables have."""

from collections.abc import Callable

from gateway.aws.client import AwsClient
from gateway.aws.dynamodb import DynamoDb
from gateway.aws.secrets_manager import Secrets
from gateway.stores.health import StoreHealth, store_checks
from tests.contract.test_template import read_template

TABLES = {"catalogue": "CatalogueTable", "cache": "VectorCacheTable", "usage": "UsageTable"}


def keys_of(table: str) -> list[str]:
    """The keys of a table of the template, hash key first, each as `name:type`."""
    properties = read_template()["Resources"][table]["Properties"]
    kinds = {each["AttributeName"]: each["AttributeType"] for each in properties["AttributeDefinitions"]}
    return [f"{each['AttributeName']}:{kinds[each['AttributeName']]}" for each in properties["KeySchema"]]


def test_stores_that_exist_are_ok_and_nothing_is_left_in_them(
    aws: AwsClient, make_table: Callable[..., str], unique: str
) -> None:
    tables = {name: make_table(*keys_of(table)) for name, table in TABLES.items()}
    checks = store_checks(
        DynamoDb(aws), Secrets(aws), keys=f"{unique}/workspaces/", provider_keys=f"{unique}/providers/", **tables
    )

    states = [StoreHealth(checks)() for _ in range(2)]

    assert states == [dict.fromkeys(checks, "ok")] * 2


def test_tables_that_do_not_exist_are_named(aws: AwsClient, unique: str) -> None:
    tables = dict.fromkeys(TABLES, unique)
    checks = store_checks(DynamoDb(aws), Secrets(aws), keys=unique, provider_keys=unique, **tables)

    states = StoreHealth(checks)()

    assert states == {
        "catalogue": "refused",
        "vector_cache": "refused",
        "usage": "refused",
        "api_keys": "ok",
        "provider_keys": "ok",
    }
