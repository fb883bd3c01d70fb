"""The published document: as fresh as its sources, complete, and true of what was written down."""

import json
import re
from typing import Any

import jsonschema_rs
import pytest

from gateway import documents
from gateway.app import ROUTERS
from infra.openapi import table
from infra.openapi.document import PLACE, as_text, build_document, shown
from infra.openapi.operations import OPERATIONS
from tests.unit.dialects.golden import Golden, every_golden
from tests.unit.dialects.stage import Stage

DOCUMENT: dict[str, Any] = json.loads(PLACE.read_text("utf-8"))

FAR_ADDRESS = re.compile(rb"""(?:src|href|url|import)\s*[=(:]\s*["']?(?:https?:)?//""")


def test_the_document_is_as_fresh_as_its_sources() -> None:
    """`python -m infra.openapi` makes it so."""
    assert PLACE.read_text("utf-8") == as_text(build_document())


def test_every_route_of_every_dialect_is_described_and_no_other() -> None:
    described = {(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods}
    served = {
        (shown(route.path), method.lower())
        for router in ROUTERS
        for route in router.routes
        for method in (route.methods or set()) - {"HEAD"}
    }

    assert described == served


def test_operations_have_names_of_their_own() -> None:
    names = [told["operationId"] for methods in DOCUMENT["paths"].values() for told in methods.values()]

    assert len(set(names)) == len(names)


def test_every_dialect_has_operations() -> None:
    assert {operation.dialect.name for operation in OPERATIONS} == {router.dialect.name for router in ROUTERS}


def test_every_operation_with_a_body_has_an_example_of_its_answer() -> None:
    lacking = [
        operation.name
        for operation in OPERATIONS
        if operation.body and not DOCUMENT["paths"][shown(operation.paths[0])]["post"]["responses"]["200"]["content"]
    ]

    assert lacking == []


def validator(path: str, *keys: str) -> Any:
    """A validator, which has no types, of the schema at that place of an operation."""
    place = DOCUMENT["paths"][path]["post"]
    for key in keys:
        place = place[key]
        if "$ref" in place:
            place = DOCUMENT["components"]["responses"][place["$ref"].rpartition("/")[2]]
    schema = {**place["content"]["application/json"]["schema"], "components": DOCUMENT["components"]}
    return jsonschema_rs.validator_for(schema)


def path_of(golden: Golden) -> str:
    """The path of the document to which the request was sent: the most particular that fits."""
    sent = golden.request["path"].partition("?")[0]
    fitting: list[str] = [path for path in DOCUMENT["paths"] if re.fullmatch(re.sub(r"\{\w+\}", ".+", path), sent)]
    return max(fitting, key=len)


@pytest.mark.parametrize("golden", every_golden(), ids=lambda golden: golden.name)
def test_the_document_is_true_of_what_was_written_down(golden: Golden) -> None:
    path, status = path_of(golden), str(golden.answer["status"])

    assert validator(path, "responses", status).is_valid(json.loads(golden.answer["text"]))
    if status == "200":
        assert validator(path, "requestBody").is_valid(golden.request["body"])


async def test_the_document_is_served_as_it_is_kept() -> None:
    response = await Stage().send("GET", "/openapi.json", headers={})

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json() == DOCUMENT


@pytest.mark.parametrize("path", documents.FILES)
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
async def test_each_file_is_served_to_everybody_and_may_load_nothing_from_elsewhere(path: str, encoding: str) -> None:
    response = await Stage().send("GET", path, headers={"accept-encoding": encoding})

    assert response.status_code == 200
    assert response.headers.get("content-encoding", "identity") == encoding
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert int(response.headers["content-length"]) < 5_000_000


async def test_the_page_loads_everything_from_here() -> None:
    page = await Stage().send("GET", "/docs", headers={})

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert set(re.findall(r'(?:src|href)="(/[^"]*)"', page.text)) <= set(documents.FILES)
    assert not FAR_ADDRESS.search(page.content)


def test_the_table_of_errors_is_as_fresh_as_its_sources() -> None:
    """`python -m infra.openapi` makes it so."""
    page = table.PLACE.read_text("utf-8")

    assert page == table.with_table(page)
    assert all(cause.__name__ in page for cause in table.errors_in_order())
