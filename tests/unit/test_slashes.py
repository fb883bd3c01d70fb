"""A slash too many, doubled or missing: a 404 in the dialect that says what exists, never a model without a name."""

import re

import pytest

from gateway.app import ROUTERS
from gateway.dialects._router import DialectRoute
from tests.fakes.models import make_model
from tests.unit.dialects.stage import KEY, Stage

ROUTES = sorted(
    {
        (method, re.sub(r"\{region\}", "eu", re.sub(r"\{(?:name|deployment)(?::path)?\}", "echo", route.path)))
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, DialectRoute)
        for method in route.methods or ()
        if method != "HEAD"
    }
)


def dialect_of(error: dict[str, object]) -> str:
    if "status" in error:
        return "gemini"
    return "ctyun" if str(error["code"]).isdigit() and len(str(error["code"])) == 6 else "other"


def misspelt(path: str) -> list[str]:
    """With one slash more at every place where one can be."""
    slashes = [match.start() for match in re.finditer("/", path)]
    return [f"{path}/", f"{path}//", *(path[:at] + "/" + path[at:] for at in slashes)]


@pytest.mark.parametrize("credential", ["authorization", "api-key", "x-goog-api-key"])
@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_a_slash_too_many_is_a_404_in_the_dialect_of_the_path_without_it(
    method: str, path: str, credential: str
) -> None:
    stage = Stage()
    headers = {credential: f"Bearer {KEY}" if credential == "authorization" else KEY}
    usual = await stage.send("DELETE", path, headers=headers)

    for wrong in misspelt(path):
        response = await stage.send(method, f"https://gateway.test{wrong}", headers=headers, json={})

        assert (response.status_code, response.is_redirect) == (404, False)
        error = response.json()["error"]
        assert dialect_of(error) == dialect_of(usual.json()["error"])
        assert wrong in error["message"]
        assert "There is: " in error["message"]
        assert "does not exist" not in error["message"]


@pytest.mark.parametrize(
    ("method", "path", "mark"),
    [
        ("GET", "/v1/models/", "GET /v1/models"),
        ("GET", "/openai/v1/models/", "GET /openai/v1/models"),
        ("GET", "/v1beta/models/", "GET /v1beta/models"),
        ("POST", "/v1beta/models/echo:embedContent/", "models/{model}:embedContent"),
        ("POST", "/v1//embeddings", "POST /v1/embeddings"),
        ("GET", "//v1/models", "GET /v1/models"),
        ("POST", "/v1/embeddings//", "POST /v1/embeddings"),
        ("POST", "/openai/deployments//embeddings", "POST /openai/deployments/{deployment}/embeddings"),
        ("POST", "/openai/deployments/embeddings", "POST /openai/deployments/{deployment}/embeddings"),
        ("POST", "/v1embeddings", "POST /v1/embeddings"),
        ("POST", "/v1beta/models:embedContent", "POST /v1beta/models/{model}:embedContent"),
        ("GET", "///", "GET /v1/models"),
    ],
)
async def test_a_misspelt_path_is_told_the_right_one(method: str, path: str, mark: str) -> None:
    response = await Stage().send(method, f"https://gateway.test{path}")

    assert response.status_code == 404
    assert mark in response.json()["error"]["message"]


async def test_a_slash_within_a_models_name_is_part_of_it() -> None:
    response = await Stage(models=[make_model(name="a/b:c")]).send("GET", "/v1/models/a%2Fb:c")

    assert response.json()["id"] == "a/b:c"
