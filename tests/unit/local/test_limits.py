"""The front door counts as AWS counts."""

import json

import pytest

from infra.local.limits import ANSWER_LIMIT, EVENT_LIMIT, answer_size, event_size, is_text

JSON = {"content-type": "application/json"}


def test_an_event_is_larger_than_its_body_by_headers_path_and_query() -> None:
    bare = event_size("POST", "/", "", JSON, b"12345")

    assert event_size("POST", "/", "", {**JSON, "x": "y"}, b"12345") == bare + len(',"x":"y"')
    assert event_size("POST", "/v1", "", JSON, b"12345") == bare + 2 * len("v1")
    assert event_size("POST", "/", "a=b", JSON, b"12345") == bare + len("a=b")


def test_quotes_count_twice_because_the_body_is_a_string_within_json() -> None:
    plain = event_size("POST", "/", "", JSON, b"a" * 100)

    assert event_size("POST", "/", "", JSON, b'"' * 100) == plain + 100


def test_letters_of_other_scripts_count_as_their_bytes() -> None:
    latin = event_size("POST", "/", "", JSON, b"aaa")

    assert event_size("POST", "/", "", JSON, "語".encode()) == latin


@pytest.mark.parametrize("headers", [{}, {"content-type": "application/octet-stream"}])
def test_a_body_that_is_no_text_travels_as_base64(headers: dict[str, str]) -> None:
    size = event_size("POST", "/", "", headers, b"a" * 3000)

    assert size - event_size("POST", "/", "", headers, b"") == 4000


def test_a_compressed_answer_travels_as_base64() -> None:
    size = answer_size(200, {**JSON, "content-encoding": "gzip"}, b"a" * 3000)

    assert size - answer_size(200, {**JSON, "content-encoding": "gzip"}, b"") == 4000


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON; charset=utf-8", "text/plain", "application/xml"]
)
def test_text_is_what_api_gateway_takes_for_text(content_type: str) -> None:
    assert is_text(content_type)


@pytest.mark.parametrize("content_type", ["", "application/x-www-form-urlencoded", "image/png", "application/json5"])
def test_all_else_is_not(content_type: str) -> None:
    assert not is_text(content_type)


def test_the_limits_are_those_in_lambdas_own_messages() -> None:
    assert json.dumps([EVENT_LIMIT, ANSWER_LIMIT]) == "[6291456, 6291556]"
