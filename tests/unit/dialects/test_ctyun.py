"""Ctyun's dialect, as its clients see it."""

import pytest

from gateway.core import errors
from tests.fakes.echo_provider import EchoProvider
from tests.unit.dialects.stage import KEY, Stage


@pytest.mark.parametrize("encoding", ["float", "base64"])
async def test_each_vector_stands_under_both_names(encoding: str) -> None:
    response = await Stage().post("/ctyun/v1/embeddings", model="echo", input=["a", "b"], encoding_format=encoding)

    assert response.status_code == 200
    assert response.json()["object"] == "list"
    for index, item in enumerate(response.json()["data"]):
        assert item["index"] == index
        assert item["embedding"] == item["embeddings"]


@pytest.mark.parametrize("where", [{"dialect": "ctyun"}, {"key_record": {"dialect": "ctyun"}}])
async def test_keys_marked_so_speak_it_on_the_shared_path(where: dict[str, str]) -> None:
    stage = Stage(**where)  # type: ignore[arg-type]

    answer = await stage.post("/v1/embeddings", model="echo", input="a")
    error = await stage.post("/v1/embeddings", model="nothing", input="a")

    assert "embeddings" in answer.json()["data"][0]
    assert error.status_code == 404
    assert error.json()["error"]["code"] == "404001"
    assert error.json()["error"]["type"] == "MODEL_NOT_FOUND"


REGION_PATHS = pytest.mark.parametrize("path", ["/openai/{}/v1/embeddings", "/api/public/openai/{}/v1/embeddings"])


@REGION_PATHS
@pytest.mark.parametrize("dialect", [None, "ctyun"])
@pytest.mark.parametrize(("region", "status"), [("eu", 200), ("us", 403), ("mars", 404)])
async def test_a_region_in_the_path_binds_every_key(path: str, dialect: str | None, region: str, status: int) -> None:
    stage = Stage(dialect=dialect)

    response = await stage.post(path.format(region), model="echo", input="a")

    assert response.status_code == status
    assert len(stage.provider.calls) == (1 if status == 200 else 0)


@REGION_PATHS
async def test_keys_marked_so_speak_openai_where_the_path_names_a_region(path: str) -> None:
    stage = Stage(dialect="ctyun")

    answer = await stage.post(path.format("eu"), model="echo", input="a")
    error = await stage.post(path.format("eu"), model="nothing", input="a")

    assert "embeddings" not in answer.json()["data"][0]
    assert error.json()["error"]["code"] == "model_not_found"


async def test_other_keys_do_not() -> None:
    answer = await Stage().post("/v1/embeddings", model="echo", input="a")

    assert "embeddings" not in answer.json()["data"][0]


async def test_a_models_failure_is_the_vendors_own_error() -> None:
    failure = errors.ProviderMisbehaved("Broken.")

    response = await Stage(provider=EchoProvider(fails=lambda _: failure)).post(
        "/ctyun/v1/embeddings", model="echo", input="a"
    )

    assert response.status_code == 500
    assert response.json() == {
        "error": {"message": "Broken.", "type": "INVOKE_MODEL_ERROR", "param": None, "code": "500001"}
    }


async def test_a_wrong_body_is_refused_with_digits() -> None:
    response = await Stage().post("/ctyun/v1/embeddings", model="echo", input="a", unknown=1)

    assert response.status_code == 400
    assert response.json()["error"]["code"] == "400001"


async def test_a_missing_key_is_refused_with_digits() -> None:
    response = await Stage().send("POST", "/ctyun/v1/embeddings", headers={}, json={"model": "echo", "input": "a"})

    assert response.status_code == 401
    assert response.json()["error"]["code"] == "401001"


async def test_models_are_listed() -> None:
    response = await Stage().send("GET", "/ctyun/v1/models", headers={"authorization": f"Bearer {KEY}"})

    assert [model["id"] for model in response.json()["data"]] == ["echo"]


async def test_one_model_is_shown() -> None:
    stage = Stage()

    found = await stage.send("GET", "/ctyun/v1/models/echo")
    missing = await stage.send("GET", "/ctyun/v1/models/nothing")

    assert found.json() == (await stage.get_json("/ctyun/v1/models"))["data"][0]
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "404001")
