"""What running stages hold is read as it is: the code of commit 6d0eea7 wrote it, and nothing rewrites it."""

import base64
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.aws.dynamodb import DynamoDb
from gateway.core.caller import KeyRecord, Limits, Workspace
from gateway.core.catalogue import Model, Provider
from gateway.core.ports import CachedVector
from gateway.stores.api_keys import decode_records, encode_records
from gateway.stores.catalogue import MODEL, TableCatalogue, decode_row
from gateway.stores.vector_cache import TableVectorCache
from tests.fakes.aws import Request, ScriptedAws, reply

STORED: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "fixtures" / "stored" / "6d0eea7.json").read_text(encoding="utf-8")
)
CATALOGUE: list[dict[str, str]] = [*STORED["catalogue_rows"], *STORED["sparse_rows"]]


def rewritten(row: dict[str, str]) -> dict[str, Any]:
    """A row as it would be written today."""
    is_model = row["sk"].startswith(MODEL)
    read = decode_row(row["document"], Model) if is_model else decode_row(row["document"], Provider)
    document: dict[str, Any] = json.loads(msgspec.json.encode(read))
    return document


def is_within(said: Any, kept: Any) -> bool:  # any JSON
    """Whether `kept` says all that `said` does; it may have fields that are newer."""
    if isinstance(said, dict):
        return isinstance(kept, dict) and all(is_within(value, kept.get(name)) for name, value in said.items())
    if isinstance(said, list):
        return len(said) == len(kept) and all(map(is_within, said, kept))
    return bool(said == kept)


@pytest.mark.parametrize("row", CATALOGUE, ids=lambda row: row["sk"])
def test_a_row_keeps_all_that_it_said(row: dict[str, str]) -> None:
    assert is_within(json.loads(row["document"]), rewritten(row))


def test_what_a_row_did_not_say_means_what_it_meant() -> None:
    defaults = named("model#told-lengths")
    sparse = named("model#sparse")

    its_own = {"name", "dimensions", "routes"}
    assert {name: sparse[name] for name in defaults.keys() - its_own} == {
        name: defaults[name] for name in defaults.keys() - its_own
    }
    assert sparse["routes"] == [
        {**defaults["routes"][0], "name": "s", "provider": "sparse", "region": "us", "vendor_model": "m"}
        | {"accepts_dimensions": False}
    ]


def named(sort_key: str) -> dict[str, Any]:
    return rewritten(next(row for row in CATALOGUE if row["sk"] == sort_key))


async def test_the_catalogue_serves_every_model_that_it_served() -> None:
    items = [{"sk": {"S": row["sk"]}, "document": {"S": row["document"]}} for row in CATALOGUE]
    with ScriptedAws(lambda _: reply({"Items": items})) as server:
        catalogue = await table_catalogue(server).catalogue()

    names = [row["sk"].partition("#")[2] for row in sorted(CATALOGUE, key=lambda row: row["sk"].startswith(MODEL))]
    assert [*catalogue.providers, *catalogue.models] == names


async def test_workspaces_have_the_limits_they_had() -> None:
    rows = {row["pk"]: row for row in STORED["workspace_rows"]}

    def answer(request: Request) -> bytes:
        row = rows[request.json["Key"]["pk"]["S"]]
        return reply({"Item": {"sk": {"S": row["sk"]}, "document": {"S": row["document"]}}})

    with ScriptedAws(answer) as server:
        store = table_catalogue(server)
        workspaces = [await store.workspace(name) for name in ("acme", "beta-1")]

    assert workspaces == [
        Workspace(name="acme", limits=Limits(requests=500, tokens=60_000)),
        Workspace(name="beta-1", limits=Limits(requests=5, tokens=1_000), dialect="ctyun"),
    ]


def test_keys_open_the_door_as_they_did_and_are_written_in_the_same_form() -> None:
    records = decode_records(STORED["key_document"])

    assert records == {
        "kkkkkkkk": KeyRecord(sha256="ab" * 32, created=1_700_000_000),
        "Zz012345": KeyRecord(
            sha256="cd" * 32,
            created=1_700_000_001,
            expires=1_800_000_000,
            disabled=True,
            models=frozenset({"m1", "m2"}),
            label="CI é",
            dialect="ctyun",
        ),
    }
    assert json.loads(encode_records(records)) == json.loads(STORED["key_document"])


async def test_a_cached_vector_is_found() -> None:
    item = STORED["cached_vector"]
    key = base64.b64decode(item["key"]["B"])
    with ScriptedAws(lambda _: reply({"Responses": {"cache": [item]}})) as server:
        cache = TableVectorCache(
            DynamoDb(server.client()), table="cache", clock=lambda: 1_800_000_000.0, on_failure=pytest.fail
        )

        found = await cache.get([key])

    assert found == {key: CachedVector(vector=base64.b64decode(item["vector"]["B"]), tokens=3)}


async def test_a_vector_is_kept_in_the_same_form_and_says_whose_it_is() -> None:
    item = STORED["cached_vector"]
    key, expires_at = base64.b64decode(item["key"]["B"]), int(item["expires_at"]["N"])
    vector = CachedVector(vector=base64.b64decode(item["vector"]["B"]), tokens=3)
    with ScriptedAws(lambda _: reply({"UnprocessedItems": {}})) as server:
        cache = TableVectorCache(
            DynamoDb(server.client()), table="cache", clock=lambda: expires_at - 60.0, on_failure=pytest.fail
        )

        cache.put({key: vector}, 60, Workspace(name="acme").cache_owner)()

    assert server.requests[0].json["RequestItems"]["cache"] == [
        {"PutRequest": {"Item": {**item, "owner": {"B": "giszrYfBSKA="}}}}
    ]


def table_catalogue(server: ScriptedAws) -> TableCatalogue:
    return TableCatalogue(DynamoDb(server.client()), table="catalogue", clock=lambda: 0.0)
