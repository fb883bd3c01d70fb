"""curl, as the documentation shows it: the wire itself, without a client that smooths it."""

import base64
import gzip
import json
import struct
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.clients.known import known_texts
from tests.e2e.clients.stage import OWN_MODEL, Stage
from tests.e2e.clients.vendor import VENDOR_MODEL, expected_vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What curl printed."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


def curl(*words: str) -> Reply:
    """Run curl, its answer with all headers."""
    done = subprocess.run(["curl", "--silent", "--show-error", "--include", *words], capture_output=True, check=True)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    status_line, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Reply(status=int(status_line.split(" ")[1]), headers=headers, body=body)


def embed(
    stage: Stage, body: object, *words: str, path: str = "/v1/embeddings", kind: str = "application/json"
) -> Reply:
    """The README's curl line, with this body."""
    text = body if isinstance(body, str) else json.dumps(body)
    key = f"Authorization: Bearer {stage.workspace.key}"
    return curl(f"{stage.origin}{path}", "--header", key, "--header", f"Content-Type: {kind}", "--data", text, *words)


def test_text_is_embedded(stage: Stage) -> None:
    known = known_texts()[5]

    reply = embed(stage, {"model": OWN_MODEL, "input": known.text})

    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-request-id"]
    assert reply.json == {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": pytest.approx(known.vector, abs=1e-4)}],
        "model": OWN_MODEL,
        "usage": {"prompt_tokens": known.tokens, "total_tokens": known.tokens},
    }


def test_texts_come_back_in_order(stage: Stage) -> None:
    texts = [f"{stage.marker} curl {number}" for number in range(20)]

    reply = embed(stage, {"model": VENDOR_MODEL, "input": texts})

    assert reply.status == 200, reply.body
    assert [item["index"] for item in reply.json["data"]] == list(range(20))
    vectors = [item["embedding"] for item in reply.json["data"]]
    assert vectors == [pytest.approx(expected_vector(text), abs=1e-6) for text in texts]


def test_floats_are_the_shortest_text_of_what_base64_holds(stage: Stage) -> None:
    body = {"model": OWN_MODEL, "input": f"{stage.marker} curl base64"}

    reply = embed(stage, body)
    encoded = embed(stage, {**body, "encoding_format": "base64"}).json["data"][0]["embedding"]

    assert base64.b64decode(encoded, validate=True) == struct.pack("<384f", *reply.json["data"][0]["embedding"])
    texts = json.loads(reply.body, parse_float=str)["data"][0]["embedding"]
    assert max(significant_digits(text) for text in texts) <= 9


def test_gzip_is_sent_when_it_is_asked_for(stage: Stage) -> None:
    body = {"model": OWN_MODEL, "input": [f"{stage.marker} curl gzip {number}" for number in range(3)]}

    plain = embed(stage, body)
    small = embed(stage, body, "--header", "Accept-Encoding: gzip")

    assert "content-encoding" not in plain.headers
    assert small.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(small.body))["data"] == plain.json["data"]
    assert len(small.body) < len(plain.body)


def test_null_means_absent(stage: Stage) -> None:
    nothing = {"dimensions": None, "encoding_format": None, "user": None}

    reply = embed(stage, {"model": OWN_MODEL, "input": stage.marker, **nothing})

    assert reply.status == 200
    assert len(reply.json["data"][0]["embedding"]) == 384


@pytest.mark.parametrize("header", ["Authorization: Bearer {}", "api-key: {}", "x-goog-api-key: {}"])
def test_key_may_come_in_any_of_three_headers(stage: Stage, header: str) -> None:
    body = json.dumps({"model": OWN_MODEL, "input": stage.marker})

    reply = curl(f"{stage.origin}/v1/embeddings", "--header", header.format(stage.workspace.key), "--json", body)

    assert reply.status == 200


def test_cache_may_be_passed_by(stage: Stage) -> None:
    body = {"model": VENDOR_MODEL, "input": f"{stage.marker} curl no-cache"}
    embed(stage, body)
    stage.vendor.reset()

    cached = embed(stage, body)
    fresh = embed(stage, body, "--header", "Cache-Control: no-cache")

    assert [cached.headers["x-gateway-cache-hits"], fresh.headers["x-gateway-cache-hits"]] == ["1", "0"]
    assert cached.json["data"] == fresh.json["data"]
    assert stage.vendor.seen()["inputs"] == 1


def test_models_are_listed_with_what_a_caller_needs_to_know(stage: Stage) -> None:
    key = f"Authorization: Bearer {stage.workspace.key}"

    listed = curl(f"{stage.origin}/v1/models", "--header", key)
    one = curl(f"{stage.origin}/v1/models/{OWN_MODEL}", "--header", key)

    assert {OWN_MODEL, VENDOR_MODEL} <= {model["id"] for model in listed.json["data"]}
    assert one.json in listed.json["data"]
    assert (one.json["object"], one.json["dimensions"], one.json["max_input_tokens"]) == ("model", 384, 256)


@pytest.mark.parametrize(
    ("body", "words", "status", "param", "code"),
    [
        ('{"model": "all-minilm-l6-v2", "input": ', (), 400, None, "invalid_value"),
        ('{"model": "all-minilm-l6-v2", "input": "x", "colour": 1}', (), 400, "colour", "unknown_parameter"),
        ('{"model": "all-minilm-l6-v2", "input": "x", "dimensions": NaN}', (), 400, "dimensions", "invalid_value"),
        ('{"model": "all-minilm-l6-v2", "input": "x", "dimensions": "1"}', (), 400, "dimensions", "invalid_value"),
        ('{"model": "all-minilm-l6-v2"}', (), 400, "input", "invalid_value"),
        ('{"input": "x"}', (), 400, "model", "invalid_value"),
        ('["x"]', (), 400, None, "invalid_value"),
        ("{}", ("--request", "PUT"), 405, None, "method_not_allowed"),
    ],
)
def test_request_that_makes_no_sense_is_refused_in_openais_words(  # noqa: PLR0917 - the columns of the table above
    stage: Stage, body: str, words: tuple[str, ...], status: int, param: str | None, code: str
) -> None:
    reply = embed(stage, body, *words)

    assert reply.status == status
    assert reply.headers["x-request-id"]
    error = reply.json["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, code)


def test_body_that_is_not_json_is_told_so(stage: Stage) -> None:
    reply = embed(stage, "hello", kind="text/plain")

    assert reply.status == 415
    assert reply.json["error"]["code"] == "unsupported_content_type"


def test_unknown_path_says_what_exists(stage: Stage) -> None:
    reply = embed(stage, {}, path="/v1/embedding")

    assert reply.status == 404
    assert "/v1/embeddings" in reply.json["error"]["message"]


def test_request_without_a_key_says_where_to_put_one(stage: Stage) -> None:
    reply = curl(f"{stage.origin}/v1/embeddings", "--json", '{"model": "m", "input": "x"}')

    assert reply.status == 401
    assert "Authorization: Bearer" in reply.json["error"]["message"]


def test_exhausted_workspace_is_told_when_to_come_back(stage: Stage) -> None:
    workspace = stage.operator.make_workspace("--requests-per-minute", "1")
    words = ("--header", f"api-key: {workspace.key}", "--json", json.dumps({"model": OWN_MODEL, "input": stage.marker}))

    # The minute may end between two requests, but not between every two of three.
    replies = [curl(f"{stage.origin}/v1/embeddings", *words) for _ in range(3)]

    refused = next(reply for reply in replies if reply.status == 429)
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert 1 <= int(refused.headers["retry-after-ms"]) <= 60_000
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert refused.json["error"]["code"] == "rate_limit_exceeded"


def significant_digits(number: str) -> int:
    """3 for `-0.00123` as for `1.23e-3`."""
    return len(number.partition("e")[0].replace(".", "").lstrip("-0"))
