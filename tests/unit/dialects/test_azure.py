"""Azure AI's dialect, as its clients see it."""

import base64
from typing import Any

import numpy as np
import pytest

from gateway.core import errors
from gateway.core.catalogue import Symmetry
from gateway.core.embedding import Purpose
from gateway.dialects import _response
from tests.fakes.echo_provider import EchoProvider, echo_vector
from tests.fakes.models import make_model, make_route
from tests.unit.dialects.stage import KEY, STRANGERS_KEY, Stage

VERSION = "?api-version=2024-05-01-preview"


def error_of(response: Any, status: int, code: str) -> dict[str, Any]:
    """Any: an httpx response. Both shapes must tell the same."""
    assert response.status_code == status
    body: dict[str, Any] = response.json()
    assert body["status"] == status
    assert body["code"] == body["error"]["code"] == response.headers["x-ms-error-code"] == code
    assert body["message"] == body["error"]["message"]
    return body


@pytest.mark.parametrize(
    "path",
    [f"/embeddings{VERSION}", "/embeddings", "/embeddings?api-version=2099-01-01", f"/models/embeddings{VERSION}"],
)
async def test_texts_get_vectors_in_order(path: str) -> None:
    texts = [f"text {number % 7}" for number in range(20)]

    response = await Stage().post(path, model="echo", input=texts, encoding_format="base64")

    assert response.status_code == 200
    body = response.json()
    assert body["id"] == response.headers["x-request-id"]
    assert body["object"] == "list"
    assert body["model"] == "echo"
    assert [item["index"] for item in body["data"]] == list(range(20))
    assert [base64.b64decode(item["embedding"]) for item in body["data"]] == [echo_vector(text, 8) for text in texts]


async def test_numbers_are_the_default() -> None:
    response = await Stage().post("/embeddings", model="echo", input="a")

    values = response.json()["data"][0]["embedding"]
    assert np.array(values, "<f4").tobytes() == echo_vector("a", 8)


@pytest.mark.parametrize(
    ("name", "length", "least", "most"),
    [("int8", 16, -127, 127), ("uint8", 16, 1, 255), ("binary", 2, -128, 127), ("ubinary", 2, 0, 255)],
)
async def test_smaller_formats_are_made_for_every_model(name: str, length: int, least: int, most: int) -> None:
    stage = Stage(models=[make_model(dimensions=16)])

    response = await stage.post("/embeddings", model="echo", input=["a", "b"], encoding_format=name)

    for item in response.json()["data"]:
        assert len(item["embedding"]) == length
        assert all(isinstance(number, int) and least <= number <= most for number in item["embedding"])


@pytest.mark.parametrize("value", [[1, 2, 3], [[1, 2], [3]]])
async def test_token_ids_are_taken(value: Any) -> None:
    """Any: JSON."""
    response = await Stage().post("/embeddings", model="echo", input=value)

    assert response.status_code == 200


@pytest.mark.parametrize(
    ("input_type", "purpose"),
    [(None, None), ("text", None), ("query", Purpose.QUERY), ("document", Purpose.DOCUMENT)],
)
async def test_the_input_type_becomes_the_purpose(input_type: str | None, purpose: Purpose | None) -> None:
    rules = dict.fromkeys(Purpose, "native")
    stage = Stage(models=[make_model(symmetry=Symmetry.BY_PURPOSE, purposes=rules)])

    await stage.post("/embeddings", model="echo", input="a", input_type=input_type)

    assert [call.purpose for call in stage.provider.calls] == [purpose]


@pytest.mark.parametrize(
    ("change", "param", "value"),
    [
        ({"dimensions": 9}, "dimensions", "9"),
        ({"dimensions": 0}, "dimensions", "0"),
        ({"dimensions": -1}, "dimensions", "-1"),
        ({"encoding_format": "int4"}, "encoding_format", "int4"),
        ({"input_type": "query"}, "input_type", "query"),
        ({"input_type": "poem"}, "input_type", "poem"),
    ],
)
async def test_what_the_model_cannot_do_is_422_with_place_and_value(
    change: dict[str, Any], param: str, value: str
) -> None:
    stage = Stage(models=[make_model(symmetry=Symmetry.BY_PURPOSE)])

    response = await stage.post("/embeddings", **{"model": "echo", "input": "a", **change})

    body = error_of(response, 422, "unsupported_parameter")
    assert body["details"] == {"loc": ["body", param], "value": value}
    assert body["error"]["target"] == body["error"]["details"][0]["target"] == param


@pytest.mark.parametrize(
    ("change", "param", "place", "value"),
    [
        ({"input": ""}, "input", ["input"], ""),
        ({"input": 5}, "input", ["input"], ""),
        ({"input": ["a", 1]}, "input[1]", ["input", "1"], ""),
        ({"input": [[1], [2, -5]]}, "input[1][1]", ["input", "1", "1"], ""),
        ({"dimensions": "8"}, "dimensions", ["dimensions"], "8"),
        ({"dimensions": True}, "dimensions", ["dimensions"], "true"),
        ({"dimensions": [8]}, "dimensions", ["dimensions"], ""),
        ({"model": 5}, "model", ["model"], "5"),
        ({"encoding_format": 5}, "encoding_format", ["encoding_format"], "5"),
        ({"input_type": 1.5}, "input_type", ["input_type"], "1.5"),
    ],
)
async def test_a_malformed_field_is_400_with_its_place_and_any_short_value_but_texts(
    change: dict[str, Any], param: str, place: list[str], value: str
) -> None:
    response = await Stage().post("/embeddings", **{"model": "echo", "input": "a", **change})

    body = error_of(response, 400, "invalid_request")
    assert body["param"] == body["error"]["target"] == param
    assert body["details"] == {"loc": ["body", *place], "value": value}


async def test_a_long_value_is_not_repeated() -> None:
    response = await Stage().post("/embeddings", model="echo", input="a", dimensions="8" * 65)

    assert error_of(response, 400, "invalid_request")["details"]["value"] == ""


async def test_a_missing_input_repeats_nothing_of_the_body() -> None:
    response = await Stage().post("/embeddings", model="echo")

    assert error_of(response, 400, "invalid_request")["details"] == {"loc": ["body", "input"], "value": ""}


async def test_null_means_absent_for_extra_parameters_too() -> None:
    stage = Stage()
    body = {"model": "echo", "input": "a", "user": None, "truncate": None}

    refusing = await stage.send("POST", "/embeddings", headers={"api-key": KEY}, json=body)
    passing = await stage.send(
        "POST",
        "/embeddings",
        headers={"api-key": KEY, "extra-parameters": "pass-through", "cache-control": "no-cache"},
        json=body,
    )

    assert (refusing.status_code, passing.status_code) == (200, 200)
    assert [dict(call.extra) for call in stage.provider.calls] == [{}, {}]


@pytest.mark.parametrize("name", ["?texts[0]", "purpose", "extra-parameters"])
async def test_an_extra_parameter_is_placed_by_its_whole_name_and_its_value_not_repeated(name: str) -> None:
    """It may be a text under a name that nobody knows."""
    response = await Stage().post("/embeddings", **{"model": "echo", "input": "a", name: "secret"})

    body = error_of(response, 400, "extra_parameters_not_allowed")
    assert body["param"] == name
    assert body["details"] == {"loc": ["body", name], "value": ""}
    assert "secret" not in response.text


@pytest.mark.parametrize("headers", [{}, {"extra-parameters": "error"}])
async def test_extra_parameters_are_refused_by_name(headers: dict[str, str]) -> None:
    body = {"model": "echo", "input": "a", "truncate": "END"}

    response = await Stage().send("POST", "/embeddings", headers={"api-key": KEY, **headers}, json=body)

    assert error_of(response, 400, "extra_parameters_not_allowed")["param"] == "truncate"


@pytest.mark.parametrize("policy", ["ignore", "drop", "Drop"])
async def test_extra_parameters_are_dropped_on_request(policy: str) -> None:
    stage = Stage()
    body = {"model": "echo", "input": "a", "truncate": "END"}

    response = await stage.send("POST", "/embeddings", headers={"api-key": KEY, "extra-parameters": policy}, json=body)

    assert response.status_code == 200
    assert [dict(call.extra) for call in stage.provider.calls] == [{}]


@pytest.mark.parametrize("policy", ["pass-through", "allow"])
async def test_extra_parameters_are_passed_on_on_request(policy: str) -> None:
    stage = Stage()
    body = {"model": "echo", "input": "a", "truncate": "END", "user": "u"}

    response = await stage.send("POST", "/embeddings", headers={"api-key": KEY, "extra-parameters": policy}, json=body)

    assert response.status_code == 200
    assert [(dict(call.extra), call.user) for call in stage.provider.calls] == [({"truncate": "END"}, "u")]


async def test_an_unknown_policy_for_extra_parameters_is_refused() -> None:
    response = await Stage().send(
        "POST",
        "/embeddings",
        headers={"api-key": KEY, "extra-parameters": "maybe"},
        json={"model": "echo", "input": "a"},
    )

    body = error_of(response, 400, "invalid_request")
    assert body["details"] == {"loc": ["header", "extra-parameters"], "value": "maybe"}
    assert all(word in body["message"] for word in ("error", "ignore", "drop", "pass-through", "allow"))


async def test_an_empty_header_is_an_absent_one() -> None:
    response = await Stage().send(
        "POST",
        "/embeddings",
        headers={"api-key": KEY, "extra-parameters": "", "azureml-model-deployment": ""},
        json={"model": "echo", "input": "a"},
    )

    assert response.status_code == 200


async def test_a_deployment_is_one_route_of_the_model() -> None:
    stage = Stage(models=[make_model(routes=(make_route(), make_route(name="second")))])

    async def ask(deployment: str) -> Any:  # an httpx response
        return await stage.send(
            "POST",
            "/embeddings",
            headers={"api-key": KEY, "azureml-model-deployment": deployment},
            json={"model": "echo", "input": "a"},
        )

    assert (await ask("second")).headers["x-gateway-route"] == "second"
    body = error_of(await ask("third"), 404, "model_not_found")
    assert body["details"] == {"loc": ["header", "azureml-model-deployment"], "value": "third"}


async def test_the_only_model_need_not_be_named() -> None:
    response = await Stage().post("/embeddings", input="a")

    assert response.json()["model"] == "echo"


async def test_one_of_several_models_must_be_named() -> None:
    response = await Stage(models=[make_model(), make_model(name="other")]).post("/embeddings", input="a")

    assert "echo, other" in error_of(response, 404, "model_not_found")["message"]


async def test_the_clients_two_headers_of_one_key_are_taken() -> None:
    headers = {"api-key": KEY, "authorization": f"Bearer {KEY}"}

    response = await Stage().send("POST", "/embeddings", headers=headers, json={"model": "echo", "input": "a"})

    assert response.status_code == 200


async def test_a_wrong_key_is_401() -> None:
    response = await Stage().send(
        "POST", "/embeddings", headers={"api-key": STRANGERS_KEY}, json={"model": "echo", "input": "a"}
    )

    error_of(response, 401, "Unauthorized")


async def test_an_unknown_model_is_404() -> None:
    response = await Stage().post("/embeddings", model="nothing", input="a")

    error_of(response, 404, "model_not_found")


async def test_too_long_an_input_is_400() -> None:
    response = await Stage(models=[make_model(max_tokens=3)]).post("/embeddings", model="echo", input=[[1, 2, 3, 4]])

    assert "3 tokens" in error_of(response, 400, "context_length_exceeded")["message"]


async def test_throttling_says_when_to_try_again() -> None:
    stage = Stage(throttles=errors.AllowanceExhausted("Enough.", retry_after=3, limited_by="tokens"))

    response = await stage.post("/embeddings", model="echo", input="a")

    error_of(response, 429, "too_many_requests")
    assert response.headers["retry-after"] == "3"


async def test_a_vendors_code_that_no_header_can_hold_stays_in_the_body() -> None:
    refusal = errors.ProviderRefused("No.", status=400, code="内容\n")

    response = await Stage(provider=EchoProvider(fails=lambda _: refusal)).post("/embeddings", model="echo", input="a")

    assert response.json()["code"] == "内容 "
    assert "x-ms-error-code" not in response.headers


async def test_a_large_answer_is_never_redirected(monkeypatch: pytest.MonkeyPatch) -> None:
    """azure-core carries the key to the other address."""
    monkeypatch.setattr(_response, "MAX_ANSWER", 2_500)

    response = await Stage().post("/embeddings", model="echo", input=[f"{n}" for n in range(40)])

    assert "at most" in error_of(response, 413, "body_too_large")["message"]


async def test_images_are_answered_with_what_exists() -> None:
    response = await Stage().post("/images/embeddings", model="echo", input=[{"image": "data:,"}])

    assert "POST /embeddings" in error_of(response, 404, "NotFound")["message"]


async def test_an_unknown_path_with_an_api_key_is_answered_so_that_every_sdk_understands() -> None:
    response = await Stage().send("GET", "/nothing", headers={"api-key": KEY})

    error_of(response, 404, "NotFound")


@pytest.mark.parametrize("path", ["/info", "/models/info", f"/info{VERSION}"])
async def test_info_shows_the_only_model(path: str) -> None:
    info = await Stage(models=[make_model(owner="someone")]).get_json(path)

    assert info == {"model_name": "echo", "model_type": "embeddings", "model_provider_name": "someone"}


async def test_info_shows_the_model_asked_for_or_the_gateway() -> None:
    stage = Stage(models=[make_model(), make_model(name="other", owner="someone")])

    assert (await stage.get_json("/info?model=other"))["model_name"] == "other"
    assert (await stage.get_json("/info"))["model_name"] == "embeddings-gateway"


async def test_info_about_a_model_that_does_not_exist_points_at_the_query() -> None:
    response = await Stage().send("GET", "/info?model=nothing")

    body = error_of(response, 404, "model_not_found")
    assert body["param"] == body["error"]["target"] == "model"
    assert body["details"] == {"loc": ["query", "model"], "value": "nothing"}


async def test_info_needs_a_key() -> None:
    error_of(await Stage().send("GET", "/info", headers={}), 401, "Unauthorized")
