"""Bodies are UTF-8 or say why not, and a field that is null is not there: in every dialect alike."""

import codecs
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.errors import InvalidRequest, WrongContentType
from gateway.dialects._body_text import as_utf8, parameters
from gateway.dialects._validation import without_nulls
from tests.fakes.echo_provider import echo_vector
from tests.unit.dialects.stage import KEY, Stage
from tests.unit.dialects.test_lambda_event import format_2, over_http

OPENAI_LIKE = [
    "/v1/embeddings",
    "/openai/eu/v1/embeddings",
    "/openai/deployments/echo/embeddings",
    "/openai/v1/embeddings",
    "/embeddings",
    "/ctyun/v1/embeddings",
]
GEMINI = "/v1beta/models/echo:embedContent"
BATCH = "/v1beta/models/echo:batchEmbedContents"
JSON = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}


def openai_body(text: Any) -> str:
    return json.dumps({"model": "echo", "input": ["ok", text]}, ensure_ascii=False)


def gemini_body(text: Any) -> str:
    return json.dumps({"content": {"parts": [{"text": text}]}}, ensure_ascii=False)


def batch_body(text: Any) -> str:
    return f'{{"requests":[{gemini_body("ok")},{gemini_body(text)}]}}'


EVERY_PLACE = [
    *((path, openai_body, "input[1]") for path in OPENAI_LIKE),
    (GEMINI, gemini_body, "content.parts[0].text"),
    (BATCH, batch_body, "requests[1].content.parts[0].text"),
]


async def send(path: str, body: bytes, charset: str | None = None) -> httpx.Response:
    kind = "application/json" + (f"; charset={charset}" if charset else "")
    return await Stage().send("POST", path, content=body, headers={**JSON, "content-type": kind})


def behind_api_gateway(path: str, body: bytes, headers: Mapping[str, str]) -> Any:  # the document for API Gateway
    """The answer to a body that API Gateway has made text of."""
    event = format_2("POST", path, {**JSON, **headers}, body.decode(errors="replace"))
    return over_http(Stage(), event)


@pytest.mark.parametrize(("path", "body", "place"), EVERY_PLACE)
async def test_half_of_a_surrogate_pair_is_refused_by_the_name_of_its_input(path: str, body: Any, place: str) -> None:
    for half in ("\\ud83d", "\\ude00", "\\ude00\\ud83d", "\\ud83d\\ud83d"):
        response = await send(path, body("PLACE").replace("PLACE", f"cut {half}").encode())

        assert response.status_code == 400
        assert "holds half of a surrogate pair" in response.text
        assert f"'{place}'" in response.text


@pytest.mark.parametrize(("path", "body", "place"), EVERY_PLACE)
async def test_a_whole_surrogate_pair_is_the_character_that_it_stands_for(path: str, body: Any, place: str) -> None:
    escaped = await send(path, body("PLACE").replace("PLACE", "\\ud83d\\ude00").encode())

    assert escaped.status_code == 200
    assert vectors(escaped) == vectors(await send(path, body("😀").encode())), place


@pytest.mark.parametrize("name", ["model", "user", "encoding_format", "never_heard_of"])
async def test_half_of_a_surrogate_pair_is_found_in_every_parameter(name: str) -> None:
    body = {"model": "echo", "input": "a", name: "PLACE"}

    response = await send("/v1/embeddings", json.dumps(body).replace("PLACE", "\\udc00").encode())

    assert response.status_code == 400
    assert response.json()["error"]["param"] == name
    assert "holds half of a surrogate pair" in response.json()["error"]["message"]


def vectors(response: httpx.Response) -> Any:  # JSON
    body = response.json()
    return body.get("data") or body.get("embeddings") or body["embedding"]


@pytest.mark.parametrize(("path", "body", "place"), EVERY_PLACE)
@pytest.mark.parametrize(
    ("charset", "encoding"),
    [
        ("utf-8", "utf-8"),
        ("UTF8", "utf-8-sig"),
        ('"utf-8"', "utf-8"),
        ("ISO-8859-1", "latin-1"),
        ("latin1", "latin-1"),
        ("Windows-1252", "cp1252"),
        ("utf-16", "utf-16"),
        ("utf-16", "utf-16-le"),
        ("utf-16", "utf-16-be"),
        ("utf-16le", "utf-16-le"),
        ("utf-32", "utf-32"),
        (None, "utf-8-sig"),
        (None, "utf-16"),
        (None, "utf-32"),
    ],
)
async def test_bytes_are_read_in_the_charset_that_is_declared_or_marked(
    path: str, body: Any, place: str, charset: str | None, encoding: str
) -> None:
    response = await send(path, body("Perché è già così").encode(encoding), charset)

    assert response.status_code == 200, place
    assert vectors(response) == vectors(await send(path, body("Perché è già così").encode()))


@pytest.mark.parametrize(("path", "body", "place"), EVERY_PLACE)
@pytest.mark.parametrize("charset", ["ebcdic-of-mars", "base64", "rot13", "hex", "utf-7", "idna", "\x00", "é"])
async def test_a_charset_that_is_not_decoded_is_refused_by_name(path: str, body: Any, place: str, charset: str) -> None:
    headers = {**JSON, "content-type": f"application/json; charset={charset}".encode()}

    response = await Stage().send("POST", path, content=body("a").encode(), headers=headers)

    assert response.status_code == 415, place
    assert "charset" in response.text
    assert "UTF-8" in response.text


@pytest.mark.parametrize(("path", "body", "place"), EVERY_PLACE)
async def test_bytes_that_are_not_utf_8_are_refused_by_the_name_of_their_input(
    path: str, body: Any, place: str
) -> None:
    response = await send(path, body("caf\N{LATIN SMALL LETTER E WITH ACUTE}").encode("latin-1"))

    assert response.status_code == 400
    assert f"'{place}'" in response.text
    assert "0xe9" in response.text


@pytest.mark.parametrize(("path", "body", "place"), EVERY_PLACE)
def test_what_api_gateway_replaced_is_noticed_and_named(path: str, body: Any, place: str) -> None:
    sent = body("caf\N{LATIN SMALL LETTER E WITH ACUTE}").encode("latin-1")

    answer = behind_api_gateway(path, sent, {"content-length": str(len(sent))})

    assert answer["statusCode"] == 400
    assert f"'{place}'" in answer["body"]
    assert "not UTF-8" in answer["body"]


@pytest.mark.parametrize(("path", "body", "place"), EVERY_PLACE)
@pytest.mark.parametrize("length", [None, "", "fits", "abc", "-1"])
def test_a_replacement_character_that_the_caller_wrote_is_a_text(
    path: str, body: Any, place: str, length: str | None
) -> None:
    sent = body("a \ufffd b").encode()
    headers = {} if length is None else {"content-length": str(len(sent)) if length == "fits" else length}

    assert behind_api_gateway(path, sent, headers)["statusCode"] == 200, place


@pytest.mark.parametrize("length", [None, "1", "999999"])
def test_a_wrong_length_alone_refuses_nothing(length: str | None) -> None:
    headers = {} if length is None else {"content-length": length}

    assert behind_api_gateway("/v1/embeddings", openai_body("Perché").encode(), headers)["statusCode"] == 200


@pytest.mark.parametrize(("path", "body", "place"), EVERY_PLACE)
def test_a_charset_whose_bytes_api_gateway_has_replaced_is_refused_by_name(path: str, body: Any, place: str) -> None:
    headers = {"content-type": "application/json; charset=ISO-8859-1"}  # chunked, so there is no length

    lost = behind_api_gateway(path, body("caf\N{LATIN SMALL LETTER E WITH ACUTE}").encode("latin-1"), headers)
    plain = behind_api_gateway(path, body("cafe").encode("latin-1"), headers)

    assert lost["statusCode"] == 415, place
    assert "ISO-8859-1" in lost["body"]
    assert plain["statusCode"] == 200


@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"])), encoding=st.sampled_from(["utf-16", "utf-32"]))
def test_a_marked_body_is_what_it_was_before_it_was_encoded(text: str, encoding: str) -> None:
    body = json.dumps(text, ensure_ascii=False).encode(encoding)

    assert json.loads(as_utf8(body, {}, came_as_text=False)) == text


@settings(max_examples=300)
@given(body=st.binary(max_size=60))
def test_api_gateways_text_is_taken_as_it_was_sent_or_refused(body: bytes) -> None:
    arrived = body.decode(errors="replace").encode()
    try:
        taken = as_utf8(arrived, {"content-length": str(len(body))}, came_as_text=True)
    except (InvalidRequest, WrongContentType):
        assert arrived != body or arrived.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    else:
        assert taken == body.removeprefix(codecs.BOM_UTF8) or len(arrived) == len(body)


@settings(max_examples=300)
@given(body=st.binary(max_size=40), charset=st.text(max_size=12))
def test_no_bytes_and_no_charset_are_unforeseen(body: bytes, charset: str) -> None:
    headers = {"content-type": f"application/json; charset={charset}"}

    with suppress(InvalidRequest, WrongContentType):
        as_utf8(body, headers, came_as_text=False)


@pytest.mark.parametrize(
    ("header", "charset"),
    [
        ("application/json", None),
        ("application/json;charset=utf-8", "utf-8"),
        ("application/json ; Charset = UTF-8 ; x=1", "UTF-8"),
        ('application/json; charset="utf-8"', "utf-8"),
        ('application/json; charset="ut\\f-8"', "utf-8"),
        ('application/json; profile="; charset=latin1"; charset=utf-8', "utf-8"),
        ("application/json; charset=utf-8; charset=latin1", "utf-8"),
        ("application/json; charset=", ""),
    ],
)
def test_parameters_are_read_as_http_has_them(header: str, charset: str | None) -> None:
    assert parameters(header).get("charset") == charset


@pytest.mark.parametrize("path", OPENAI_LIKE)
async def test_null_is_absent_for_any_parameter_known_or_not(path: str) -> None:
    fields = ("encoding_format", "dimensions", "user", "input_type", "truncate", "task", "inputs", "extra_body")
    nulls = dict.fromkeys(fields)

    response = await Stage().post(path, model="echo", input="a", **nulls)

    assert response.status_code == 200
    assert response.json()["data"][0]["embedding"] == pytest.approx(list(memoryview(echo_vector("a", 8)).cast("f")))


@pytest.mark.parametrize("path", OPENAI_LIKE)
@pytest.mark.parametrize("value", ["", 0, False, [], {}])
async def test_nothing_but_null_is_absent(path: str, value: Any) -> None:
    assert (await Stage().post(path, model="echo", input="a", truncate=value)).status_code == 400


@pytest.mark.parametrize("path", OPENAI_LIKE)
async def test_an_input_that_is_null_is_missing(path: str) -> None:
    nothing = await Stage().post(path, model="echo")
    null = await Stage().post(path, model="echo", input=None)

    assert null.status_code == nothing.status_code == 400
    assert null.json()["error"] == nothing.json()["error"]
    assert "Missing required parameter: 'input'" in null.text


@pytest.mark.parametrize("path", ["/v1/embeddings", "/openai/v1/embeddings", "/ctyun/v1/embeddings"])
async def test_a_model_that_is_null_is_missing(path: str) -> None:
    response = await Stage().post(path, model=None, input="a")

    assert response.status_code == 400
    assert "Missing required parameter: 'model'" in response.text


async def test_null_is_absent_at_every_depth_of_a_gemini_body() -> None:
    nulls = {"model": None, "title": None, "taskType": None, "task_type": None, "foo": None}
    content = {"role": None, "parts": [{"text": "a", "inlineData": None, "foo": None}], "foo": None}

    single = await Stage().post(GEMINI, content=content, **nulls)
    batch = await Stage().post(BATCH, requests=[{"content": content, **nulls}], foo=None)

    assert single.status_code == batch.status_code == 200
    assert (await Stage().post(BATCH, requests=[None])).status_code == 400


def test_what_is_handed_to_a_vendor_stays_as_it_is() -> None:
    body = {"a": None, "extra": {"b": None, "c": [None]}}

    assert without_nulls(body, deep=False) == {"extra": {"b": None, "c": [None]}}
    assert without_nulls(body, deep=True) == {"extra": {"c": [None]}}
