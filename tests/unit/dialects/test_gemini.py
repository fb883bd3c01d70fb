"""Gemini's dialect, as its clients see it."""

import struct
from collections.abc import Sequence
from typing import Any

import pytest

from gateway.core import errors
from gateway.core.catalogue import Symmetry
from gateway.core.embedding import Purpose
from gateway.dialects import gemini
from tests.fakes.echo_provider import echo_vector
from tests.fakes.models import make_model
from tests.unit.dialects.stage import KEY, STRANGERS_KEY, Stage

BASES = ("/v1beta", "/v1", "/gemini/v1beta", "/gemini/v1", "/gemini")


def content(*texts: str) -> dict[str, Any]:
    return {"parts": [{"text": text} for text in texts]}


def packed(values: Sequence[float]) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def by_purpose(**changes: Any) -> Stage:
    rules = dict.fromkeys(Purpose, "native")
    return Stage(models=[make_model(symmetry=Symmetry.BY_PURPOSE, purposes=rules, accepts_title=True, **changes)])


def error_of(response: Any, status: int, code: str) -> dict[str, Any]:
    """Any: an httpx response."""
    assert response.status_code == status
    error: dict[str, Any] = response.json()["error"]
    assert error["code"] == status
    assert error["status"] == code
    assert error["message"]
    return error


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("kind", ["models", "tunedModels"])
async def test_one_content_gets_one_vector(base: str, kind: str) -> None:
    response = await Stage().post(f"{base}/{kind}/echo:embedContent", content=content("hello there"))

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert packed(response.json()["embedding"]["values"]) == echo_vector("hello there", 8)
    assert response.json()["usageMetadata"] == {
        "promptTokenCount": 2,
        "promptTokenDetails": [{"modality": "TEXT", "tokenCount": 2}],
    }


@pytest.mark.parametrize("base", BASES)
async def test_a_batch_keeps_its_order(base: str) -> None:
    texts = [f"text {number % 7}" for number in range(20)]
    requests = [{"model": "models/echo", "content": {"role": "user", **content(text)}} for text in texts]

    response = await Stage().post(f"{base}/models/echo:batchEmbedContents", requests=requests)

    vectors = [packed(item["values"]) for item in response.json()["embeddings"]]
    assert vectors == [echo_vector(text, 8) for text in texts]


@pytest.mark.parametrize("name", ["vendor/model", "amazon.titan-embed-text-v2:0", "a:embedContent"])
async def test_a_model_is_found_by_a_name_with_slashes_and_colons(name: str) -> None:
    stage = Stage(models=[make_model(name=name)])

    response = await stage.post(f"/v1beta/models/{name}:embedContent", content=content("a"))

    assert response.status_code == 200


@pytest.mark.parametrize("headers", [{"x-goog-api-key": KEY}, {"authorization": f"Bearer {KEY}"}])
async def test_the_key_may_come_in_each_header(headers: dict[str, str]) -> None:
    response = await Stage().send(
        "POST", "/v1/models/echo:embedContent", headers=headers, json={"content": content("a")}
    )

    assert response.status_code == 200


async def test_the_key_may_come_in_the_query_and_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    response = await Stage().send(
        "POST", f"/v1beta/models/echo:embedContent?key={KEY}", headers={}, json={"content": content("a")}
    )

    assert response.status_code == 200
    assert KEY not in capsys.readouterr().out


async def test_the_parts_of_a_content_are_one_input() -> None:
    stage = Stage()

    await stage.post("/v1beta/models/echo:embedContent", content=content("one", "two"))

    assert stage.provider.inputs == ["one\ntwo"]


@pytest.mark.parametrize(
    "spelling",
    [
        {"taskType": "RETRIEVAL_DOCUMENT", "title": "T", "outputDimensionality": 4},
        {"task_type": "RETRIEVAL_DOCUMENT", "title": "T", "output_dimensionality": 4},
        {"taskType": "RETRIEVAL_DOCUMENT", "title": "T", "output_dimensionality": "4"},
    ],
)
async def test_fields_are_taken_in_both_spellings(spelling: dict[str, Any]) -> None:
    stage = by_purpose(shortenable=True)

    response = await stage.post("/v1beta/models/echo:embedContent", content=content("a"), **spelling)

    values = response.json()["embedding"]["values"]
    assert len(values) == 4
    assert sum(value * value for value in values) == pytest.approx(1, abs=1e-6)
    assert [(call.purpose, call.title) for call in stage.provider.calls] == [(Purpose.DOCUMENT, "T")]


@pytest.mark.parametrize(
    ("task_type", "purpose"),
    [
        ("TASK_TYPE_UNSPECIFIED", None),
        ("RETRIEVAL_QUERY", Purpose.QUERY),
        ("RETRIEVAL_DOCUMENT", Purpose.DOCUMENT),
        ("SEMANTIC_SIMILARITY", Purpose.SIMILARITY),
        ("CLASSIFICATION", Purpose.CLASSIFICATION),
        ("CLUSTERING", Purpose.CLUSTERING),
        ("QUESTION_ANSWERING", Purpose.QUESTION_ANSWERING),
        ("FACT_VERIFICATION", Purpose.FACT_VERIFICATION),
        ("CODE_RETRIEVAL_QUERY", Purpose.CODE_QUERY),
    ],
)
async def test_each_task_type_reaches_the_provider(task_type: str, purpose: Purpose | None) -> None:
    stage = by_purpose()

    await stage.post("/v1beta/models/echo:embedContent", content=content("a"), taskType=task_type)

    assert [call.purpose for call in stage.provider.calls] == [purpose]


async def test_null_means_absent() -> None:
    response = await Stage().post(
        "/v1beta/models/echo:embedContent",
        content={"role": None, **content("a")},
        taskType=None,
        title=None,
        outputDimensionality=None,
        model=None,
    )

    assert response.status_code == 200


async def test_null_means_absent_in_a_part() -> None:
    stage = Stage()
    part = {"text": "a", "inlineData": None, "file_data": None, "thought": None}

    response = await stage.post("/v1beta/models/echo:embedContent", content={"parts": [part]})

    assert response.status_code == 200
    assert stage.provider.inputs == ["a"]


async def test_requests_of_one_batch_may_ask_for_different_things() -> None:
    stage = by_purpose(shortenable=True)
    requests = [
        {"content": content("a"), "taskType": "RETRIEVAL_QUERY"},
        {"content": content("b"), "outputDimensionality": 3},
        {"content": content("c"), "taskType": "RETRIEVAL_QUERY"},
        {"content": content("d"), "taskType": "RETRIEVAL_DOCUMENT", "title": "T"},
    ]

    response = await stage.post("/v1beta/models/echo:batchEmbedContents", requests=requests)

    embeddings = [item["values"] for item in response.json()["embeddings"]]
    assert [len(values) for values in embeddings] == [8, 3, 8, 8]
    assert packed(embeddings[2]) == echo_vector("c", 8, purpose=Purpose.QUERY)
    assert sorted(len(call.inputs) for call in stage.provider.calls) == [1, 1, 2]
    assert response.json()["usageMetadata"]["promptTokenCount"] == 4
    assert response.headers["x-gateway-cache-misses"] == "4"


async def test_a_text_too_long_is_named_by_its_place_among_mixed_requests() -> None:
    stage = by_purpose(max_tokens=2)
    requests = [
        {"content": content("a"), "taskType": "CLUSTERING"},
        {"content": content("b")},
        {"content": content("one two three four"), "taskType": "CLUSTERING"},
    ]

    response = await stage.post("/v1beta/models/echo:batchEmbedContents", requests=requests)

    error = error_of(response, 400, "INVALID_ARGUMENT")
    assert "input 2 has at least 4 tokens" in error["message"]
    assert error["details"][0]["fieldViolations"][0]["field"] == "requests[2].content"


async def test_a_text_too_long_is_named_by_its_place() -> None:
    stage = Stage(models=[make_model(max_tokens=2)])
    requests = [{"content": content("a")}, {"content": content("one two three four")}]

    batch = await stage.post("/v1beta/models/echo:batchEmbedContents", requests=requests)
    single = await stage.post("/v1beta/models/echo:embedContent", **requests[1])

    assert field_of(error_of(batch, 400, "INVALID_ARGUMENT")) == "requests[1].content"
    assert field_of(error_of(single, 400, "INVALID_ARGUMENT")) == "content"


def field_of(error: dict[str, Any]) -> str:
    detail = error["details"][0]
    assert detail["@type"] == "type.googleapis.com/google.rpc.BadRequest"
    return str(detail["fieldViolations"][0]["field"])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"content": None}, "content"),
        ({"content": {}}, "content"),
        ({"content": {"parts": []}}, "content"),
        ({"content": {"parts": [{"text": ""}]}}, "content.parts[0].text"),
        ({"content": {"parts": [{}]}}, "content.parts[0].text"),
        ({"content": {"parts": [{"text": 5}]}}, "content.parts[0].text"),
        ({"content": {"parts": ["a"]}}, "content.parts[0]"),
        ({"content": {"parts": [{"text": "a"}, {"inlineData": {}}]}}, "content.parts[1]"),
        ({"content": {"parts": [{"file_data": {}}]}}, "content.parts[0]"),
        ({"content": {"parts": [{"foo": 1}]}}, "content.parts[0].foo"),
        ({"content": {"parts": [{"text": "a"}, None]}}, "content.parts[1]"),
        ({"content": {"parts": [{"text": None, "inlineData": None}]}}, "content.parts[0].text"),
        ({"content": "a"}, "content"),
        ({"foo": 1}, "foo"),
        ({"dimensions": 4}, "dimensions"),
        ({"taskType": "SEARCH"}, "taskType"),
        ({"taskType": "CLUSTERING", "task_type": "CLUSTERING"}, "task_type"),
        ({"outputDimensionality": 0}, "outputDimensionality"),
        ({"outputDimensionality": True}, "outputDimensionality"),
        ({"outputDimensionality": 2.5}, "outputDimensionality"),
        ({"outputDimensionality": 4}, "outputDimensionality"),
        ({"title": "T"}, "title"),
        ({"taskType": "RETRIEVAL_QUERY", "title": "T"}, "title"),
        ({"model": "models/other"}, "model"),
    ],
)
async def test_a_wrong_field_is_refused_by_name_alone_and_in_a_batch(change: dict[str, Any], field: str) -> None:
    request = {"content": content("a"), **change}

    single = await Stage().post("/v1beta/models/echo:embedContent", **request)
    batch = await Stage().post("/v1beta/models/echo:batchEmbedContents", requests=[{"content": content("b")}, request])

    assert field_of(error_of(single, 400, "INVALID_ARGUMENT")) == field
    in_batch = field_of(error_of(batch, 400, "INVALID_ARGUMENT"))
    assert in_batch.removeprefix("requests[1].") == field


async def test_an_unknown_field_is_refused_in_googles_words() -> None:
    response = await Stage().post(
        "/v1beta/models/echo:batchEmbedContents", requests=[{"content": content("a"), "foo": 1}]
    )

    assert error_of(response, 400, "INVALID_ARGUMENT")["message"] == (
        "Invalid JSON payload received. Unknown name \"foo\" at 'requests[0]': Cannot find field."
    )


async def test_media_are_refused_by_name() -> None:
    part = {"inline_data": {"data": "AAE=", "mime_type": "image/png"}}

    response = await Stage().post("/v1beta/models/echo:embedContent", content={"parts": [part]})

    assert "inline_data" in error_of(response, 400, "INVALID_ARGUMENT")["message"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"5"])
async def test_a_body_that_is_not_the_json_of_an_object_is_refused(body: bytes) -> None:
    headers = {"x-goog-api-key": KEY, "content-type": "application/json"}

    response = await Stage().send("POST", "/v1beta/models/echo:embedContent", headers=headers, content=body)

    error_of(response, 400, "INVALID_ARGUMENT")


async def test_another_purpose_than_the_model_has_is_refused_as_task_type() -> None:
    stage = Stage(models=[make_model(symmetry=Symmetry.BY_PURPOSE)])

    response = await stage.post("/v1beta/models/echo:embedContent", content=content("a"), taskType="RETRIEVAL_QUERY")

    assert field_of(error_of(response, 400, "INVALID_ARGUMENT")) == "taskType"


@pytest.mark.parametrize(("most", "status"), [(100, 400), (150, 200)])
async def test_a_batch_is_as_long_as_googles_unless_the_catalogue_says_more(most: int, status: int) -> None:
    stage = Stage(models=[make_model(max_contents=most)])
    requests = [{"content": content(f"{number}")} for number in range(101)]

    response = await stage.post("/v1beta/models/echo:batchEmbedContents", requests=requests)

    assert response.status_code == status


@pytest.mark.parametrize(
    ("model", "status"),
    [("models/echo", 200), ("tunedModels/echo", 200), ("echo", 200), (None, 200), ("models/b", 400)],
)
async def test_the_model_of_a_batch_is_that_of_the_path(model: str | None, status: int) -> None:
    response = await Stage().post(
        "/v1beta/models/echo:batchEmbedContents", model=model, requests=[{"content": content("a")}]
    )

    assert response.status_code == status
    assert status == 200 or field_of(error_of(response, 400, "INVALID_ARGUMENT")) == "model"


@pytest.mark.parametrize("body", [{}, {"requests": []}, {"requests": None}])
async def test_an_empty_batch_is_refused(body: dict[str, Any]) -> None:
    response = await Stage().post("/v1beta/models/echo:batchEmbedContents", **body)

    assert field_of(error_of(response, 400, "INVALID_ARGUMENT")) == "requests"


async def test_a_wrong_key_is_refused_in_the_words_clients_look_for() -> None:
    response = await Stage().send(
        "POST",
        "/v1/models/echo:embedContent",
        headers={"x-goog-api-key": STRANGERS_KEY},
        json={"content": content("a")},
    )

    error = error_of(response, 400, "INVALID_ARGUMENT")
    assert error["message"].startswith("API key not valid.")
    assert error["details"][0]["reason"] == "API_KEY_INVALID"


async def test_no_key_at_all_is_refused() -> None:
    response = await Stage().send("POST", "/v1/models/echo:embedContent", headers={}, json={"content": content("a")})

    error_of(response, 403, "PERMISSION_DENIED")


async def test_an_unknown_model_is_404() -> None:
    response = await Stage().post("/v1/models/nothing:embedContent", content=content("a"))

    error_of(response, 404, "NOT_FOUND")


async def test_an_exhausted_allowance_says_when_to_try_again() -> None:
    stage = Stage(throttles=errors.AllowanceExhausted("Enough.", retry_after=6.5, limited_by="tokens"))

    response = await stage.post("/v1/models/echo:embedContent", content=content("a"))

    quota, retry = error_of(response, 429, "RESOURCE_EXHAUSTED")["details"]
    assert quota["violations"][0]["quotaId"] == "EmbedContentTokensPerMinute"
    assert retry == {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}
    assert response.headers["retry-after"] == "7"


async def test_an_unknown_verb_is_answered_with_what_exists() -> None:
    response = await Stage().post("/v1beta/models/echo:generateContent")

    assert ":embedContent" in error_of(response, 404, "NOT_FOUND")["message"]


async def test_an_unknown_path_with_googles_credential_is_answered_as_google_would() -> None:
    response = await Stage().send("GET", "/v1/cachedContents", headers={"x-goog-api-key": KEY})

    error_of(response, 404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/v1/models", {"x-goog-api-key": KEY}),
        (f"/v1/models?key={KEY}", {}),
        ("/v1beta/models", {"authorization": f"Bearer {KEY}"}),
        ("/gemini/v1/models", {"authorization": f"Bearer {KEY}"}),
    ],
)
async def test_models_are_listed_for_googles_clients(path: str, headers: dict[str, str]) -> None:
    response = await Stage(models=[make_model(description="An echo.")]).send("GET", path, headers=headers)

    assert response.json() == {
        "models": [
            {
                "name": "models/echo",
                "version": "001",
                "displayName": "echo",
                "description": "An echo.",
                "inputTokenLimit": 8192,
                "outputTokenLimit": 1,
                "supportedGenerationMethods": ["embedContent", "batchEmbedContents"],
            }
        ]
    }


async def test_the_same_path_lists_them_for_openais_clients() -> None:
    assert "data" in await Stage().get_json("/v1/models")
    assert (await Stage().get_json("/v1/models/echo"))["object"] == "model"


async def test_one_model_is_shown() -> None:
    response = await Stage().send("GET", "/v1/models/echo", headers={"x-goog-api-key": KEY})

    assert response.json()["name"] == "models/echo"


@pytest.mark.parametrize(("count", "size"), [(0, 2), (1, 1), (4, 2), (5, 2), (51, 0), (3, 5000)])
async def test_pages_cover_all_models_once_and_none_is_empty(count: int, size: int) -> None:
    stage = Stage(models=[make_model(name=f"m{number:03}") for number in range(count)])
    names, token = [], ""

    for page_number in range(100):
        page = await stage.get_json(f"/v1beta/models?pageSize={size}&pageToken={token}")
        assert page["models"] or not page_number
        names += [model["name"] for model in page["models"]]
        if "nextPageToken" not in page:
            break
        token = page["nextPageToken"]

    assert names == [f"models/m{number:03}" for number in range(count)]


async def test_a_page_is_asked_for_in_both_spellings() -> None:
    stage = Stage(models=[make_model(name=name) for name in "abc"])

    page = await stage.get_json("/v1beta/models?page_size=1&page_token=a")

    assert ([model["name"] for model in page["models"]], page["nextPageToken"]) == (["models/b"], "b")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("pageSize=1&pageSize=1", "pageSize"),
        ("pageSize=1&page_size=2", "pageSize"),
        ("page_token=a&page_token=b", "pageToken"),
    ],
)
async def test_a_page_is_asked_for_once(query: str, field: str) -> None:
    response = await Stage().send("GET", f"/v1beta/models?{query}")

    assert field_of(error_of(response, 400, "INVALID_ARGUMENT")) == field


@pytest.mark.parametrize(
    "query", ["pageSize=x", "page_size=x", "pageSize=-1", "pageSize=2147483648", "pageSize=99999999999"]
)
async def test_a_wrong_page_is_refused(query: str) -> None:
    response = await Stage().send("GET", f"/v1beta/models?{query}")

    error_of(response, 400, "INVALID_ARGUMENT")


NUMBERED = list(enumerate(gemini.PURPOSES))


@pytest.mark.parametrize(("number", "name"), NUMBERED)
@pytest.mark.parametrize("spell", ["taskType", "task_type"])
async def test_the_number_of_an_enum_is_as_good_as_its_name(number: int, name: str, spell: str) -> None:
    """Google's generated REST clients send numbers (`enum-encoding=int`)."""
    values = []
    for task_type in (name, number, float(number)):
        stage = by_purpose(shortenable=True)
        path = "/v1beta/models/echo:embedContent?$alt=json;enum-encoding=int"
        response = await stage.post(path, content=content("a"), **{spell: task_type})
        assert response.status_code == 200
        values.append((response.json()["embedding"], [call.purpose for call in stage.provider.calls]))

    assert values[0] == values[1] == values[2]


@pytest.mark.parametrize("task_type", [9, -1, 1.5, True, False, [1], {}, "1"])
async def test_no_other_number_is_a_task_type(task_type: object) -> None:
    response = await Stage().post("/v1beta/models/echo:embedContent", content=content("a"), taskType=task_type)

    assert field_of(error_of(response, 400, "INVALID_ARGUMENT")) == "taskType"


OPTIONS = {"taskType": "RETRIEVAL_DOCUMENT", "title": "T", "outputDimensionality": 2}
IN_SNAKE_CASE = {"task_type": 2, "title": "T", "output_dimensionality": "2"}


@pytest.mark.parametrize("name", ["embedContentConfig", "embed_content_config"])
@pytest.mark.parametrize("options", [OPTIONS, IN_SNAKE_CASE])
async def test_options_in_the_config_do_what_their_deprecated_twins_do(name: str, options: dict[str, Any]) -> None:
    answers = []
    for given in (OPTIONS, {name: options}, {**OPTIONS, name: options}, {"title": "T", name: options}):
        stage = by_purpose(shortenable=True)
        request = {"content": content("a"), **given}
        single = await stage.post("/v1beta/models/echo:embedContent", **request)
        batch = await stage.post(
            "/v1beta/models/echo:batchEmbedContents", requests=[{"content": content("b")}, request]
        )
        answers.append((single.json(), batch.json(), [(call.purpose, call.title) for call in stage.provider.calls]))

    assert answers[0][0]["embedding"]
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"taskType": "RETRIEVAL_QUERY"}, "embedContentConfig.taskType"),
        ({"title": "Other"}, "embedContentConfig.title"),
        ({"outputDimensionality": 3}, "embedContentConfig.outputDimensionality"),
        ({"autoTruncate": True}, "embedContentConfig.autoTruncate"),
        ({"auto_truncate": False}, "embedContentConfig.autoTruncate"),
        ({"documentOcr": True}, "embedContentConfig.documentOcr"),
        ({"audioTrackExtraction": True}, "embedContentConfig.audioTrackExtraction"),
        ({"foo": 1}, "embedContentConfig.foo"),
        ({"content": {}}, "embedContentConfig.content"),
        ({"taskType": 99}, "embedContentConfig.taskType"),
        ({"outputDimensionality": 0}, "embedContentConfig.outputDimensionality"),
        ("x", "embedContentConfig"),
    ],
)
async def test_an_option_of_the_config_is_honoured_or_refused_by_name(config: object, field: str) -> None:
    stage = by_purpose(shortenable=True)
    request = {"content": content("a"), **OPTIONS, "embedContentConfig": config}

    single = await stage.post("/v1beta/models/echo:embedContent", **request)
    batch = await stage.post("/v1beta/models/echo:batchEmbedContents", requests=[request])

    assert field_of(error_of(single, 400, "INVALID_ARGUMENT")) == field
    assert field_of(error_of(batch, 400, "INVALID_ARGUMENT")).removeprefix("requests[0].") == field


@pytest.mark.parametrize(
    "path",
    ["/v1/embeddings", "/openai/eu/v1/embeddings", "/openai/v1/embeddings", "/embeddings", "/ctyun/v1/embeddings"],
)
async def test_a_key_in_the_address_opens_nothing_but_gemini(path: str) -> None:
    response = await Stage().send("POST", f"{path}?key={KEY}", headers={}, json={"model": "echo", "input": "a"})

    assert response.status_code == 401
