"""No error is ever larger than a few KB, in its body or in its headers, whoever chose the words in it."""

from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.app import ROUTERS
from gateway.core import errors
from gateway.core.errors import GatewayError
from tests.unit.dialects.stage import KEY, Stage
from tests.unit.dialects.test_completeness import asker_of, every_cause

MAX_ERROR = 10_000
"""Bytes of a body: a sentence of 500 characters may stand there three times, and a character has up to four bytes."""
MAX_HEADER = 400
"""Bytes of a header's value."""

DIALECTS = {router.dialect.name: router.dialect for router in ROUTERS}
each_dialect = pytest.mark.parametrize("name", DIALECTS)

LONG = {
    "letters": "x" * 1_000_000,
    "quotes": '"' * 1_000_000,
    "backslashes": "\\" * 1_000_000,
    "control characters": "\x00\x1b\r\n" * 100_000,
    "half surrogates": "\ud83d" * 100_000,
    "emoji": "😀" * 100_000,
    "line separators": "\u2028\u2029" * 100_000,
}


def _with(text: str) -> Mapping[type[GatewayError], GatewayError]:
    """Every cause, with that text wherever text can be."""
    problems = [(text, text)] * 1000
    special: list[GatewayError] = [
        errors.InvalidRequest(text, param=text, value=text, problems=problems, unknown=True),
        errors.InputTooLong(text, param=text, index=3, tokens=10**40, limit=1),
        errors.ModelNotFound(text, model=text, param=text),
        errors.Unauthenticated(text),
        errors.MethodNotAllowed(text, allowed=["GET", "POST"]),
        errors.AllowanceExhausted(text, retry_after=1, limited_by="tokens"),
        errors.ProviderRefused(text, status=400, code=text, param=text),
        errors.ProviderThrottled(text, retry_after=float("inf")),
    ]
    made: dict[type[GatewayError], GatewayError] = {type(error): error for error in special}
    return {cause: made.get(cause) or cause(text, **_param(cause, text)) for cause in every_cause()}


def _param(cause: type[GatewayError], text: str) -> dict[str, str]:
    return {"param": text} if issubclass(cause, errors.InvalidRequest | errors.NotPermitted) else {}


def assert_small(status: int, headers: Mapping[str, str], body: bytes) -> Any:
    assert len(body) <= MAX_ERROR
    for value in headers.values():
        assert len(value) <= MAX_HEADER
        assert value.isascii()
        assert value.isprintable()
    return httpx.Response(status, content=body).json()


@each_dialect
@pytest.mark.parametrize("kind", LONG)
def test_a_megabyte_of_odd_characters_in_every_place_makes_a_small_error(name: str, kind: str) -> None:
    for error in _with(LONG[kind]).values():
        answer = DIALECTS[name].render_error(error)

        assert assert_small(answer.status, answer.headers, answer.body)["error"]["message"]


@each_dialect
@given(text=st.text(st.characters(codec=None), max_size=200))
def test_any_text_can_be_rendered_in_every_dialect(name: str, text: str) -> None:
    for error in _with(text).values():
        answer = DIALECTS[name].render_error(error)

        assert assert_small(answer.status, answer.headers, answer.body)


Wrong = Callable[[str, dict[str, Any]], dict[str, Any]]

WRONG: Mapping[str, Wrong] = {
    "an unknown name": lambda text, body: body | {text: 1},
    "many unknown names": lambda _, body: body | {f"name{number}": 1 for number in range(20_000)},
    "an encoding": lambda text, body: body | {"encoding_format": text},
    "an input type": lambda text, body: body | {"input_type": text},
    "a task type": lambda text, body: body | {"taskType": text},
    "dimensions": lambda _, body: body | {"dimensions": int("9" * 4000)},
    "dimensions that are a text": lambda text, body: body | {"dimensions": text},
    "wrong elements": lambda _, body: body | {"input": ["a", *([1] * 50_000)], "requests": [1] * 50_000},
    "wrong parts": lambda text, body: body | {"requests": [{"content": {"parts": [{text: 1}]}}]},
}


@each_dialect
@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("text", ["x" * 3_500_000, '"\\\x00' * 300_000], ids=["letters", "escapes"])
async def test_a_wrong_body_of_megabytes_gets_a_small_error_at_once(name: str, wrong: str, text: str) -> None:
    """Not a redirect to an error in the bucket."""
    asker, stage = asker_of(name), Stage()

    response = await stage.send("POST", asker.path, headers=asker.headers, json=WRONG[wrong](text, asker.body(["a"])))

    assert 400 <= response.status_code < 500
    assert assert_small(response.status_code, response.headers, response.content)["error"]["message"]
    assert not stage.answers


@pytest.mark.parametrize("name", ["openai", "ctyun", "azure", "gemini"])
async def test_a_model_with_a_name_of_megabytes_gets_a_small_error(name: str) -> None:
    asker, stage = asker_of(name), Stage()

    response = await asker.ask(stage, "a", model="x" * 3_500_000)

    assert response.status_code in {400, 404}
    assert_small(response.status_code, response.headers, response.content)


HEADERS = ("content-type", "content-encoding", "extra-parameters", "azureml-model-deployment", "authorization")


@each_dialect
@pytest.mark.parametrize("header", HEADERS)
async def test_a_long_header_gets_a_small_error(name: str, header: str) -> None:
    asker = asker_of(name)
    headers = {**asker.headers, "api-key": KEY, header: "x" * 9_000}

    response = await Stage().send("POST", asker.path, headers=headers, json=asker.body(["a"]))

    assert_small(response.status_code, response.headers, response.content)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/models/{long}"),
        ("GET", "/v1beta/models/{long}"),
        ("GET", "/openai/models/{long}"),
        ("POST", "/openai/deployments/{long}/embeddings"),
        ("POST", "/v1beta/models/{long}:embedContent"),
        ("POST", "/openai/{long}/v1/embeddings"),
        ("POST", "/{long}"),
        ("GET", "/info?model={long}"),
        ("GET", "/v1beta/models?pageSize={long}&key=" + KEY),
        ("X" * 9_000, "/v1/embeddings"),
    ],
)
async def test_a_long_path_or_method_gets_a_small_error(method: str, path: str) -> None:
    response = await Stage().send(method, path.format(long="x" * 9_000), json={"input": "a"})

    assert 400 <= response.status_code < 500
    assert_small(response.status_code, response.headers, response.content)
