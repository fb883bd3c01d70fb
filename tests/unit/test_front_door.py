"""What stands at the address itself, for a browser, for a program and for who watches it."""

import re
import tomllib
from pathlib import Path
from typing import NoReturn

import pytest

from gateway import front_door
from gateway.app import ROUTERS
from tests.unit.dialects.stage import KEY, STRANGERS_KEY, Stage

BROWSERS = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def forbidden() -> NoReturn:
    raise AssertionError("no store may be asked")


@pytest.mark.parametrize("accept", ["*/*", "application/json", "", None])
async def test_a_program_gets_a_list_of_what_exists(accept: str | None) -> None:
    headers = {} if accept is None else {"accept": accept}

    response = await Stage(fails=forbidden).send("GET", "/", headers=headers)

    body = response.json()
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert (body["name"], body["stage"], body["region"]) == ("embeddings-gateway", "eu", "eu-central-1")
    assert body["documents"]["openapi"] == "/openapi.json"
    assert body["paths"] == {router.dialect.name: list(router.dialect.paths) for router in ROUTERS}


async def test_a_browser_gets_a_page_that_loads_nothing_and_leads_on() -> None:
    response = await Stage(fails=forbidden).send("GET", "/", headers={"accept": BROWSERS})

    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert not re.search(r"https?://|\$\{?(?!BASE_URL|API_KEY|MODEL)[a-z]", response.text)
    for told in (
        "embeddings-gateway",
        front_door.VERSION,
        "eu-central-1",
        'href="/docs"',
        'href="#first-steps"',
        "curl",
    ):
        assert told in response.text


async def test_the_first_steps_of_the_page_are_those_of_the_readme() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")

    page = (await Stage().send("GET", "/", headers={"accept": BROWSERS})).text

    steps = re.search(r"<pre>(.*?)</pre>", page, re.DOTALL)
    assert steps
    assert steps[1] in readme


def test_the_version_is_the_projects() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))

    assert project["project"]["version"] == front_door.VERSION


@pytest.mark.parametrize("path", ["/", "/health"])
@pytest.mark.parametrize("accept", ["*/*", BROWSERS])
async def test_head_has_the_headers_of_get(path: str, accept: str) -> None:
    stage, headers = Stage(fails=forbidden), {"accept": accept}

    head, get = [await stage.send(method, path, headers=headers) for method in ("HEAD", "GET")]

    assert head.status_code == 200
    for name in ("content-type", "content-length"):
        assert head.headers[name] == get.headers[name]


@pytest.mark.parametrize("headers", [{}, {"authorization": f"Bearer {STRANGERS_KEY}"}])
@pytest.mark.parametrize("query", ["", "?deep=0"])
async def test_health_needs_no_key_and_asks_no_store(headers: dict[str, str], query: str) -> None:
    stage = Stage(fails=forbidden, health=forbidden)

    response = await stage.send("GET", f"/health{query}", headers=headers)

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("headers", [{}, {"authorization": f"Bearer {STRANGERS_KEY}"}, {"api-key": STRANGERS_KEY}])
@pytest.mark.parametrize("deep", ["1", "true", ""])
async def test_a_look_at_the_stores_needs_a_key(headers: dict[str, str], deep: str) -> None:
    response = await Stage(health=forbidden).send("GET", f"/health?deep={deep}", headers=headers)

    assert response.status_code == 401
    assert response.json()["error"]["code"] == "invalid_api_key"


@pytest.mark.parametrize("header", ["authorization", "api-key", "x-goog-api-key"])
@pytest.mark.parametrize(
    ("stores", "status", "word"),
    [({"usage": "ok", "catalogue": "ok"}, 200, "ok"), ({"usage": "timeout", "catalogue": "ok"}, 503, "degraded")],
)
async def test_a_look_at_the_stores_says_what_is_wrong_with_which(
    header: str, stores: dict[str, str], status: int, word: str
) -> None:
    headers = {header: f"Bearer {KEY}" if header == "authorization" else KEY}

    response = await Stage(health=lambda: stores).send("GET", "/health?deep=1", headers=headers)

    assert (response.status_code, response.json()) == (status, {"status": word, "stores": stores})


@pytest.mark.parametrize("path", ["/", "/health", "/health?deep=1"])
async def test_every_answer_carries_a_request_id(path: str) -> None:
    assert (await Stage().send("GET", path)).headers["x-request-id"]


@pytest.mark.parametrize("path", ["/", "/health"])
async def test_other_methods_are_told_to_use_get(path: str) -> None:
    response = await Stage().send("POST", path, json={})

    assert (response.status_code, "GET" in response.headers["allow"]) == (405, True)
