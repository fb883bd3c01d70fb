"""What falls outside every route, and web pages."""

import pytest

from tests.unit.dialects.stage import KEY, Stage


@pytest.mark.parametrize(
    ("path", "headers", "mark"),
    [
        ("/v1/completions", {}, "POST /v1/embeddings"),
        ("/openai/eu/v1/completions", {}, "POST /v1/embeddings"),
        ("/openai/deployments/d/completions", {}, "POST /openai/deployments/{deployment}/embeddings"),
        ("/ctyun/v1/completions", {}, "POST /ctyun/v1/embeddings"),
    ],
)
async def test_an_unknown_path_is_answered_in_the_likeliest_dialect_and_says_what_exists(
    path: str, headers: dict[str, str], mark: str
) -> None:
    response = await Stage().send("POST", path, headers=headers, json={})

    assert response.status_code == 404
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"]
    assert mark in response.json()["error"]["message"]


CREDENTIALS = pytest.mark.parametrize(
    "headers", [{"authorization": f"Bearer {KEY}"}, {"api-key": KEY}, {"x-goog-api-key": KEY}, {}]
)


@CREDENTIALS
@pytest.mark.parametrize(
    ("method", "path", "mark"),
    [
        ("GET", "/v1beta", "/v1beta/models"),
        ("GET", "/v1/tunedModels", "/v1beta/models"),
        ("PUT", "/v1/models/echo:embedContent", "PUT is not allowed"),
        ("POST", "/v1/models/echo:generateContent", "/v1beta/models"),
        ("GET", "/gemini", "/v1beta/models"),
    ],
)
async def test_a_path_of_googles_is_answered_in_its_words_whatever_the_credential(
    headers: dict[str, str], method: str, path: str, mark: str
) -> None:
    response = await Stage().send(method, path, headers=headers)

    error = response.json()["error"]
    assert error["code"] == response.status_code
    assert error["status"] in {"NOT_FOUND", "UNIMPLEMENTED"}
    assert mark in error["message"]


@CREDENTIALS
@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/embeddings", 405, "method_not_allowed"),
        ("POST", "/v1/embeddings/", 404, "not_found"),
        ("GET", "/openai/eu/v1/embeddings", 405, "method_not_allowed"),
        ("GET", "/openai/eu", 404, "not_found"),
        ("GET", "/api/public/openai/eu/v1/embeddings", 405, "method_not_allowed"),
        ("GET", "/api/public/openai/eu/v1", 404, "not_found"),
        ("GET", "/openai", 404, "404"),
        ("GET", "/openai/embeddings", 405, "405"),
        ("GET", "/ctyun", 404, "404002"),
        ("GET", "/ctyun/v1/embeddings", 405, "405001"),
        ("GET", "/embeddings", 405, "method_not_allowed"),
        ("GET", "/models", 404, "NotFound"),
        ("POST", "/info", 405, "method_not_allowed"),
        ("GET", "/images", 404, "NotFound"),
    ],
)
async def test_a_path_of_one_dialect_is_answered_in_it_whatever_the_credential(
    headers: dict[str, str], method: str, path: str, status: int, code: str
) -> None:
    response = await Stage().send(method, path, headers=headers)

    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize("path", ["/infos", "/modelsx", "/openais"])
async def test_a_path_that_only_begins_like_a_dialects_belongs_to_none(path: str) -> None:
    response = await Stage().send("GET", path)

    assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/v1/nothing", "GET /v1/models/{model}"),
        ("/v1/nothing", "/openai/{region}/v1"),
        ("/openai/nothing", "POST /openai/embeddings"),
        ("/openai/nothing", "GET /openai/v1/models/{model}"),
        ("/v1beta/nothing", "GET /v1beta/models/{model}"),
        ("/v1beta/nothing", "tunedModels"),
        ("/ctyun/nothing", "GET /ctyun/v1/models/{model}"),
        ("/models/nothing", "GET /info"),
    ],
)
async def test_an_unknown_path_is_told_everything_that_its_dialect_has(path: str, told: str) -> None:
    response = await Stage().send("GET", path)

    assert told in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [("/v1/embeddings", "GET", "POST"), ("/openai/deployments/d/embeddings", "PUT", "POST")],
)
async def test_a_wrong_method_is_405_and_says_which_is_right(path: str, method: str, allowed: str) -> None:
    response = await Stage().send(method, path)

    assert response.status_code == 405
    assert response.headers["allow"] == allowed
    assert allowed in response.json()["error"]["message"]


async def test_an_ending_slash_is_not_redirected() -> None:
    """A redirected POST becomes a GET in some clients, and its key goes along in others."""
    response = await Stage().post("/v1/embeddings/", model="echo", input="a")

    assert response.status_code == 404


async def test_pages_are_kept_out_unless_an_operator_lets_them_in() -> None:
    headers = {"origin": "https://page.example", "access-control-request-method": "POST"}

    closed = await Stage().send("OPTIONS", "/v1/embeddings", headers=headers)

    assert closed.status_code == 405
    assert "access-control-allow-origin" not in closed.headers


async def test_pages_of_a_permitted_origin_are_let_in() -> None:
    stage = Stage(cors_origins=["https://page.example"])
    headers = {
        "origin": "https://page.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization, content-type, x-stainless-lang",
    }

    preflight = await stage.send("OPTIONS", "/v1/embeddings", headers=headers)
    answer = await stage.send(
        "POST",
        "/v1/embeddings",
        headers={"origin": "https://page.example", "authorization": f"Bearer {KEY}"},
        json={"model": "echo", "input": "a"},
    )

    assert preflight.status_code == 200
    assert "x-stainless-lang" in preflight.headers["access-control-allow-headers"]
    assert answer.headers["access-control-allow-origin"] == "https://page.example"
    assert "x-ratelimit-remaining-tokens" in answer.headers["access-control-expose-headers"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/docs"),
        ("GET", "/docs/start.js"),
        ("GET", "/docs/swagger-ui.css"),
        ("GET", "/openapi.json"),
        ("OPTIONS", "/v1/embeddings"),
    ],
)
@pytest.mark.parametrize("origin", ["https://page.example", "https://evil.example"])
async def test_documents_and_what_pages_ask_first_carry_a_request_id_too(method: str, path: str, origin: str) -> None:
    stage = Stage(cors_origins=["https://page.example"])

    response = await stage.send(method, path, headers={"origin": origin, "access-control-request-method": "POST"})

    assert len(response.headers.get_list("x-request-id")) == 1


async def test_an_answer_has_one_request_id() -> None:
    response = await Stage().post("/v1/embeddings", model="echo", input="a")

    assert len(response.headers.get_list("x-request-id")) == 1


async def test_pages_of_other_origins_stay_out() -> None:
    stage = Stage(cors_origins=["https://page.example"])

    answer = await stage.send(
        "POST",
        "/v1/embeddings",
        headers={"origin": "https://evil.example", "authorization": f"Bearer {KEY}"},
        json={"model": "echo", "input": "a"},
    )

    assert "access-control-allow-origin" not in answer.headers
