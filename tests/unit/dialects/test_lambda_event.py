"""A request that comes as a Lambda event is answered as it is over HTTP, and no web framework is needed for it."""

import asyncio
import base64
import gzip
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote

import pytest
from mangum import Mangum
from starlette.routing import Match

from gateway.dialects import ctyun, openai
from gateway.dialects._context import RequestContext
from gateway.dialects._lambda_event import answer_event, from_lambda_event, to_lambda
from gateway.dialects._response import Response
from gateway.dialects._router import DialectRoute
from tests.unit.dialects.golden import Golden, every_golden
from tests.unit.dialects.stage import KEY, Stage

Event = dict[str, Any]


@dataclass
class Invocation:
    """What Lambda says of an invocation."""

    aws_request_id: str = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
    milliseconds: int = 29_000

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds


def format_2(
    method: str, target: str, headers: Mapping[str, str], body: str | None = None, stage: str = "$default"
) -> Event:
    """Of an HTTP API, and of a function URL."""
    path, _, query = target.partition("?")
    path = path if stage == "$default" else f"/{stage}{path}"
    http = {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "test"}
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": dict(headers),
        "requestContext": {"stage": stage, "http": http, "requestId": "JKJaXmPLvHcESHA="},
        "isBase64Encoded": False,
        **({} if body is None else {"body": body}),
    }


def format_1(method: str, target: str, headers: Mapping[str, str], body: str | None = None) -> Event:
    """Of a REST API with Lambda proxy integration."""
    path, _, query = target.partition("?")
    values = parse_qs(query, keep_blank_values=True)
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": dict(headers) or None,
        "multiValueHeaders": {name: [value] for name, value in headers.items()} or None,
        "queryStringParameters": {name: value[-1] for name, value in values.items()} or None,
        "multiValueQueryStringParameters": values or None,
        "requestContext": {"stage": "prod", "path": f"/prod{path}", "identity": {"sourceIp": "192.0.2.1"}},
        "body": body,
        "isBase64Encoded": False,
    }


def in_base64(event: Event) -> Event:
    """The same event with a body that Lambda was handed as bytes."""
    body = event.get("body")
    return (
        event if body is None else event | {"body": base64.b64encode(body.encode()).decode(), "isBase64Encoded": True}
    )


def over_http(stage: Stage, event: Event) -> Any:  # JSON, as Lambda returns it
    with asyncio.Runner() as runner:
        asyncio.set_event_loop(runner.get_loop())  # Mangum runs the current one, and leaves it open
        answer = Mangum(stage.app, lifespan="off")(event, Invocation())  # type: ignore[arg-type]
    return {name: value for name, value in answer.items() if name != "multiValueHeaders"}


def without_http(stage: Stage, event: Event, route: DialectRoute, path_params: Mapping[str, str]) -> Any:  # likewise
    endpoint = route.dialect_endpoint
    event |= {"pathParameters": path_params}
    return asyncio.run(answer_event(event, Invocation(), endpoint, gateway=stage.gateway, dialect=route.dialect))


def route_of(stage: Stage, method: str, target: str, headers: Mapping[str, str]) -> tuple[DialectRoute, dict[str, str]]:
    """The route that FastAPI takes, and what it finds in the path."""
    path, _, query = target.partition("?")
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": pairs}
    for route in stage.app.routes:
        match, found = route.matches(scope)
        if match is Match.FULL and isinstance(route, DialectRoute):
            return route, found["path_params"]
    raise AssertionError(f"There is no route for {method} {target}.")


@pytest.mark.parametrize("golden", every_golden(), ids=lambda golden: golden.name)
@pytest.mark.parametrize("make", [format_2, format_1])
@pytest.mark.parametrize("spell", [dict, in_base64], ids=["text", "base64"])
def test_an_event_is_answered_as_over_http(golden: Golden, make: Any, spell: Any) -> None:  # any of those above
    method, path, headers = golden.request["method"], golden.request["path"], golden.headers
    event = spell(make(method, path, headers, golden.body))
    route, path_params = route_of(golden.stage, method, path, headers)

    assert without_http(golden.stage, event, route, path_params) == over_http(golden.stage, event)


def context_of(event: Event, invocation: object = None) -> RequestContext:
    return from_lambda_event(event, invocation, gateway=Stage().gateway, dialect=openai.DIALECT)


@pytest.mark.parametrize("make", [format_2, format_1])
def test_both_formats_say_the_same(make: Any) -> None:  # one of the two
    context = context_of(make("POST", "/v1/embeddings?a=1&a=2&b=&c=%C3%A9%20%2B", {"X-Name": "value"}, "é"))

    assert (context.method, context.path) == ("POST", "/v1/embeddings")
    assert context.query == {"a": ["1", "2"], "b": [""], "c": ["é +"]}
    assert (context.headers, context.body) == ({"x-name": "value"}, "é".encode())


def test_a_stage_before_the_path_is_no_part_of_it() -> None:
    paths = ["/v1/models", "/prod", "/", "//v1"]

    assert [context_of(format_2("GET", path, {}, stage="prod")).path for path in paths] == paths


def test_only_a_whole_segment_is_a_stage() -> None:
    event = format_2("GET", "/production/models", {}) | {"requestContext": {"stage": "prod", "http": {"method": "GET"}}}

    assert context_of(event).path == "/production/models"


@pytest.mark.parametrize("name", ["a/b:c d", "модель", "50% off", "a?b#c"])
@pytest.mark.parametrize("make", [format_2, format_1])
def test_an_encoded_path_is_decoded(make: Any, name: str) -> None:  # one of the two
    """REST APIs and function URLs pass it on as the client wrote it."""
    encoded = quote(name, safe="")
    event = make("GET", f"/v1/models/{encoded}", {}) | {"pathParameters": {"name": encoded}}

    context = context_of(event)

    assert (context.path, context.path_params) == (f"/v1/models/{name}", {"name": name})


def test_values_of_a_repeated_header_are_joined() -> None:
    event = format_1("GET", "/", {"Accept": "b"}) | {"multiValueHeaders": {"Accept": ["a", "b"], "Via": ["c"]}}

    assert context_of(event).headers == {"accept": "a, b", "via": "c"}


def test_values_given_once_are_enough() -> None:
    event = format_1("GET", "/", {"A": "1"}) | {"multiValueHeaders": None, "queryStringParameters": {"b": "2"}}

    context = context_of(event)

    assert (context.headers, context.query) == ({"a": "1"}, {"b": ["2"]})


@pytest.mark.parametrize(
    "event",
    [
        {"rawPath": "/", "requestContext": {"http": {"method": "GET"}}},
        {"rawPath": "/", "requestContext": {"http": {"method": "GET"}}, "headers": None, "body": None},
        {"rawPath": "/", "requestContext": {"http": {"method": "GET"}}, "rawQueryString": None, "pathParameters": None},
        {"path": "/", "httpMethod": "GET", "requestContext": {}},
        {"path": "/", "httpMethod": "GET", "requestContext": {}, "multiValueHeaders": None, "isBase64Encoded": None},
    ],
)
def test_what_an_event_leaves_out_is_empty(event: Event) -> None:
    context = context_of(event)

    assert (context.method, context.path) == ("GET", "/")
    assert (context.headers, context.query, context.path_params, context.body) == ({}, {}, {}, b"")


@pytest.mark.parametrize("event", [{}, {"Records": []}, {"requestContext": {}}, {"httpMethod": "GET", "path": "/"}])
def test_an_event_that_is_no_request_is_refused(event: Event) -> None:
    with pytest.raises(KeyError):
        context_of(event)


def test_half_of_a_character_is_the_body_s_fault() -> None:
    """Lambda's JSON can hold it; to encode it strictly would be an error of ours."""
    assert context_of(format_2("POST", "/", {}, "\ud83d")).body == b"\xed\xa0\xbd"


def test_the_context_ends_with_the_invocation() -> None:
    context = context_of(format_2("GET", "/", {}), Invocation(milliseconds=5_000))

    assert context.deadline == pytest.approx(time.monotonic() + 5, abs=1)
    assert context.request_id == Invocation.aws_request_id


def test_a_compressed_answer_travels_as_base64() -> None:
    answer = to_lambda(Response(body=gzip.compress(b"{}"), headers={"content-encoding": "gzip"}))

    assert answer["isBase64Encoded"]
    assert gzip.decompress(base64.b64decode(answer["body"])) == b"{}"


@pytest.mark.parametrize(("dialect", "answers"), [(None, "openai"), ("ctyun", "ctyun")])
async def test_a_shared_address_answers_as_the_key_says(dialect: str | None, answers: str) -> None:
    event = format_2("POST", "/v1/embeddings", {"authorization": f"Bearer {KEY}"})
    gateway = Stage(dialect=dialect).gateway
    context = from_lambda_event(event, None, gateway=gateway, dialect=openai.DIALECT, shared_with=ctyun.DIALECT)

    await context.authenticate()

    assert context.dialect.name == answers


def test_no_web_framework_is_imported_for_it() -> None:
    program = (
        "import sys, json; import gateway.dialects._lambda_event;"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, env={"PYTHONPATH": sys.path[0]}
    )

    assert not {"fastapi", "starlette", "mangum"} & set(json.loads(done.stdout))
