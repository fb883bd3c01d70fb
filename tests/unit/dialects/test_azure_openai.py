"""Azure OpenAI's dialect, as its clients see it."""

from typing import Any

import pytest

from gateway.core import errors
from gateway.core.catalogue import Symmetry
from gateway.core.embedding import Purpose
from gateway.dialects import _response
from tests.fakes.echo_provider import EchoProvider
from tests.fakes.models import make_model
from tests.unit.dialects.stage import KEY, STRANGERS_KEY, Stage

VERSION = "?api-version=2024-10-21"


@pytest.mark.parametrize(
    "path",
    [
        f"/openai/deployments/echo/embeddings{VERSION}",
        "/openai/deployments/echo/embeddings",
        "/openai/v1/embeddings",
        f"/openai/embeddings{VERSION}",
    ],
)
async def test_each_path_gives_vectors(path: str) -> None:
    response = await Stage().post(path, model="echo", input=["a", "b"], encoding_format="base64")

    assert response.status_code == 200
    assert [item["index"] for item in response.json()["data"]] == [0, 1]


@pytest.mark.parametrize(
    ("deployment", "name"), [("my%20dep%2F1", "my dep/1"), ("v1", "v1"), ("eu", "eu"), ("a:b", "a:b")]
)
async def test_the_deployment_is_the_model_whatever_the_body_says(deployment: str, name: str) -> None:
    stage = Stage(models=[make_model(name=name)])

    response = await stage.post(f"/openai/deployments/{deployment}/embeddings{VERSION}", model="other", input="a")

    assert response.json()["model"] == name


async def test_the_deployment_may_be_an_alias_and_the_body_without_a_model() -> None:
    stage = Stage(models=[make_model(aliases=("my-deployment",))])

    response = await stage.post("/openai/deployments/my-deployment/embeddings", input="a")

    assert response.json()["model"] == "echo"


@pytest.mark.parametrize("path", ["/openai/v1/embeddings", "/openai/embeddings"])
async def test_without_a_deployment_the_model_is_required(path: str) -> None:
    response = await Stage().post(path, input="a")

    assert response.status_code == 400
    assert response.json()["error"]["param"] == "model"


async def test_an_unknown_deployment_is_404_in_azures_word() -> None:
    response = await Stage().post(f"/openai/deployments/nothing/embeddings{VERSION}", input="a")

    assert response.status_code == 404
    assert response.json()["error"]["code"] == "DeploymentNotFound"
    assert response.headers["x-ms-error-code"] == "DeploymentNotFound"


async def test_a_wrong_key_is_401_in_azures_word() -> None:
    response = await Stage().send(
        "POST", "/openai/deployments/echo/embeddings", headers={"api-key": STRANGERS_KEY}, json={"input": "a"}
    )

    assert response.status_code == 401
    assert response.json()["error"]["code"] == "401"


async def test_the_clients_two_headers_of_one_key_are_taken() -> None:
    headers = {"api-key": KEY, "authorization": f"Bearer {KEY}"}

    response = await Stage().send("POST", "/openai/deployments/echo/embeddings", headers=headers, json={"input": "a"})

    assert response.status_code == 200


async def test_throttling_says_when_to_try_again() -> None:
    stage = Stage(throttles=errors.AllowanceExhausted("Enough.", retry_after=3, limited_by="tokens"))

    response = await stage.post("/openai/deployments/echo/embeddings", input="a")

    assert (response.status_code, response.headers["retry-after"]) == (429, "3")
    assert response.json()["error"]["code"] == "429"


@pytest.mark.parametrize(
    ("input_type", "purpose"), [("text", None), ("query", Purpose.QUERY), ("document", Purpose.DOCUMENT)]
)
async def test_the_input_type_becomes_the_purpose(input_type: str, purpose: Purpose | None) -> None:
    native = {Purpose.QUERY: "native", Purpose.DOCUMENT: "native"}
    stage = Stage(models=[make_model(symmetry=Symmetry.BY_PURPOSE, purposes=native)])

    await stage.post("/openai/deployments/echo/embeddings", input="a", input_type=input_type)

    assert [call.purpose for call in stage.provider.calls] == [purpose]


async def test_an_input_type_that_the_model_lacks_is_refused_under_its_own_name() -> None:
    stage = Stage(models=[make_model(symmetry=Symmetry.BY_PURPOSE)])

    response = await stage.post("/openai/deployments/echo/embeddings", input="a", input_type="query")

    assert response.status_code == 400
    assert response.json()["error"]["param"] == "input_type"


async def test_an_unknown_parameter_keeps_its_name_even_if_it_is_one_of_ours() -> None:
    response = await Stage().post("/openai/deployments/echo/embeddings", input="a", purpose="query")

    assert response.json()["error"]["param"] == "purpose"


async def test_a_vendors_code_is_passed_on() -> None:
    refusal = errors.ProviderRefused("Filtered.", status=400, code="content_filter")

    response = await Stage(provider=EchoProvider(fails=lambda _: refusal)).post(
        "/openai/deployments/echo/embeddings", input="a"
    )

    assert response.json()["error"]["code"] == "content_filter"
    assert response.headers["x-ms-error-code"] == "content_filter"


@pytest.mark.parametrize("path", ["/openai/models", "/openai/v1/models"])
async def test_models_are_listed(path: str) -> None:
    body = await Stage().get_json(path + VERSION)

    assert [model["id"] for model in body["data"]] == ["echo"]
    assert body["data"][0]["capabilities"]["embeddings"] is True


async def test_one_model_is_shown() -> None:
    assert (await Stage().get_json("/openai/models/echo"))["status"] == "succeeded"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"api-key": KEY, "user-agent": "AzureOpenAI/Python 3.52.0"}, 303),
        ({"api-key": KEY, "user-agent": "AsyncAzureOpenAI/Python 2.54.0"}, 303),
        ({"authorization": f"Bearer {KEY}"}, 303),
        ({"api-key": KEY, "user-agent": "AzureOpenAI/JS 7.55.0"}, 413),
    ],
)
async def test_a_large_answer_is_redirected_only_for_clients_that_leave_their_key_behind(
    monkeypatch: pytest.MonkeyPatch, headers: dict[str, Any], status: int
) -> None:
    """Any: header values."""
    monkeypatch.setattr(_response, "MAX_ANSWER", 2_000)
    body = {"input": [f"{n}" for n in range(40)]}

    response = await Stage().send("POST", "/openai/deployments/echo/embeddings", headers=headers, json=body)

    assert response.status_code == status
