"""OpenAI's own clients, and LangChain's on top of one, in everything that users of OpenAI's embeddings do."""

import base64
import struct
from collections.abc import Callable
from uuid import uuid4

import pytest

from tests.e2e.clients.drivers import Drivers, Outcome, Program
from tests.e2e.clients.known import known_texts
from tests.e2e.clients.stage import OWN_MODEL, PLENTY, Stage
from tests.e2e.clients.vendor import SLOW_MODEL, VENDOR_MODEL, expected_vector

OPENAI_SDKS = (
    Program(environment="newest", name="openai_client"),
    Program(environment="established", name="openai_client"),
    Program(environment="javascript", name="openai", words=("7",)),
)
LANGCHAIN = Program(environment="established", name="langchain_openai_client", words=("texts",))
LANGCHAIN_AS_IT_COMES = Program(environment="established", name="langchain_openai_client")

openai_sdks = pytest.mark.parametrize("program", OPENAI_SDKS, ids=lambda program: program.id)
openai_sdks_and_langchain = pytest.mark.parametrize(
    "program", [*OPENAI_SDKS, LANGCHAIN], ids=lambda program: program.id
)


@pytest.fixture
def new_text(stage: Stage) -> Callable[[], str]:
    """Texts that no cache knows."""
    return lambda: f"{stage.marker} {uuid4().hex}"


@openai_sdks_and_langchain
def test_text_becomes_the_vector_that_sentence_transformers_makes(
    program: Program, drivers: Drivers, stage: Stage
) -> None:
    known = known_texts()[5]

    outcome = drivers[program].embed(key=stage.workspace.key, model=OWN_MODEL, input=known.text)

    assert outcome.vectors == [pytest.approx(known.vector, abs=1e-4)]
    assert outcome.usage in (known.tokens, None)


@openai_sdks_and_langchain
def test_batch_of_many_scripts_comes_back_in_order(program: Program, drivers: Drivers, stage: Stage) -> None:
    known = known_texts()

    outcome = drivers[program].embed(key=stage.workspace.key, model=OWN_MODEL, input=[item.text for item in known])

    assert outcome.vectors == [pytest.approx(item.vector, abs=1e-4) for item in known]
    assert outcome.usage in (sum(item.tokens for item in known), None)


@openai_sdks_and_langchain
def test_as_many_texts_as_openai_takes_come_back_in_order(
    program: Program, drivers: Drivers, stage: Stage, new_text: Callable[[], str]
) -> None:
    """Their 16.8 MB do not fit a Lambda's answer: the client is sent to fetch them, and does."""
    texts = [new_text() for _ in range(2048)]

    outcome = drivers[program].embed(key=stage.workspace.key, model=VENDOR_MODEL, input=texts)

    assert outcome.error is None
    assert len(outcome.vectors) == len(texts)
    for position in (0, 1, 762, 1023, 2047):
        assert outcome.vectors[position] == pytest.approx(expected_vector(texts[position]), abs=1e-6)
    assert len({tuple(vector[:96]) for vector in outcome.vectors}) == len(texts)


def test_as_many_short_texts_as_openai_takes_are_embedded_by_our_own_model(
    drivers: Drivers, stage: Stage, new_text: Callable[[], str]
) -> None:
    texts = [f"text {number}" for number in range(2048)]

    outcome = drivers[OPENAI_SDKS[0]].embed(key=stage.workspace.key, model=OWN_MODEL, input=texts)

    assert outcome.error is None
    assert len({tuple(vector) for vector in outcome.vectors}) == len(texts)
    single = drivers[OPENAI_SDKS[0]].embed(key=stage.workspace.key, model=OWN_MODEL, input=texts[2047])
    assert outcome.vectors[2047] == pytest.approx(single.vectors[0], abs=1e-4)


@openai_sdks
def test_token_ids_reach_a_vendor_that_takes_them(program: Program, drivers: Drivers, stage: Stage) -> None:
    driver = drivers[program]

    one = driver.embed(key=stage.workspace.key, model=VENDOR_MODEL, input=[15339, 1917])
    several = driver.embed(key=stage.workspace.key, model=VENDOR_MODEL, input=[[15339, 1917], [1917]])

    assert one.vectors == [pytest.approx(expected_vector([15339, 1917]), abs=1e-6)]
    assert one.usage == 2
    assert several.vectors == [
        pytest.approx(expected_vector([15339, 1917]), abs=1e-6),
        pytest.approx(expected_vector([1917]), abs=1e-6),
    ]


def test_langchain_as_it_comes_is_told_how_to_send_texts(drivers: Drivers, stage: Stage) -> None:
    """It sends ids of OpenAI's vocabulary, which mean other words to other models: never embedded by mistake."""
    outcome = drivers[LANGCHAIN_AS_IT_COMES].embed(key=stage.workspace.key, model=OWN_MODEL, input="hello")

    assert outcome.error
    assert outcome.error.kind == "BadRequestError"
    assert "check_embedding_ctx_length=False" in outcome.error.message


@openai_sdks
def test_base64_holds_the_same_numbers_as_floats(
    program: Program, drivers: Drivers, stage: Stage, new_text: Callable[[], str]
) -> None:
    driver, asked = drivers[program], {"key": stage.workspace.key, "model": OWN_MODEL, "input": new_text()}

    as_base64 = driver.embed(**asked, encoding_format="base64").vectors[0]
    as_floats = driver.embed(**asked, encoding_format="float").vectors[0]

    assert len(as_floats) == 384
    assert base64.b64decode(as_base64, validate=True) == struct.pack("<384f", *as_floats)


@openai_sdks
def test_answer_tells_what_is_left_of_the_minute(
    program: Program, drivers: Drivers, stage: Stage, new_text: Callable[[], str]
) -> None:
    workspace = stage.operator.make_workspace("--requests-per-minute", "50", "--tokens-per-minute", "5000")

    outcome = drivers[program].embed(key=workspace.key, model=VENDOR_MODEL, input=new_text())

    headers = outcome.exchanges[0].headers
    assert headers["x-ratelimit-limit-requests"] == "50"
    assert headers["x-ratelimit-remaining-requests"] == "49"
    assert headers["x-ratelimit-limit-tokens"] == "5000"
    assert 0 < int(headers["x-ratelimit-remaining-tokens"]) < 5000
    assert headers["x-request-id"]


@openai_sdks_and_langchain
def test_vendor_is_asked_only_for_what_is_not_cached(
    program: Program, drivers: Drivers, stage: Stage, new_text: Callable[[], str]
) -> None:
    driver, asked = drivers[program], {"key": stage.workspace.key, "model": VENDOR_MODEL}
    known, new = [new_text(), new_text()], [new_text(), new_text()]
    driver.embed(**asked, input=known)
    stage.vendor.reset()

    outcome = driver.embed(**asked, input=[new[0], known[0], new[1], known[1], new[0]])

    expected = [new[0], known[0], new[1], known[1], new[0]]
    assert outcome.vectors == [pytest.approx(expected_vector(text), abs=1e-6) for text in expected]
    assert stage.vendor.seen()["inputs"] == 2
    assert outcome.exchanges[0].headers["x-gateway-cache-hits"] == "2"


@openai_sdks
@pytest.mark.parametrize(
    ("asked", "kind", "status", "code", "param"),
    [
        ({"input": ""}, "BadRequestError", 400, "invalid_value", "input"),
        ({"input": []}, "BadRequestError", 400, "invalid_value", "input"),
        ({"input": ["x", ""]}, "BadRequestError", 400, "invalid_value", "input[1]"),
        ({"input": ["x", 1]}, "BadRequestError", 400, "invalid_value", "input[1]"),
        ({"input": ["x"] * 2049}, "BadRequestError", 400, "request_too_large", "input"),
        ({"input": [[1] * 8193]}, "BadRequestError", 400, "context_length_exceeded", "input"),
        ({"dimensions": 0}, "BadRequestError", 400, "invalid_value", "dimensions"),
        ({"dimensions": 1537}, "BadRequestError", 400, "unsupported_value", "dimensions"),
        ({"model": OWN_MODEL, "dimensions": 64}, "BadRequestError", 400, "unsupported_value", "dimensions"),
        ({"encoding_format": "int8"}, "BadRequestError", 400, "invalid_value", "encoding_format"),
        ({"key": "sk-of-somebody-else"}, "AuthenticationError", 401, "invalid_api_key", None),
        ({"path": "/openai/us"}, "PermissionDeniedError", 403, "wrong_region", "region"),
        ({"path": "/openai/mars"}, "NotFoundError", 404, "not_found", "region"),
        ({"model": "no-such-model"}, "NotFoundError", 404, "model_not_found", "model"),
        ({"model": "e2e-fail-429-retry-after-1"}, "RateLimitError", 429, "provider_rate_limit_exceeded", None),
        ({"model": "e2e-fail-401"}, "InternalServerError", 502, "provider_misconfigured", None),
        ({"model": "e2e-fail-500"}, "InternalServerError", 503, "provider_unavailable", None),
        ({"model": SLOW_MODEL}, "InternalServerError", 504, "provider_timeout", None),
        ({"model": "e2e-html"}, "InternalServerError", 502, "provider_misbehaved", None),
        ({"model": "e2e-nan"}, "InternalServerError", 502, "provider_misbehaved", None),
    ],
    ids=str,
)
def test_error_is_the_clients_own(  # noqa: PLR0917 - the columns of the table above
    program: Program,
    drivers: Drivers,
    stage: Stage,
    asked: dict[str, object],
    kind: str,
    status: int,
    code: str,
    param: str | None,
) -> None:
    usual: dict[str, object] = {"key": stage.workspace.key, "model": VENDOR_MODEL, "input": stage.marker}

    outcome = drivers[program].embed(retry=False, **usual | asked)

    assert_error(outcome, kind, status, code)
    assert outcome.error
    assert outcome.error.param == param


@openai_sdks
def test_key_for_some_models_opens_no_others(program: Program, drivers: Drivers, stage: Stage) -> None:
    workspace = stage.operator.make_workspace(*PLENTY)
    key = stage.operator.make_key(workspace.name, "--model", OWN_MODEL)

    outcome = drivers[program].embed(key=key, model=VENDOR_MODEL, input=stage.marker)

    assert_error(outcome, "PermissionDeniedError", 403, "model_not_permitted")


@openai_sdks
def test_key_that_was_revoked_opens_nothing(program: Program, drivers: Drivers, stage: Stage) -> None:
    workspace = stage.operator.make_workspace(*PLENTY)
    key_id = workspace.key.split("_")[2]
    stage.operator("keys", "revoke", workspace.name, key_id)

    outcome = drivers[program].embed(key=workspace.key, model=OWN_MODEL, input=stage.marker)

    assert_error(outcome, "AuthenticationError", 401, "invalid_api_key")


@openai_sdks
def test_body_that_is_too_large_is_refused_in_the_clients_words(
    program: Program, drivers: Drivers, stage: Stage
) -> None:
    outcome = drivers[program].embed(key=stage.workspace.key, model=OWN_MODEL, input=stage.marker * 300_000)

    assert outcome.error
    assert outcome.error.status == 413
    assert outcome.error.code == "body_too_large"


@openai_sdks
def test_request_that_no_minute_has_room_for_is_refused_at_once(
    program: Program, drivers: Drivers, stage: Stage
) -> None:
    """Not with a 429, which would be met again in every minute."""
    outcome = drivers[program].embed(key=stage.limited.key, model=VENDOR_MODEL, input=[[1] * 4000, [2] * 4000])

    assert_error(outcome, "BadRequestError", 400, "max_tokens_per_request")


@openai_sdks
def test_region_in_the_path_leads_to_the_same_models(program: Program, drivers: Drivers, stage: Stage) -> None:
    known = known_texts()[5]
    asked = {"key": stage.workspace.key, "model": OWN_MODEL, "input": known.text}

    outcomes = [drivers[program].embed(path=path, **asked) for path in ("/openai/eu", "/api/public/openai/eu")]

    assert [outcome.vectors for outcome in outcomes] == [[pytest.approx(known.vector, abs=1e-4)]] * 2


def assert_error(outcome: Outcome, kind: str, status: int, code: str) -> None:
    """One request, and the client's own error for it."""
    assert outcome.error
    assert (outcome.error.kind, outcome.error.status, outcome.error.code) == (kind, status, code)
    assert len(outcome.exchanges) == 1
