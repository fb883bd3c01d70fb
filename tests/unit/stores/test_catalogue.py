"""Rows of the catalogue: what they may say, and what is made of them."""

import json
from typing import Any

import pytest

from gateway.aws.dynamodb import DynamoDb
from gateway.core.caller import Limits, Workspace
from gateway.core.catalogue import Model, Prefix, Provider, Route, Symmetry
from gateway.core.embedding import Purpose
from gateway.core.errors import StoreUnavailable
from gateway.stores.catalogue import FRESH, MalformedRow, TableCatalogue, decode_row
from tests.fakes.aws import Request, ScriptedAws, failure, reply
from tests.fakes.logs import log_lines

ROUTE = {"name": "r", "provider": "p", "vendor_model": "v", "region": "eu"}
MODEL = {"name": "m", "dimensions": 8, "routes": [ROUTE]}
PROVIDER = {"name": "p", "kind": "openai"}


def model_of(**changes: Any) -> Model:
    return decode_row(json.dumps({**MODEL, **changes}), Model)


def test_the_least_that_a_model_says_is_filled_up_as_in_the_core() -> None:
    model = model_of()

    route = Route(name="r", provider="p", vendor_model="v", region="eu")
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
                provider="p",
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
        purposes={Purpose.QUERY: "native", Purpose.DOCUMENT: Prefix("passage: ")},
        accepts_title=True,
        vocabulary="cl100k_base",
        price=0.02,
        cache_ttl=60,
        created=5,
        owner="o",
        description="d",
    )


def test_a_provider_arrives() -> None:
    document = json.dumps({**PROVIDER, "url": "https://x", "key": "k", "timeout": 9, "settings": {"a": [1]}})

    provider = decode_row(document, Provider)

    assert provider == Provider(name="p", kind="openai", url="https://x", key="k", timeout=9.0, settings={"a": [1]})


def test_a_workspace_arrives() -> None:
    workspace = decode_row('{"name": "acme", "limits": {"requests": 5}, "dialect": "ctyun"}', Workspace)

    assert workspace == Workspace(name="acme", limits=Limits(requests=5, tokens=60_000), dialect="ctyun")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dimensions": 0}, r"\$\.dimensions"),
        ({"dimensions": "8"}, r"\$\.dimensions"),
        ({"routes": []}, r"\$\.routes"),
        ({"routes": [{**ROUTE, "max_inputs": 0}]}, r"\$\.routes\[0\]\.max_inputs"),
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


async def test_a_model_whose_provider_is_missing_is_left_out_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    lost = {**MODEL, "name": "lost", "routes": [ROUTE, {**ROUTE, "name": "s", "provider": "q"}]}

    with ScriptedAws(lambda _: reply({"Items": [*items(("model#lost", lost)), *CATALOGUE]})) as server:
        catalogue = await table_catalogue(server).catalogue()

    assert list(catalogue.models) == ["m"]
    assert [(line["row"], line["reason"]) for line in log_lines(caplog)] == [("model#lost", "there is no provider q")]


async def test_providers_are_found_by_the_names_that_routes_give_them() -> None:
    with ScriptedAws(lambda _: reply({"Items": CATALOGUE})) as server:
        catalogue = await table_catalogue(server).catalogue()

    assert catalogue.providers == {"p": Provider(name="p", kind="openai")}


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


async def test_a_workspace_that_was_never_made_is_none() -> None:
    with ScriptedAws(lambda _: reply({})) as server:
        workspace = await table_catalogue(server).workspace("acme")

    assert workspace is None


async def test_a_workspace_whose_settings_cannot_be_read_has_the_defaults() -> None:
    item = {"Item": items(("settings", {"name": "acme", "limits": "none"}))[0]}
    with ScriptedAws(lambda _: reply(item)) as server:
        workspace = await table_catalogue(server).workspace("acme")

    assert workspace == Workspace(name="acme")


def table_catalogue(server: ScriptedAws, now: list[float] | None = None) -> TableCatalogue:
    clock = now or [0.0]
    return TableCatalogue(DynamoDb(server.client()), table="catalogue", clock=lambda: clock[0])
