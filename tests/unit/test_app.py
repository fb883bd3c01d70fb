"""What falls outside every route, and web pages."""

import pytest

from tests.unit.dialects.stage import KEY, Stage


@pytest.mark.parametrize(
    ("path", "headers", "mark"),
    [
        ("/v1/completions", {}, "POST /v1/embeddings"),
        ("/", {}, "POST /v1/embeddings"),
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


async def test_pages_of_other_origins_stay_out() -> None:
    stage = Stage(cors_origins=["https://page.example"])

    answer = await stage.send(
        "POST",
        "/v1/embeddings",
        headers={"origin": "https://evil.example", "authorization": f"Bearer {KEY}"},
        json={"model": "echo", "input": "a"},
    )

    assert "access-control-allow-origin" not in answer.headers
