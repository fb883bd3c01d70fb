"""Whatever fails, at whatever layer, the client gets its dialect's error with a request id, and the log a line."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import httpx
import pytest
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request

import gateway.app
from gateway import openapi, telemetry
from gateway.app import ROUTERS
from gateway.core.errors import ProviderUnavailable
from gateway.dialects import _answer, _response, _router
from gateway.dialects._context import Dialect
from gateway.operations.gateway import Gateway
from tests.fakes.echo_provider import EchoProvider
from tests.fakes.logs import log_lines
from tests.unit.dialects.stage import KEY, Stage
from tests.unit.dialects.test_completeness import asker_of

DIALECTS = {router.dialect.name: router.dialect for router in ROUTERS}
each_dialect = pytest.mark.parametrize("name", DIALECTS)

UNFORESEEN = (ZeroDivisionError, OverflowError, UnicodeError, RecursionError, MemoryError, KeyError, AssertionError)


def failing(error: type[Exception]) -> Callable[..., NoReturn]:
    def fail(*_: Any, **__: Any) -> NoReturn:
        raise error("secret")

    return fail


Break = Callable[[pytest.MonkeyPatch, Callable[..., NoReturn]], None]

LAYERS: dict[str, Break] = {
    "a dialect's route": lambda patch, fail: patch.setattr(_router, "from_asgi", fail),
    "the reading of a body": lambda patch, fail: patch.setattr(Request, "body", fail),
    "a page's preflight": lambda patch, fail: patch.setattr(CORSMiddleware, "__call__", fail),
    "who asks": lambda patch, fail: patch.setattr(Stage, "records", fail),
    "models": lambda patch, fail: patch.setattr(Stage, "catalogue", fail),
    "the cache": lambda patch, fail: patch.setattr(Stage, "get", fail),
    "the reservation": lambda patch, fail: patch.setattr(Stage, "reserve", fail),
    "the settlement": lambda patch, fail: patch.setattr(Stage, "settle", fail),
    "the provider": lambda patch, fail: patch.setattr(EchoProvider, "embed", fail),
    "headers": lambda patch, fail: patch.setattr(_response, "common_headers", fail),
    "what is left of the allowance": lambda patch, fail: patch.setattr(Gateway, "remaining", fail),
    "the completion": lambda patch, fail: patch.setattr(_answer, "complete", fail),
    "the router": lambda patch, fail: patch.setattr(_router.DialectRoute, "handle", fail),
    "the search for the dialect": lambda patch, fail: (
        patch.setattr(gateway.app, "_dialect_of", fail),
        patch.setattr(_router.DialectRoute, "handle", fail),
    )[0],
}


@each_dialect
@pytest.mark.parametrize("layer", LAYERS)
async def test_a_failure_at_any_layer_is_the_dialects_500(
    name: str, layer: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    LAYERS[layer](monkeypatch, failing(ZeroDivisionError))
    if layer == "what is left of the allowance":
        monkeypatch.setattr(Stage, "catalogue", failing(ZeroDivisionError))

    response = await asker_of(name).ask(Stage(cors_origins=["https://page.example"]), "a")

    knows_dialect = layer != "the search for the dialect"
    assert response.status_code == 500
    assert response.content == (DIALECTS[name] if knows_dialect else DIALECTS["openai"]).last_words.body
    assert "secret" not in response.text
    assert_answered(response, caplog)


def assert_answered(response: httpx.Response, caplog: pytest.LogCaptureFixture) -> None:
    assert response.headers["content-type"] == "application/json"
    assert response.headers["content-length"] == str(len(response.content))
    assert response.headers["x-request-id"]
    lines = log_lines(caplog)
    assert {line["message"] for line in lines} == {"unforeseen"}
    assert {line["request_id"] for line in lines} == {response.headers["x-request-id"]}


@contextmanager
def unable_to_render(dialect: Dialect, error: type[Exception]) -> Iterator[None]:
    usual = dialect.render_error
    object.__setattr__(dialect, "render_error", failing(error))
    try:
        yield
    finally:
        object.__setattr__(dialect, "render_error", usual)


@each_dialect
@pytest.mark.parametrize("error", UNFORESEEN)
async def test_an_error_that_cannot_be_rendered_is_the_dialects_500_all_the_same(
    name: str, error: type[Exception], caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = Stage(provider=EchoProvider(fails=lambda _: ProviderUnavailable("down")))

    with unable_to_render(DIALECTS[name], error):
        response = await asker_of(name).ask(stage, "a")

    assert (response.status_code, response.content) == (500, DIALECTS[name].last_words.body)
    assert_answered(response, caplog)
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (line["error"], line["status"], line["Errors"]) == ("InternalError", 500, [1.0])


@each_dialect
@pytest.mark.parametrize("broken", ["a line that cannot be written", "a log that cannot be written"])
async def test_an_answer_is_not_lost_to_what_is_written_about_it(
    name: str, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry, "metrics", failing(OSError))
    if broken == "a log that cannot be written":
        monkeypatch.setattr(telemetry, "logger", failing(OSError))

    response = await asker_of(name).ask(Stage(), "a")

    assert response.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "part"),
    [
        ("GET", "/nothing", "_cause"),
        ("GET", "/v1beta/nothing", "_cause"),
        ("PUT", "/v1/embeddings", "_cause"),
        ("GET", "/v1beta/nothing", "_owner"),
        ("GET", "/ctyun/nothing", "_suggested"),
        ("GET", "/nothing", "_likeliest"),
    ],
)
async def test_a_failure_outside_every_route_is_a_dialects_500(
    method: str, path: str, part: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(gateway.app, part, failing(ZeroDivisionError))

    response = await Stage().send(method, path)

    assert response.status_code == 500
    assert response.json()["error"]["message"]
    assert_answered(response, caplog)


@pytest.mark.parametrize("path", openapi.FILES)
async def test_a_document_that_cannot_be_read_is_a_500_that_programs_can_read(
    path: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(openapi, "_place", failing(FileNotFoundError))

    response = await Stage().send("GET", path)

    assert (response.status_code, response.json()["error"]["code"]) == (500, "internal_error")
    assert_answered(response, caplog)
    assert json.loads(capsys.readouterr().out)["Errors"] == [1.0]


async def test_what_a_cancelled_request_has_under_way_is_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    finished = []

    class Slow(EchoProvider):
        async def embed(self, call: Any) -> Any:
            await asyncio.sleep(60)

    monkeypatch.setattr(Stage, "settle", lambda _self, _reservation, tokens: lambda: finished.append(tokens))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await Stage(provider=Slow()).send("POST", "/v1/embeddings", json={"model": "echo", "input": "a"})

    assert finished == [0]


@each_dialect
async def test_last_words_say_no_more_than_any_unforeseen_failure_does(name: str) -> None:
    response = await asker_of(name).ask(Stage(fails=failing(ZeroDivisionError)), "a")

    said = DIALECTS[name].last_words
    assert (response.status_code, response.content) == (said.status, said.body)
    assert KEY not in response.text
