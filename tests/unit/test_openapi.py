"""The published document: as fresh as its sources, complete, and true of what was written down."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from starlette.routing import Route

from gateway import openapi
from gateway.app import EXPOSED_HEADERS, ROUTERS
from gateway.core.errors import Unauthenticated
from gateway.dialects._response import retry_headers
from infra.openapi import table
from infra.openapi.causes import CAUSES, Cause
from infra.openapi.document import OPERATIONS, PLACE, as_text, build_document
from infra.openapi.headers import HEADERS
from infra.openapi.routes import Operation
from tests.fakes.models import make_model
from tests.unit.dialects.golden import Golden, every_golden
from tests.unit.dialects.stage import STRANGERS_KEY, Stage

DOCUMENT: dict[str, Any] = json.loads(PLACE.read_text("utf-8"))

MODEL_NAMES = {golden.model["name"] for golden in every_golden()} | {"dep", "ClovisEmbedding"}
"""What examples ask for."""

FAR_ADDRESS = re.compile(rb"""(?:src|href|url|import)\s*[=(:]\s*["']?(?:https?:)?//""")


def test_the_document_is_as_fresh_as_its_sources() -> None:
    """`python -m infra.openapi` makes it so."""
    assert PLACE.read_text("utf-8") == as_text(build_document())


def test_every_route_of_every_dialect_is_described_and_no_other() -> None:
    described = {(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods}
    served = {
        (route.path.replace(":path}", "}"), method.lower())
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, Route) and not re.search(r"/(files|batches)(/|$)", route.path)  # docs/batch.md has them
        for method in (route.methods or set()) - {"HEAD"}
    }

    assert described == served | {("/", "get"), ("/health", "get")}


def test_operations_have_names_of_their_own() -> None:
    names = [described["operationId"] for methods in DOCUMENT["paths"].values() for described in methods.values()]

    assert len(set(names)) == len(names)


def resolved(place: dict[str, Any]) -> Any:
    """What stands there, or what it refers to: an example, a schema, which have no type."""
    if "$ref" not in place:
        return place
    _, _, kind, name = place["$ref"].split("/")
    return DOCUMENT["components"][kind][name]


def contents() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every body of a request or an answer, and where it stands."""
    for path, methods in DOCUMENT["paths"].items():
        for method, described in methods.items():
            bodies = {**described["responses"], "body": described.get("requestBody", {})}
            for name, body in bodies.items():
                for content in resolved(body).get("content", {}).values():
                    yield f"{method} {path} {name}", content


def test_every_body_and_every_answer_has_an_example() -> None:
    assert [place for place, content in contents() if not content.get("examples")] == []


def test_every_example_is_what_its_schema_says() -> None:
    wrong = [
        f"{place} {name}"
        for place, content in contents()
        for name, example in content["examples"].items()
        if not validator_of(content).is_valid(resolved(example)["value"])
    ]

    assert wrong == []


def test_no_example_is_left_over() -> None:
    used = {
        example["$ref"].rpartition("/")[2]
        for _, content in contents()
        for example in content["examples"].values()
        if "$ref" in example
    }

    assert DOCUMENT["components"]["examples"].keys() == used


def test_every_cause_is_described() -> None:
    assert {type(cause.error) for cause in CAUSES} == set(table.causes_in_order())


def test_every_way_to_send_a_key_is_described_for_every_operation() -> None:
    every: list[dict[str, list[str]]] = [{name: []} for name in DOCUMENT["components"]["securitySchemes"]]

    assert DOCUMENT["security"] == every
    for operation in OPERATIONS:
        in_query = any(dialect.name == "gemini" for dialect in operation.dialects)
        described = DOCUMENT["paths"][operation.path][operation.method]
        assert described.get("security", every) == [
            each for each in every if in_query or "googleKeyInQuery" not in each
        ]


WRONG_KEYS: list[dict[str, Any]] = [  # Any: what `httpx` takes
    {"headers": {"authorization": f"Bearer {STRANGERS_KEY}"}},
    {"headers": {"api-key": STRANGERS_KEY}},
    {"headers": {"x-goog-api-key": STRANGERS_KEY}},
    {"headers": {}, "params": {"key": STRANGERS_KEY}},
    {"headers": {}},
]


@pytest.mark.parametrize("request_", WRONG_KEYS, ids=["bearer", "api-key", "x-goog-api-key", "key", "none"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
async def test_nobody_enters_with_a_wrong_key_or_none(operation: Operation, request_: dict[str, Any]) -> None:
    missing = request_ == {"headers": {}}
    refusals = [dialect.render_error(Unauthenticated("", missing=missing)).status for dialect in operation.dialects]

    answer = await Stage().send(operation.method.upper(), re.sub(r"\{.+?\}", "eu", operation.path), **request_)

    assert answer.status_code in refusals


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
async def test_an_answer_carries_no_header_that_is_not_described(operation: Operation) -> None:
    described = DOCUMENT["paths"][operation.path][operation.method]
    body = next(iter(content_of(described["requestBody"])["examples"].values())) if "requestBody" in described else None
    examples = {parameter["name"]: parameter.get("example", "eu") for parameter in described.get("parameters", ())}

    response = await Stage(models=[make_model(name=name) for name in MODEL_NAMES]).send(
        operation.method.upper(), operation.path.format_map(examples), json=body and resolved(body)["value"]
    )

    own = {name for name in response.headers if name.startswith("x-") or name in {"retry-after", "allow"}}
    assert own <= resolved(described["responses"][str(response.status_code)])["headers"].keys()


def test_a_wait_is_described_where_there_is_one() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for described in methods.values():
            headers = {status: resolved(answer).get("headers", {}) for status, answer in described["responses"].items()}
            assert path == "/" or "retry-after" in headers["503"], path
            if "429" in headers:
                assert headers["429"].keys() >= {"retry-after", "retry-after-ms"}, path


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: type(cause.error).__name__)
def test_a_header_that_tells_whether_to_try_again_is_described_and_open_to_pages(cause: Cause) -> None:
    told = retry_headers(cause.error).keys() - {"allow"}

    assert told <= HEADERS.keys()
    assert told <= set(EXPOSED_HEADERS)


def test_a_fault_of_the_set_up_tells_clients_not_to_try_again() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for described in methods.values():
            if "requestBody" in described:
                assert "x-should-retry" in resolved(described["responses"]["502"])["headers"], path


def validator_of(content: dict[str, Any]) -> Any:
    """A validator, which has no types, of what stands there."""
    return jsonschema_rs.validator_for({**content["schema"], "components": DOCUMENT["components"]})


def content_of(place: dict[str, Any]) -> dict[str, Any]:
    """The JSON of a body or an answer."""
    content: dict[str, Any] = resolved(place)["content"]["application/json"]
    return content


def path_of(golden: Golden) -> str:
    """The path of the document to which the request was sent: the most particular that fits."""
    sent = golden.request["path"].partition("?")[0]
    fitting: list[str] = [path for path in DOCUMENT["paths"] if re.fullmatch(re.sub(r"\{\w+\}", ".+", path), sent)]
    return max(fitting, key=len)


@pytest.mark.parametrize("golden", every_golden(), ids=lambda golden: golden.name)
def test_the_document_is_true_of_what_was_written_down(golden: Golden) -> None:
    described, status = DOCUMENT["paths"][path_of(golden)][golden.request["method"].lower()], golden.answer["status"]

    assert validator_of(content_of(described["responses"][str(status)])).is_valid(json.loads(golden.answer["text"]))
    if status == 200 and "body" in golden.request:
        assert validator_of(content_of(described["requestBody"])).is_valid(golden.request["body"])


@pytest.mark.parametrize(("model", "status"), [("echo", "200"), ("nothing", "404")])
async def test_the_document_is_true_of_what_keys_of_another_dialect_get(model: str, status: str) -> None:
    described = DOCUMENT["paths"]["/v1/embeddings"]["post"]

    response = await Stage(dialect="ctyun").post("/v1/embeddings", model=model, input=["a"])

    documented = content_of(described["responses"][status])
    assert str(response.status_code) == status
    assert validator_of(documented).is_valid(response.json())
    assert any(name.lower().startswith("ctyun") for name in documented["examples"])
    assert "ctyun" in described["description"]


async def test_the_document_is_served_as_it_is_kept() -> None:
    response = await Stage().send("GET", "/openapi.json", headers={})

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json() == DOCUMENT


@pytest.mark.parametrize("path", openapi.FILES)
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
    assert set(re.findall(r'(?:src|href)="(/[^"]*)"', page.text)) <= set(openapi.FILES)
    assert not FAR_ADDRESS.search(page.content)


def test_the_table_of_errors_is_as_fresh_as_its_sources() -> None:
    """`python -m infra.openapi` makes it so."""
    page = table.PLACE.read_text("utf-8")

    assert page == table.with_table(page)
    assert all(cause.__name__ in page for cause in table.causes_in_order())
