"""The catalogue: in memory and in DynamoDB."""

from typing import Protocol

import msgspec
import pytest

from gateway.aws.client import AwsClient
from gateway.aws.dynamodb import DynamoDb
from gateway.core.caller import Limits, Workspace
from gateway.core.catalogue import Model, Prefix, Provider, Route
from gateway.core.embedding import Purpose
from gateway.core.ports import CatalogueStore
from gateway.stores.catalogue import TableCatalogue
from tests.contract.conftest import Boto
from tests.fakes.stores import MemoryCatalogue

PROVIDER = Provider(name="openai-eu", kind="openai", url="https://x.example/v1", settings={"api_version": "1"})
SMALL = Model(
    name="small",
    dimensions=384,
    aliases=("petit", "小"),
    purposes={Purpose.QUERY: "native", Purpose.DOCUMENT: Prefix("passage: ")},
    routes=(Route(name="eu", provider="openai-eu", vendor_model="v-small", region="eu"),),
)
ACME = Workspace(name="acme", limits=Limits(requests=1, tokens=2), dialect="ctyun")


class Place(Protocol):
    """A store, and the way in which an operator fills it."""

    @property
    def store(self) -> CatalogueStore: ...

    def put(self, providers: list[Provider], models: list[Model], workspaces: list[Workspace]) -> None: ...


class InMemory:
    def __init__(self) -> None:
        self.store = MemoryCatalogue()

    def put(self, providers: list[Provider], models: list[Model], workspaces: list[Workspace]) -> None:
        self.store.providers += providers
        self.store.models += models
        self.store.workspaces |= {workspace.name: workspace for workspace in workspaces}


class InDynamoDb:
    def __init__(self, aws: AwsClient, boto: Boto, table: str) -> None:
        self.store = TableCatalogue(DynamoDb(aws, timeout=10), table=table, clock=lambda: 0.0)
        self._dynamodb, self._table = boto("dynamodb"), table

    def put(self, providers: list[Provider], models: list[Model], workspaces: list[Workspace]) -> None:
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

    assert catalogue.models == {"small": SMALL}
    assert catalogue.find("小") == SMALL
    assert catalogue.providers == {"openai-eu": PROVIDER}


async def test_a_catalogue_larger_than_a_page_is_whole(place: Place) -> None:
    rows = [
        msgspec.structs.replace(SMALL, name=f"m{number:03}", aliases=(), description="x" * 20_000)
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

    assert workspace == ACME


async def test_a_workspace_that_was_never_made_is_none(place: Place) -> None:
    place.put([], [], [ACME])

    workspace = await place.store.workspace("other")

    assert workspace is None
