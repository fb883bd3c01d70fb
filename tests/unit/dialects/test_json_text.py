"""What clients and front doors do to a body before it is JSON: charsets, byte order marks, cut emoji, nulls."""

import json
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects._body_text import HALF, as_utf8, place_of
from tests.unit.dialects.stage import Stage
from tests.unit.dialects.test_completeness import DIALECTS, Asker, asker_of
from tests.unit.dialects.test_lambda_event import format_2, over_http

each_dialect = pytest.mark.parametrize("name", DIALECTS)


async def send(asker: Asker, content: bytes, **headers: str) -> httpx.Response:
    headers = {
        **asker.headers,
        "content-type": "application/json",
        **{k.replace("_", "-"): v for k, v in headers.items()},
    }
    return await Stage().send("POST", asker.path, headers=headers, content=content)


def body_of(asker: Asker, *texts: str, **extra: Any) -> bytes:
    return json.dumps(asker.body(list(texts)) | extra, ensure_ascii=False).encode()


def behind_api_gateway(asker: Asker, content: bytes, kind: str) -> Any:  # JSON, as Lambda returns it
    headers = {**asker.headers, "content-type": kind}
    return over_http(Stage(), format_2("POST", asker.path, headers, content.decode()))


UTF_8 = ["application/json; charset=utf-8", "application/json;charset=UTF-8", 'Application/JSON; Charset="utf-8"']
LIKE_ASCII = ["iso-8859-1", "ISO-8859-15", "latin1", "windows-1251", "cp1252", "us-ascii", "GBK", "koi8-r", "euc-kr"]
UNLIKE_ASCII = ["utf-16", "UTF-16LE", "utf-32", "utf-7", "iso-2022-jp", "cp037", "hz", "unknown-8bit", "x"]


@each_dialect
@pytest.mark.parametrize("kind", [*UTF_8, "application/json; version=1", "application/json;"])
async def test_utf_8_is_taken_however_it_is_declared(name: str, kind: str) -> None:
    asker = asker_of(name)

    assert (await send(asker, body_of(asker, "café"), content_type=kind)).status_code == 200


@each_dialect
@pytest.mark.parametrize("charset", [*LIKE_ASCII, *UNLIKE_ASCII])
def test_text_in_another_charset_is_refused_by_its_name(name: str, charset: str) -> None:
    """API Gateway passes bytes that are not UTF-8 on as U+FFFD: the vector would be that of another text."""
    asker = asker_of(name)

    answer = behind_api_gateway(asker, body_of(asker, "caf\ufffd"), f"application/json; charset={charset}")

    assert answer["statusCode"] == 415
    assert repr(charset) in json.loads(answer["body"])["error"]["message"]


@pytest.mark.parametrize(
    ("charset", "status"), [*((it, 200) for it in LIKE_ASCII), *((it, 415) for it in UNLIKE_ASCII)]
)
def test_plain_ascii_is_the_same_in_most_charsets(charset: str, status: int) -> None:
    asker = asker_of("openai")

    answer = behind_api_gateway(asker, body_of(asker, "cafe"), f"application/json; charset={charset}")

    assert answer["statusCode"] == status


@each_dialect
async def test_bytes_that_were_replaced_on_the_way_are_noticed_by_the_length(name: str) -> None:
    asker = asker_of(name)
    sent = body_of(asker, "café").decode().encode("latin-1")

    response = await send(asker, sent.decode("utf-8", "replace").encode(), content_length=str(len(sent)))

    assert response.status_code == 400
    assert "UTF-8" in response.json()["error"]["message"]


async def test_a_replacement_character_of_the_caller_s_own_is_a_character() -> None:
    asker = asker_of("openai")

    assert (await send(asker, body_of(asker, "caf\ufffd"))).status_code == 200


@each_dialect
async def test_a_byte_order_mark_is_skipped(name: str) -> None:
    asker = asker_of(name)

    assert (await send(asker, b"\xef\xbb\xbf" + body_of(asker, "a"))).status_code == 200


HALVES = ["a \\ud83d", "\\uD83D", "\\ude00 a", "\\ud83d\\ud83d", "\\ude00\\ud83d", "\\ud83d\\u0041"]


@each_dialect
@pytest.mark.parametrize("half", HALVES)
async def test_half_of_a_surrogate_pair_is_named_by_its_place(name: str, half: str) -> None:
    asker = asker_of(name)
    sent = body_of(asker, "ok", "CUT").replace(b"CUT", half.encode())

    response = await send(asker, sent)

    message = response.json()["error"]["message"]
    assert response.status_code == 400
    assert "half of a surrogate pair" in message
    assert "JSON" not in message
    assert ("requests[1].content.parts[0].text" if name == "gemini" else "input[1]") in message


@pytest.mark.parametrize(
    "body", [b'{"input": "\\ud83d"', b"[" * 5000 + b'"\\ud83d"' + b"]" * 5000, b'"\\ude0', b"\\ud83d"]
)
async def test_what_is_no_json_is_still_called_so(body: bytes) -> None:
    response = await send(asker_of("openai"), body)

    assert response.status_code == 400
    assert "surrogate" not in response.json()["error"]["message"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_whole_characters_are_no_halves(value: Any) -> None:
    """However they are written: `json.dumps` escapes an emoji as a pair."""
    written = [json.dumps({"it": value}, ensure_ascii=escaped) for escaped in (True, False)]

    assert [place_of(text.encode(), HALF) for text in written] == [None, None]


@given(st.text(max_size=5), st.lists(st.text(max_size=3), max_size=4))
def test_a_half_is_found_wherever_it_is(text: str, others: list[str]) -> None:
    body = json.dumps({"a": [*others, {"b": f"{text}\ud83d"}]}).encode()

    assert place_of(body, HALF) == ("a", len(others), "b")


@given(st.text())
def test_text_in_utf_8_is_left_as_it_is(text: str) -> None:
    body = json.dumps([text], ensure_ascii=False).encode()

    assert as_utf8(body, {"content-length": str(len(body))}, came_as_text=True) == body


@each_dialect
@pytest.mark.parametrize("unknown", ["truncate", "task", "keep_alive", "x-y z"])
async def test_null_is_absent_also_for_a_parameter_that_nobody_knows(name: str, unknown: str) -> None:
    asker = asker_of(name)

    assert (await asker.ask(Stage(), "a", **{unknown: None})).status_code == 200


@each_dialect
async def test_a_null_does_not_hide_what_is_wrong_beside_it(name: str) -> None:
    asker = asker_of(name)

    response = await asker.ask(Stage(), "a", truncate=None, colour="red")

    message = response.json()["error"]["message"]
    assert response.status_code == 400
    assert "colour" in message
    assert "truncate" not in message


async def test_a_null_within_a_content_of_gemini_is_absent_too() -> None:
    content = {"role": None, "kind": None, "parts": [{"text": "a", "foo": None, "inlineData": None}]}
    request = {"content": content, "embedContentConfig": {"other": None}}

    response = await Stage().post("/v1beta/models/echo:embedContent", **request)

    assert response.status_code == 200
