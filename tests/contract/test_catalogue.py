"""The catalogue: in memory and in DynamoDB."""

from typing import Protocol

import msgspec
import pytest

from gateway.aws.client import AwsClient
from gateway.aws.dynamodb import DynamoDb
from gateway.core.caller import Limits, Workspace
from gateway.core.catalogue import Model, Provider, PurposeRule, Route
from gateway.core.embedding import Purpose
from gateway.core.ports import CatalogueStore
from gateway.stores.catalogue import (
    LimitsRow,
    ModelRow,
    PrefixRow,
    ProviderRow,
    RouteRow,
    TableCatalogue,
    WorkspaceRow,
    to_model,
    to_provider,
    to_workspace,
)
from tests.contract.conftest import Boto
from tests.fakes.stores import MemoryCatalogue

PROVIDER = ProviderRow(name="openai-eu", kind="openai", url="https://x.example/v1", settings={"api_version": "1"})
SMALL = ModelRow(
    name="small",
    dimensions=384,
    aliases=["petit", "小"],
    purposes={Purpose.QUERY: "native", Purpose.DOCUMENT: PrefixRow("passage: ")},
    routes=[RouteRow(name="eu", provider="openai-eu", vendor_model="v-small", region="eu")],
)
ACME = WorkspaceRow(name="acme", limits=LimitsRow(requests=1, tokens=2), dialect="ctyun")


class Place(Protocol):
    """A store, and the way in which an operator fills it."""

    @property
    def store(self) -> CatalogueStore: ...

    def put(self, providers: list[ProviderRow], models: list[ModelRow], workspaces: list[WorkspaceRow]) -> None: ...


class InMemory:
    def __init__(self) -> None:
        self.store = MemoryCatalogue()

    def put(self, providers: list[ProviderRow], models: list[ModelRow], workspaces: list[WorkspaceRow]) -> None:
        named = {row.name: to_provider(row) for row in providers}
        self.store.models += [to_model(row, named) for row in models]
        self.store.workspaces |= {row.name: to_workspace(row) for row in workspaces}


class InDynamoDb:
    def __init__(self, aws: AwsClient, boto: Boto, table: str) -> None:
        self.store = TableCatalogue(DynamoDb(aws, timeout=10), table=table, clock=lambda: 0.0)
        self._dynamodb, self._table = boto("dynamodb"), table

    def put(self, providers: list[ProviderRow], models: list[ModelRow], workspaces: list[WorkspaceRow]) -> None:
        for provider in providers:
            self._put("catalogue", f"provider#{provider.name}", provider)
        for model in models:
            self._put("catalogue", f"model#{model.name}", model)
        for workspace in workspaces:
            self._put(f"workspace#{workspace.name}", "settings", workspace)

    def _put(self, partition: str, key: str, row: msgspec.Struct) -> None:
        document = msgspec.json.encode(row).decode()
        item = {"pk": {"S": partition}, "sk": {"S": key}, "document": {"S": document}}
        self._dynamodb.put_item(TableName=self._table, Item=item)


@pytest.fixture(params=["memory", "emulator"])
def place(request: pytest.FixtureRequest) -> Place:
    if request.param == "memory":
        return InMemory()
    aws, boto, make_table = map(request.getfixturevalue, ("aws", "boto", "make_table"))
    return InDynamoDb(aws, boto, make_table("pk:S", "sk:S"))


async def test_a_model_is_found_with_its_provider(place: Place) -> None:
    place.put([PROVIDER], [SMALL], [])

    catalogue = await place.store.catalogue()

    provider = Provider(name="openai-eu", kind="openai", url="https://x.example/v1", settings={"api_version": "1"})
    small = Model(
        name="small",
        dimensions=384,
        aliases=("petit", "小"),
        purposes={Purpose.QUERY: PurposeRule(native=True), Purpose.DOCUMENT: PurposeRule(prefix="passage: ")},
        routes=(Route(name="eu", provider=provider, vendor_model="v-small", region="eu"),),
    )
    assert catalogue.models == {"small": small}
    assert catalogue.find("小") == small


async def test_a_catalogue_larger_than_a_page_is_whole(place: Place) -> None:
    rows = [
        msgspec.structs.replace(SMALL, name=f"m{number:03}", aliases=[], description="x" * 20_000)
        for number in range(120)
    ]
    place.put([PROVIDER], rows, [])

    catalogue = await place.store.catalogue()

    assert list(catalogue.models) == [row.name for row in rows]


async def test_an_empty_catalogue_has_no_models(place: Place) -> None:
    catalogue = await place.store.catalogue()

    assert catalogue.models == {}


async def test_a_workspace_has_the_settings_that_were_written(place: Place) -> None:
    place.put([], [], [ACME])

    workspace = await place.store.workspace("acme")

    assert workspace == Workspace(name="acme", limits=Limits(requests=1, tokens=2), dialect="ctyun")


async def test_a_workspace_without_settings_has_the_defaults_and_was_never_set(place: Place) -> None:
    place.put([], [], [ACME])

    workspace = await place.store.workspace("other")

    assert workspace == Workspace(name="other", is_set=False)
