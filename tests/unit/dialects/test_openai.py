"""OpenAI's dialect, as its clients see it."""

import base64
import gzip
import json
import re
import struct
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from gateway.core import errors
from gateway.core.caller import Limits
from gateway.dialects import _response
from tests.fakes.echo_provider import EchoProvider, echo_vector
from tests.fakes.logs import log_lines
from tests.fakes.models import make_model, make_route
from tests.unit.dialects.stage import KEY, STRANGERS_KEY, Stage, untouched

PATHS = ("/v1/embeddings", "/openai/eu/v1/embeddings", "/api/public/openai/eu/v1/embeddings")


def floats(text: str, dimensions: int = 8) -> list[float]:
    return list(memoryview(echo_vector(text, dimensions)).cast("f"))


def error_of(response: Any) -> dict[str, Any]:
    """Any: an httpx response."""
    body: dict[str, Any] = response.json()["error"]
    assert set(body) == {"message", "type", "param", "code"}
    assert body["message"]
    return body


@pytest.mark.parametrize("path", PATHS)
async def test_one_text_gets_one_vector(path: str) -> None:
    response = await Stage().post(path, model="echo", input="hello there")

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert [round(value, 6) for value in body["data"][0].pop("embedding")] == [
        round(value, 6) for value in floats("hello there")
    ]
    assert body == {
        "object": "list",
        "data": [{"object": "embedding", "index": 0}],
        "model": "echo",
        "usage": {"prompt_tokens": 2, "total_tokens": 2},
    }


async def test_the_numbers_read_back_to_the_same_float32() -> None:
    response = await Stage().post("/v1/embeddings", model="echo", input="a")

    values = response.json()["data"][0]["embedding"]
    assert struct.pack("<8f", *values) == echo_vector("a", 8)


async def test_many_texts_keep_their_order() -> None:
    texts = [f"text {number % 7}" for number in range(50)]

    response = await Stage().post("/v1/embeddings", model="echo", input=texts, encoding_format="base64")

    data = response.json()["data"]
    assert [item["index"] for item in data] == list(range(50))
    assert [base64.b64decode(item["embedding"]) for item in data] == [echo_vector(text, 8) for text in texts]


@pytest.mark.parametrize(
    ("value", "inputs"),
    [("a b", ["a b"]), (["a", "b"], ["a", "b"]), ([1, 2, 3], [(1, 2, 3)]), ([[1, 2], [3]], [(1, 2), (3,)])],
)
async def test_all_four_forms_of_input_reach_the_provider(value: Any, inputs: list[Any]) -> None:
    """Any: JSON."""
    stage = Stage()

    response = await stage.post("/v1/embeddings", model="echo", input=value)

    assert response.status_code == 200
    assert stage.provider.inputs == inputs


async def test_null_means_absent() -> None:
    response = await Stage().post(
        "/v1/embeddings", model="echo", input="a", encoding_format=None, dimensions=None, user=None
    )

    assert response.status_code == 200
    assert isinstance(response.json()["data"][0]["embedding"], list)


async def test_fewer_dimensions_give_a_shorter_vector_of_length_one() -> None:
    stage = Stage(models=[make_model(shortenable=True)])

    response = await stage.post("/v1/embeddings", model="echo", input="a", dimensions=3)

    vector = response.json()["data"][0]["embedding"]
    assert len(vector) == 3
    assert sum(value * value for value in vector) == pytest.approx(1, abs=1e-6)


async def test_the_user_is_passed_on_and_does_not_change_what_is_remembered() -> None:
    stage = Stage()

    await stage.post("/v1/embeddings", model="echo", input="a", user="u1")
    again = await stage.post("/v1/embeddings", model="echo", input="a", user="u2")

    assert [call.user for call in stage.provider.calls] == ["u1"]
    assert again.headers["x-gateway-cache-hits"] == "1"
    assert again.json()["usage"] == {
        "prompt_tokens": 1,
        "total_tokens": 1,
        "prompt_tokens_details": {"cached_tokens": 1},
    }


@pytest.mark.parametrize(("directive", "calls"), [("no-cache", 2), ("no-store", 2), ("max-age=60", 1)])
async def test_cache_control_is_honoured(directive: str, calls: int) -> None:
    stage = Stage()
    headers = {"authorization": f"Bearer {KEY}", "cache-control": directive}

    for _ in range(2):
        await stage.send("POST", "/v1/embeddings", headers=headers, json={"model": "echo", "input": "a"})

    assert len(stage.provider.calls) == calls


async def test_every_answer_tells_what_is_left_of_the_allowance() -> None:
    response = await Stage().post("/v1/embeddings", model="echo", input="a")

    assert response.headers["x-ratelimit-limit-requests"] == "500"
    assert response.headers["x-ratelimit-remaining-requests"] == "499"
    assert response.headers["x-ratelimit-limit-tokens"] == "60000"
    assert response.headers["x-ratelimit-reset-tokens"] == "6.5s"
    assert response.headers["x-request-id"]
    assert response.headers["x-gateway-route"] == "echo-eu"


async def test_a_large_answer_in_numbers_is_compressed_for_who_takes_it() -> None:
    stage = Stage(models=[make_model(dimensions=1024)])
    request = {"model": "echo", "input": "a"}

    plain = await stage.send(
        "POST", "/v1/embeddings", headers={"api-key": KEY, "accept-encoding": "identity"}, json=request
    )
    small = await stage.send(
        "POST", "/v1/embeddings", headers={"api-key": KEY, "accept-encoding": "br, gzip"}, json=request
    )

    assert "content-encoding" not in plain.headers
    assert small.headers["content-encoding"] == "gzip"
    assert int(small.headers["content-length"]) < int(plain.headers["content-length"]) * 0.6
    assert small.json()["data"] == plain.json()["data"]


async def test_base64_is_not_compressed() -> None:
    stage = Stage(models=[make_model(dimensions=4096)])

    response = await stage.post("/v1/embeddings", model="echo", input="a", encoding_format="base64")

    assert "content-encoding" not in response.headers


@pytest.mark.parametrize(
    ("input_", "param"),
    [
        ("", "input"),
        ([], "input"),
        ({}, "input"),
        (5, "input"),
        (None, "input"),
        (["a", ""], "input[1]"),
        (["a", 1], "input[1]"),
        (["a", None], "input[1]"),
        ([1, "a"], "input[1]"),
        ([1.5], "input[0]"),
        ([True], "input[0]"),
        ([-1], "input[0]"),
        ([[]], "input[0]"),
        ([[1], "a"], "input[1]"),
        ([[1], [2, -5]], "input[1][1]"),
        ([[1, 2**31]], "input[0][1]"),
    ],
)
async def test_a_wrong_input_is_refused_by_its_place(input_: Any, param: str) -> None:
    """Any: JSON."""
    response = await Stage().post("/v1/embeddings", model="echo", input=input_)

    assert response.status_code == 400
    error = error_of(response)
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, "invalid_value")


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"model": None}, "model", "invalid_value"),
        ({"model": ""}, "model", "invalid_value"),
        ({"model": 3}, "model", "invalid_value"),
        ({"dimensions": 0}, "dimensions", "invalid_value"),
        ({"dimensions": "8"}, "dimensions", "invalid_value"),
        ({"dimensions": 8.5}, "dimensions", "invalid_value"),
        ({"dimensions": True}, "dimensions", "invalid_value"),
        ({"dimensions": 9}, "dimensions", "unsupported_value"),
        ({"dimensions": 4}, "dimensions", "unsupported_value"),
        ({"encoding_format": "int8"}, "encoding_format", "invalid_value"),
        ({"user": 7}, "user", "invalid_value"),
        ({"input_type": "query"}, "input_type", "unknown_parameter"),
    ],
)
async def test_a_wrong_field_is_refused_by_name(change: dict[str, Any], param: str, code: str) -> None:
    response = await Stage().post("/v1/embeddings", **{"model": "echo", "input": "a", **change})

    assert response.status_code == 400
    error = error_of(response)
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, code)
    assert param in error["message"]


@pytest.mark.parametrize("missing", ["model", "input"])
async def test_a_missing_field_is_named(missing: str) -> None:
    body = {"model": "echo", "input": "a"}
    del body[missing]

    response = await Stage().post("/v1/embeddings", **body)

    assert response.status_code == 400
    assert error_of(response)["param"] == missing


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"a"',
        b'{"model":"echo","input":NaN}',
        b'{"model":"echo","input":"a","dimensions":NaN}',
        b'{"model":"echo","input":"\xff"}',
        b'{"model":"echo","input":["a",]}',
        b'{"model":"echo","input":"\\ud800"}',
    ],
)
async def test_a_body_that_is_not_the_json_of_an_object_is_refused(body: bytes) -> None:
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}

    response = await Stage().send("POST", "/v1/embeddings", headers=headers, content=body)

    assert response.status_code == 400
    assert error_of(response)["type"] == "invalid_request_error"


async def test_the_message_of_a_wrong_field_does_not_repeat_its_value() -> None:
    """It may be someone's text, and messages are logged by clients."""
    response = await Stage().post("/v1/embeddings", model="echo", input="a", encoding_format="secret text")

    assert "secret text" not in response.text


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_another_content_type_is_refused(kind: str) -> None:
    headers = {"authorization": f"Bearer {KEY}", "content-type": kind}

    response = await Stage().send("POST", "/v1/embeddings", headers=headers, content=b'{"model":"echo","input":"a"}')

    assert response.status_code == 415
    assert error_of(response)["code"] == "unsupported_content_type"


async def test_an_encoded_body_is_refused() -> None:
    headers = {"authorization": f"Bearer {KEY}", "content-encoding": "gzip"}

    response = await Stage().send("POST", "/v1/embeddings", headers=headers, content=gzip.compress(b"{}"))

    assert response.status_code == 415


async def test_a_body_beyond_what_lambda_takes_is_refused() -> None:
    response = await Stage().post("/v1/embeddings", model="echo", input="a" * 5_300_000)

    assert response.status_code == 413
    assert error_of(response)["code"] == "body_too_large"


@pytest.mark.parametrize("header", ["authorization", "api-key", "x-goog-api-key"])
async def test_the_key_may_come_in_each_header(header: str) -> None:
    headers = {header: f"Bearer {KEY}" if header == "authorization" else KEY}

    response = await Stage().send("POST", "/v1/embeddings", headers=headers, json={"model": "echo", "input": "a"})

    assert response.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer"},
        {"authorization": "Basic abc"},
        {"authorization": "Bearer sk-nothing-of-ours"},
        {"authorization": f"Bearer {KEY}x"},
        {"authorization": f"Bearer {STRANGERS_KEY}"},
    ],
)
async def test_a_key_that_opens_nothing_is_401(headers: dict[str, str]) -> None:
    response = await Stage().send("POST", "/v1/embeddings", headers=headers, json={"model": "echo", "input": "a"})

    assert response.status_code == 401
    error = error_of(response)
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_api_key")


async def test_a_wrong_key_is_told_in_the_words_that_clients_look_for() -> None:
    headers = {"authorization": f"Bearer {STRANGERS_KEY}"}

    response = await Stage().send("POST", "/v1/embeddings", headers=headers, json={"model": "echo", "input": "a"})

    assert error_of(response)["message"].startswith("Incorrect API key provided.")


@pytest.mark.parametrize("record", [{"disabled": True}, {"expires": 999}])
async def test_a_key_out_of_force_is_401(record: dict[str, Any]) -> None:
    response = await Stage(key_record=record).post("/v1/embeddings", model="echo", input="a")

    assert response.status_code == 401


async def test_a_model_that_the_key_may_not_use_is_403() -> None:
    response = await Stage(key_record={"models": frozenset({"other"})}).post("/v1/embeddings", model="echo", input="a")

    assert response.status_code == 403
    assert error_of(response)["param"] == "model"


async def test_an_unknown_model_is_404() -> None:
    response = await Stage().post("/v1/embeddings", model="nothing", input="a")

    assert response.status_code == 404
    error = error_of(response)
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", "model", "model_not_found")


async def test_an_alias_is_as_good_as_the_name() -> None:
    stage = Stage(models=[make_model(name="ClovisEmbedding", aliases=("ClovisEmbeddings",))])

    response = await stage.post("/v1/embeddings", model="ClovisEmbeddings", input="a", encoding_format="float")

    assert response.json()["model"] == "ClovisEmbedding"


async def test_too_long_an_input_is_refused_with_the_limit() -> None:
    stage = Stage(models=[make_model(max_tokens=3)])

    response = await stage.post("/v1/embeddings", model="echo", input=[[1], [1, 2, 3, 4]])

    assert response.status_code == 400
    error = error_of(response)
    assert error["code"] == "context_length_exceeded"
    assert "maximum context length is 3 tokens" in error["message"]


async def test_too_many_inputs_are_refused_with_the_limit() -> None:
    response = await Stage().post("/v1/embeddings", model="echo", input=["a"] * 2049)

    assert response.status_code == 400
    assert "2048" in error_of(response)["message"]


async def test_too_many_tokens_together_are_refused_with_the_limit() -> None:
    response = await Stage().post("/v1/embeddings", model="echo", input=[[1] * 8000] * 38)

    assert response.status_code == 400
    assert error_of(response)["code"] == "max_tokens_per_request"
    assert "300000" in error_of(response)["message"]


async def test_two_thousand_and_forty_eight_inputs_are_served() -> None:
    response = await Stage().post("/v1/embeddings", model="echo", input=[f"{n}" for n in range(2048)])

    assert len(response.json()["data"]) == 2048


async def test_an_exhausted_allowance_says_when_to_try_again() -> None:
    limits = Limits(requests=1, tokens=10)
    error = errors.AllowanceExhausted("Enough.", retry_after=6.5, limited_by="requests", allowance=untouched(limits))

    response = await Stage(throttles=error).post("/v1/embeddings", model="echo", input="a")

    assert response.status_code == 429
    assert response.headers["retry-after"] == "7"
    assert response.headers["retry-after-ms"] == "6500"
    assert response.headers["x-ratelimit-remaining-requests"] == "0"
    assert error_of(response)["code"] == "rate_limit_exceeded"


async def test_only_causes_that_waiting_mends_say_when_to_try_again() -> None:
    """azure-core retries every error that carries Retry-After."""
    response = await Stage().post("/v1/embeddings", model="nothing", input="a")

    assert "retry-after" not in response.headers


async def test_the_region_in_the_path_is_the_stages_own() -> None:
    stage = Stage(stages={"eu": None, "us": "https://us.example"})

    other = await stage.post("/openai/us/v1/embeddings", model="echo", input="a")
    unknown = await stage.post("/openai/mars/v1/embeddings", model="echo", input="a")

    assert other.status_code == 403
    assert "https://us.example" in error_of(other)["message"]
    assert unknown.status_code == 404
    assert error_of(unknown)["param"] == "region"
    assert not stage.provider.calls


async def test_a_model_of_another_region_is_not_served_from_here() -> None:
    stage = Stage(models=[make_model(routes=(make_route(region="us"),))])

    response = await stage.post("/v1/embeddings", model="echo", input="a")

    assert response.status_code == 403
    assert error_of(response)["code"] == "wrong_region"


async def test_the_providers_message_reaches_the_caller() -> None:
    refusal = errors.ProviderRefused("Too spicy.", status=400, code="content_filter")
    stage = Stage(provider=EchoProvider(fails=lambda _: refusal))

    response = await stage.post("/v1/embeddings", model="echo", input="a")

    assert response.status_code == 400
    assert error_of(response) == {
        "message": "Too spicy.",
        "type": "invalid_request_error",
        "param": None,
        "code": "content_filter",
    }


async def test_an_unforeseen_failure_speaks_openai_and_tells_nothing() -> None:
    def fail() -> None:
        raise ZeroDivisionError("secret")

    response = await Stage(fails=fail).post("/v1/embeddings", model="echo", input="a")

    assert response.status_code == 500
    assert error_of(response)["type"] == "server_error"
    assert "secret" not in response.text
    assert response.headers["x-request-id"]


async def test_an_answer_that_is_made_is_not_taken_away_by_what_follows_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Stage, "put", lambda _self, _vectors, _ttl, _owner: fail)

    response = await Stage().post("/v1/embeddings", model="echo", input="a")

    assert response.status_code == 200
    assert [line["message"] for line in log_lines(caplog)] == ["unforeseen"]
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["Requests"] == [1.0]


@pytest.mark.parametrize("path", ["/v1/models/{name:path}", "/openai/{region}/v1/models/x"])
async def test_a_path_that_looks_like_a_template_is_a_path(path: str) -> None:
    response = await Stage().send("GET", path)

    assert response.status_code == 404
    assert error_of(response)["type"] == "invalid_request_error"


@pytest.mark.parametrize("name", ["маршрут", "one\r\ntwo"])
async def test_a_route_may_be_called_anything(name: str) -> None:
    stage = Stage(models=[make_model(routes=(make_route(name=name),))])

    response = await stage.post("/v1/embeddings", model="echo", input="a")

    assert response.status_code == 200
    assert unquote(response.headers["x-gateway-route"]) == name


async def test_an_answer_that_lambda_cannot_carry_waits_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_response, "MAX_ANSWER", 1_000)
    stage = Stage()

    response = await stage.post("/v1/embeddings", model="echo", input=[f"{n}" for n in range(40)])

    assert response.status_code == 303
    assert response.headers["location"] == "https://files.invalid/answer"
    assert len(json.loads(stage.answers[0])["data"]) == 40


@pytest.mark.parametrize(
    "path", ["/v1/embeddings", "/openai/eu/v1/embeddings", "/openai/v1/embeddings", "/ctyun/v1/embeddings"]
)
@pytest.mark.parametrize(
    ("encoding", "told"), [("float", "ask for base64, or ask for at most"), ("base64", ", or ask for at most")]
)
async def test_who_follows_no_redirect_reads_where_the_answer_is_and_what_to_do_instead(
    path: str, encoding: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_response, "MAX_ANSWER", 5_000 if encoding == "float" else 3_000)
    headers = {"authorization": f"Bearer {KEY}", "accept-encoding": "identity"}
    body = {"model": "echo", "input": [f"{n}" for n in range(40)], "encoding_format": encoding}

    response = await Stage().send("POST", path, headers=headers, json=body)

    message = error_of(response)["message"]
    assert (response.status_code, response.headers["content-type"]) == (303, "application/json")
    assert int(response.headers["content-length"]) == len(response.content)
    assert "'location' for 15 minutes" in message
    assert told in message
    assert ("base64" in message) == (encoding == "float")


@pytest.mark.parametrize("encoding", ["float", "base64"])
@pytest.mark.parametrize(
    "headers", [{"api-key": KEY}, {"api-key": KEY, "accept-encoding": "identity"}], ids=["gzip", "plain"]
)
@pytest.mark.parametrize("inputs", [200, 700])
async def test_as_many_inputs_as_a_client_is_told_do_fit(
    encoding: str, headers: dict[str, str], inputs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_response, "MAX_ANSWER", 40_000)

    async def ask(count: int) -> httpx.Response:
        body = {"model": "echo", "input": [f"{n}" for n in range(count)], "encoding_format": encoding}
        return await Stage(models=[make_model(dimensions=64)]).send(
            "POST", "/v1/embeddings", headers=headers, json=body
        )

    refused = await ask(inputs)
    fits = re.search(r"at most (\d+) inputs", error_of(refused)["message"])

    assert refused.status_code == 413
    assert fits
    assert 0 < int(fits[1]) < inputs
    assert (await ask(int(fits[1]))).status_code == 200


async def test_a_list_too_large_to_send_says_nothing_of_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_response, "MAX_ANSWER", 300)
    stage = Stage(models=[make_model(name=f"m{number}") for number in range(10)])

    response = await stage.send("GET", "/v1/models", headers={"api-key": KEY})

    assert response.status_code == 413
    assert "inputs" not in error_of(response)["message"]


async def test_an_answer_that_cannot_be_put_aside_is_an_error_in_the_dialect(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fail(_self: Stage, _body: bytes, _content_type: str) -> str:
        raise errors.InternalError("The answer is too large to send at once, and could not be put aside.")

    monkeypatch.setattr(_response, "MAX_ANSWER", 1_000)
    monkeypatch.setattr(Stage, "keep", fail)

    response = await Stage().post("/v1/embeddings", model="echo", input=[f"{n}" for n in range(40)])

    assert (response.status_code, error_of(response)["code"]) == (500, "internal_error")
    assert response.headers["x-request-id"]
    assert json.loads(capsys.readouterr().out)["Errors"] == [1.0]


async def test_a_client_that_would_carry_its_key_along_is_told_how_much_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_response, "MAX_ANSWER", 2_000)
    stage = Stage()
    request = {"model": "echo", "input": [f"{n}" for n in range(40)]}

    response = await stage.send("POST", "/v1/embeddings", headers={"api-key": KEY}, json=request)

    assert response.status_code == 413
    assert "sk for at most" in error_of(response)["message"]
    assert not stage.answers


async def test_a_browser_is_told_how_much_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bucket lets no page read, so a page would see nothing but a failed request."""
    monkeypatch.setattr(_response, "MAX_ANSWER", 2_000)
    stage = Stage(cors_origins=["https://page.example"])
    headers = {"authorization": f"Bearer {KEY}", "origin": "https://page.example"}
    request = {"model": "echo", "input": [f"{n}" for n in range(40)]}

    response = await stage.send("POST", "/v1/embeddings", headers=headers, json=request)

    assert response.status_code == 413
    assert "sk for at most" in error_of(response)["message"]
    assert response.headers["access-control-allow-origin"] == "https://page.example"
    assert not stage.answers


@pytest.mark.parametrize("path", ["/v1/models", "/openai/eu/v1/models"])
async def test_models_are_listed_with_what_is_known_of_them(path: str) -> None:
    models = [make_model(name="b", price=0.02), make_model(name="a", shortenable=True, aliases=("A",))]

    body = await Stage(models=models).get_json(path)

    assert body["object"] == "list"
    assert body["data"][0] == {
        "id": "a",
        "object": "model",
        "created": 0,
        "owned_by": "embeddings-gateway",
        "dimensions": 8,
        "shortenable": True,
        "max_input_tokens": 8192,
        "max_inputs": 2048,
        "price_per_million_tokens": None,
        "aliases": ["A"],
    }
    assert body["data"][1]["price_per_million_tokens"] == 0.02


async def test_a_model_is_found_by_a_name_with_slashes_and_colons() -> None:
    stage = Stage(models=[make_model(name="vendor/model:0", aliases=("it",))])

    assert (await stage.get_json("/v1/models/vendor%2Fmodel:0"))["id"] == "vendor/model:0"
    assert (await stage.get_json("/v1/models/it"))["id"] == "vendor/model:0"


async def test_models_out_of_reach_do_not_exist() -> None:
    stage = Stage(
        models=[make_model(), make_model(name="far", routes=(make_route(region="us"),)), make_model(name="closed")],
        key_record={"models": frozenset({"echo", "far"})},
    )

    listed = await stage.get_json("/v1/models")
    found = await stage.send("GET", "/v1/models/closed")

    assert [model["id"] for model in listed["data"]] == ["echo"]
    assert found.status_code == 404
