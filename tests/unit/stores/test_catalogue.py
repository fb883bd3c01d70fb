"""Rows of the catalogue: what they may say, and what is made of them."""

import dataclasses
import json
from typing import Any

import msgspec
import pytest

from gateway.aws.dynamodb import DynamoDb
from gateway.core.caller import Limits, Workspace
from gateway.core.catalogue import Model, Provider, PurposeRule, Route, Symmetry
from gateway.core.embedding import Purpose
from gateway.core.errors import StoreUnavailable
from gateway.stores.catalogue import (
    FRESH,
    MalformedRow,
    ModelRow,
    ProviderRow,
    RouteRow,
    TableCatalogue,
    WorkspaceRow,
    decode_row,
    to_model,
    to_provider,
    to_workspace,
)
from tests.fakes.aws import Request, ScriptedAws, failure, reply
from tests.fakes.logs import log_lines

ROUTE = {"name": "r", "provider": "p", "vendor_model": "v", "region": "eu"}
MODEL = {"name": "m", "dimensions": 8, "routes": [ROUTE]}
PROVIDER = {"name": "p", "kind": "openai"}


def model_of(**changes: Any) -> Model:
    row = decode_row(json.dumps({**MODEL, **changes}), ModelRow)
    return to_model(row, {"p": Provider(name="p", kind="openai")})


def test_the_least_that_a_model_says_is_filled_up_as_in_the_core() -> None:
    provider = Provider(name="p", kind="openai")

    model = model_of()

    route = Route(name="r", provider=provider, vendor_model="v", region="eu")
    assert model == Model(name="m", dimensions=8, routes=(route,))


def test_everything_that_a_model_says_arrives() -> None:
    model = model_of(
        routes=[
            {**ROUTE, "revision": "2", "max_inputs": 9, "max_tokens": 99, "concurrency": 2, "accepts_tokens": True}
        ],
        aliases=["n"],
        shortenable=True,
        min_dimensions=2,
        dimension_choices=[4, 8],
        max_tokens=256,
        max_inputs=10,
        max_request_tokens=1000,
        truncate=True,
        normalised=False,
        symmetry="by_purpose",
        purposes={"query": "native", "document": {"prefix": "passage: "}},
        accepts_title=True,
        vocabulary="cl100k_base",
        price=0.02,
        cache_ttl=60,
        created=5,
        owner="o",
        description="d",
    )

    assert model == Model(
        name="m",
        dimensions=8,
        routes=(
            Route(
                name="r",
                provider=Provider(name="p", kind="openai"),
                vendor_model="v",
                region="eu",
                revision="2",
                max_inputs=9,
                max_tokens=99,
                concurrency=2,
                accepts_tokens=True,
            ),
        ),
        aliases=("n",),
        shortenable=True,
        min_dimensions=2,
        dimension_choices=(4, 8),
        max_tokens=256,
        max_inputs=10,
        max_request_tokens=1000,
        truncate=True,
        normalised=False,
        symmetry=Symmetry.BY_PURPOSE,
        purposes={Purpose.QUERY: PurposeRule(native=True), Purpose.DOCUMENT: PurposeRule(prefix="passage: ")},
        accepts_title=True,
        vocabulary="cl100k_base",
        price=0.02,
        cache_ttl=60,
        created=5,
        owner="o",
        description="d",
    )


@pytest.mark.parametrize(
    ("row", "value"),
    [(ModelRow, Model), (RouteRow, Route), (ProviderRow, Provider), (WorkspaceRow, Workspace)],
)
def test_a_row_has_the_fields_of_the_core(row: type[msgspec.Struct], value: type[Any]) -> None:
    # Whether a workspace was set is no field of its row: it is the row's being there.
    assert set(row.__struct_fields__) == {field.name for field in dataclasses.fields(value)} - {"is_set"}


def test_a_provider_arrives() -> None:
    row = decode_row(json.dumps({**PROVIDER, "url": "https://x", "key": "k", "settings": {"a": [1]}}), ProviderRow)

    provider = to_provider(row)

    assert provider == Provider(name="p", kind="openai", url="https://x", key="k", settings={"a": [1]})


def test_a_workspace_arrives() -> None:
    row = decode_row('{"name": "acme", "limits": {"requests": 5}, "dialect": "ctyun"}', WorkspaceRow)

    workspace = to_workspace(row)

    assert workspace == Workspace(name="acme", limits=Limits(requests=5, tokens=60_000), dialect="ctyun")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dimensions": 0}, r"\$\.dimensions"),
        ({"dimensions": "8"}, r"\$\.dimensions"),
        ({"routes": []}, r"\$\.routes"),
        ({"routes": [{**ROUTE, "max_inputs": 0}]}, r"\$\.routes\[0\]\.max_inputs"),
        ({"routes": [{**ROUTE, "provider": "q"}]}, r"routes\[0\]\.provider.*'q'"),
        ({"routes": [ROUTE, ROUTE]}, "routes has 'r' twice"),
        ({"aliases": ["m"]}, "aliases has 'm' twice"),
        ({"colour": "red"}, "colour"),
        ({"purposes": {"hope": "native"}}, r"\$\.purposes"),
        ({"purposes": {"query": "foreign"}}, r"\$\.purposes"),
        ({"price": -1}, r"\$\.price"),
        ({"min_dimensions": 9}, "min_dimensions"),
        ({"dimension_choices": [4, 9]}, "dimension_choices"),
    ],
)
def test_a_mistake_in_a_model_is_named_by_its_field(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(MalformedRow, match=message):
        model_of(**changes)


def items(*rows: tuple[str, object]) -> list[dict[str, Any]]:
    return [
        {"pk": {"S": "catalogue"}, "sk": {"S": key}, "document": {"S": json.dumps(document)}} for key, document in rows
    ]


CATALOGUE = items(("model#m", MODEL), ("provider#p", PROVIDER))


async def test_a_broken_row_is_left_out_with_a_warning_and_the_rest_is_served(caplog: pytest.LogCaptureFixture) -> None:
    broken = items(("model#bad", {"name": "bad"}), ("provider#bad", []), ("model#lost", {**MODEL, "routes": []}))
    without_document = [{"pk": {"S": "catalogue"}, "sk": {"S": "model#empty"}}]
    foreign = items(("note#1", "whatever"))
    page = {"Items": [*broken, *CATALOGUE, *without_document, *foreign]}

    with ScriptedAws(lambda _: reply(page)) as server:
        catalogue = await table_catalogue(server).catalogue()

    assert list(catalogue.models) == ["m"]
    lines = log_lines(caplog)
    assert {(line["level"], line["message"]) for line in lines} == {("WARNING", "row cannot be read and is left out")}
    assert [line["row"] for line in lines] == ["provider#bad", "model#bad", "model#lost", "model#empty"]


async def test_a_catalogue_of_several_pages_is_read_to_its_end() -> None:
    start = {"pk": {"S": "catalogue"}, "sk": {"S": "model#m"}}

    def page(request: Request) -> bytes:
        if "ExclusiveStartKey" not in request.json:
            return reply({"Items": CATALOGUE[:1], "LastEvaluatedKey": start})
        assert request.json["ExclusiveStartKey"] == start
        return reply({"Items": CATALOGUE[1:]})

    with ScriptedAws(page) as server:
        catalogue = await table_catalogue(server).catalogue()

    assert list(catalogue.models) == ["m"]


async def test_a_remembered_catalogue_serves_while_dynamodb_is_down() -> None:
    now, answers = [0.0], [reply({"Items": CATALOGUE})]
    with ScriptedAws(lambda _: answers[0]) as server:
        store = table_catalogue(server, now)
        await store.catalogue()
        now[0], answers[0] = FRESH, failure("InternalServerError", 500)

        catalogue = await store.catalogue()

    assert list(catalogue.models) == ["m"]


async def test_a_catalogue_that_cannot_be_read_at_all_is_a_fault_of_ours() -> None:
    with ScriptedAws(lambda _: failure("InternalServerError", 500)) as server:
        store = table_catalogue(server)

        with pytest.raises(StoreUnavailable):
            await store.catalogue()
        with pytest.raises(StoreUnavailable):
            await store.workspace("acme")


async def test_a_workspace_whose_settings_cannot_be_read_has_the_defaults() -> None:
    item = {"Item": items(("settings", {"name": "acme", "limits": "none"}))[0]}
    with ScriptedAws(lambda _: reply(item)) as server:
        workspace = await table_catalogue(server).workspace("acme")

    assert workspace == Workspace(name="acme")


def table_catalogue(server: ScriptedAws, now: list[float] | None = None) -> TableCatalogue:
    clock = now or [0.0]
    return TableCatalogue(DynamoDb(server.client()), table="catalogue", clock=lambda: clock[0])
