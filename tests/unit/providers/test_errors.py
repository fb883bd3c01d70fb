"""What we make of vendors' errors: shapes and hints for all of them, codes and sentences by table."""

import json
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import (
    GatewayError,
    InputTooLong,
    ProviderMisbehaved,
    ProviderMisconfigured,
    ProviderRefused,
    ProviderThrottled,
    ProviderTimeout,
    ProviderUnavailable,
    RequestTooLarge,
)
from gateway.core.rate_limit import retry_after
from gateway.outbound.messages import HttpReply
from gateway.providers import _google, cohere, openai
from gateway.providers import errors as error_tables
from gateway.providers._errors import read_vendor_error
from gateway.providers.errors import error_table
from tests.unit.providers.builders import json_reply

ERRORS = json.loads((Path(__file__).parents[2] / "fixtures" / "openai" / "errors.json").read_text())


def read(reply: HttpReply, table: str = "openai") -> GatewayError:
    return read_vendor_error(reply, error_table(table))


def test_a_row_may_name_each_table() -> None:
    files = {file.stem for file in Path(str(error_tables.__file__)).parent.glob("*.py")} - {"__init__"}

    assert set(get_args(get_type_hints(openai.Settings)["errors"])) == files


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"error":', b'{"error":{"details":[{"a":', b'[{"error":'])
@pytest.mark.parametrize("status", [200, 400, 429, 500])
def test_json_that_is_nested_without_end_is_no_failure_of_ours(opening: bytes, status: int) -> None:
    cause = read(HttpReply(status=status, body=opening * 100_000))

    assert type(cause) is {429: ProviderThrottled, 500: ProviderUnavailable}.get(status, ProviderMisbehaved)


# Without a table's name, and so with that of OpenAI.

CAUSES: dict[str, tuple[type[GatewayError], dict[str, Any]]] = {
    "openai context length": (InputTooLong, {"tokens": 51435, "limit": 8192, "index": None}),
    "openai input length": (InputTooLong, {"tokens": None, "limit": 8192, "index": None}),
    "openai context length by code": (InputTooLong, {"message": "Too long.", "tokens": None, "limit": None}),
    "openai tokens per request": (
        RequestTooLarge,
        {"message": "Requested 453357 tokens, max 300000 tokens per request", "param": "input"},
    ),
    "openai invalid input": (ProviderRefused, {"status": 400, "code": None}),
    "openai wrong key": (ProviderMisconfigured, {}),
    "openai country": (ProviderMisconfigured, {}),
    "openai model": (ProviderMisconfigured, {}),
    "openai rate limit": (
        ProviderThrottled,
        {
            "retry_after": 1.5,
            "message": "The provider has had enough for now: Rate limit reached for text-embedding-3-small in "
            "organization [redacted] on tokens per min (TPM): Limit 1000000, Used 999000, Requested 5000. "
            "Please try again in 240ms.",
        },
    ),
    "openai rate limit in words": (ProviderThrottled, {"retry_after": 66.5}),
    "openai quota": (ProviderMisconfigured, {}),
    "openai overloaded": (
        ProviderUnavailable,
        {
            "message": "The provider failed (HTTP 503): The engine is currently overloaded, please try again later",
        },
    ),
    "azure rate limit": (ProviderThrottled, {"retry_after": 38}),
    "azure rate limit by date": (ProviderThrottled, {"retry_after": 30}),
    "azure deployment": (ProviderMisconfigured, {}),
    "azure key": (ProviderMisconfigured, {}),
    "azure content filter": (ProviderRefused, {"status": 400, "code": "content_filter", "param": "prompt"}),
    "azure inference, reference page": (ProviderRefused, {"status": 422, "message": "dimensions is not supported"}),
    "google": (ProviderRefused, {"status": 400, "code": None, "message": "Invalid value."}),
    "google in an array": (ProviderRefused, {"status": 400, "code": None, "message": "Invalid value."}),
    "google retry info": (ProviderThrottled, {"retry_after": 38.5}),
    "google retry info in an array": (ProviderThrottled, {"retry_after": 7}),
    "tei too long": (InputTooLong, {"tokens": 600, "limit": 512}),
    "tei batch": (RequestTooLarge, {"param": "input", "message": "batch size 33 > maximum allowed batch size 32"}),
    "tei native": (ProviderRefused, {"status": 422, "message": "Input validation error: empty"}),
    "tei overloaded": (ProviderThrottled, {"retry_after": None}),
    "tei backend": (ProviderUnavailable, {"message": "The provider failed (HTTP 424): Inference failed"}),
    "vllm old": (ProviderRefused, {"status": 400, "code": None}),
    "vllm too long": (InputTooLong, {"tokens": 1000, "limit": 512}),
    "ollama model": (ProviderMisconfigured, {}),
    "ollama too long": (InputTooLong, {"tokens": None, "limit": None}),
    "fastapi problems": (
        ProviderRefused,
        {"message": "body.input.0: Input should be a valid string; body.model: Field required"},
    ),
    "voyage": (ProviderRefused, {"message": "Model gone is not supported."}),
    "mistral": (ProviderRefused, {"code": "3210"}),
    "mistral problems in a message": (
        ProviderRefused,
        {"message": "body.dimensions: Extra inputs are not permitted", "status": 422},
    ),
    "cohere": (ProviderRefused, {"message": "invalid request: valid input_type must be provided"}),
    "api gateway": (ProviderMisconfigured, {}),
}


def test_every_recorded_error_has_its_cause() -> None:
    assert CAUSES.keys() == ERRORS.keys()


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_becomes_its_cause(name: str) -> None:
    told = ERRORS[name]
    expected, facts = CAUSES[name]

    error = read(json_reply(told["body"], told["status"], **told.get("headers", {})))

    assert type(error) is expected
    assert {fact: getattr(error, fact) for fact in facts} == facts


# With the table of the vendor.

BY_TABLE: dict[str, tuple[str, int, object, type[GatewayError], dict[str, Any]]] = {
    "voyage, one input": (
        "voyage",
        400,
        {
            "detail": "Request to model 'voyage-4' failed. The example at index 0 in your batch has too many tokens "
            "and does not fit into the model's context window of 32000 tokens. Please lower the number of tokens."
        },
        InputTooLong,
        {"tokens": None, "limit": 32000, "index": None},
    ),
    "voyage, all together": (
        "voyage",
        400,
        {
            "detail": "Request to model 'voyage-4-large' failed. The max allowed tokens per submitted batch is 120000. "
            "Your batch has 187609 tokens after truncation."
        },
        RequestTooLarge,
        {"param": "input"},
    ),
    "mistral, one input": (
        "mistral",
        400,
        {"object": "error", "message": "Input id 1 has 9000 tokens, exceeding max 8192 tokens.", "code": None},
        InputTooLong,
        {"tokens": 9000, "limit": 8192},
    ),
    "mistral, too many inputs": ("mistral", 400, ERRORS["mistral"]["body"], RequestTooLarge, {}),
    "mistral, all together": (
        "mistral",
        400,
        {"object": "error", "message": "Too many tokens in batch. Max is 16384 got 17555", "code": None},
        RequestTooLarge,
        {},
    ),
    "jina, no balance": (
        "jina",
        403,
        {"detail": "Insufficient account balance", "code": "AUTHZ_INSUFFICIENT_BALANCE"},
        ProviderMisconfigured,
        {},
    ),
    "jina, another 403": ("jina", 403, {"detail": "Forbidden"}, ProviderMisconfigured, {}),
    "tei, one input": ("tei", 422, ERRORS["tei too long"]["body"], InputTooLong, {"tokens": 600, "limit": 512}),
    "tei, too many inputs": ("tei", 413, ERRORS["tei batch"]["body"], RequestTooLarge, {}),
    "ollama, one input": ("ollama", 400, ERRORS["ollama too long"]["body"], InputTooLong, {"tokens": None}),
    "what another vendor would say": ("jina", 422, ERRORS["tei too long"]["body"], ProviderRefused, {"status": 422}),
}


@pytest.mark.parametrize(("table", "status", "body", "expected", "facts"), BY_TABLE.values(), ids=BY_TABLE)
def test_an_error_becomes_its_cause_by_the_vendor_s_own_words(
    table: str, status: int, body: object, expected: type[GatewayError], facts: dict[str, Any]
) -> None:
    error = read(json_reply(body, status), table)

    assert type(error) is expected
    assert {fact: getattr(error, fact) for fact in facts} == facts


# Whatever the vendor.

WITHOUT_JSON: dict[str, tuple[int, bytes, type[GatewayError]]] = {
    "a load balancer's page": (502, b"<html>Bad Gateway</html>", ProviderUnavailable),
    "a server without words": (500, b"", ProviderUnavailable),
    "a gateway's timeout": (504, b"upstream request timeout", ProviderTimeout),
    "a timeout": (408, b"", ProviderTimeout),
    "throttled without words": (429, b"slow down", ProviderThrottled),
    "no access without words": (401, b"", ProviderMisconfigured),
    "a wrong address": (404, b"<html>Not Found</html>", ProviderMisconfigured),
    "nothing instead of an error": (400, b"", ProviderMisbehaved),
    "an array instead of an error": (400, b"[]", ProviderMisbehaved),
    "an error without words": (400, b'{"error":{"code":1}}', ProviderMisbehaved),
    "a number": (400, b"17", ProviderMisbehaved),
    "a redirect": (307, b"", ProviderMisconfigured),
    "accepted, not answered": (202, b"{}", ProviderMisbehaved),
    "no content": (204, b"", ProviderMisbehaved),
}


@pytest.mark.parametrize(("status", "body", "expected"), WITHOUT_JSON.values(), ids=WITHOUT_JSON)
def test_what_is_no_error_of_the_vendor_s_is_judged_by_its_status(
    status: int, body: bytes, expected: type[GatewayError]
) -> None:
    error = read(HttpReply(status=status, body=body))

    assert type(error) is expected
    assert "html" not in error.message


@pytest.mark.parametrize(
    "name", ["openai wrong key", "openai country", "openai quota", "openai model", "azure key", "api gateway"]
)
def test_callers_learn_nothing_about_our_account_but_whom_to_ask(name: str) -> None:
    recorded = ERRORS[name]

    error = read(json_reply(recorded["body"], recorded["status"]))

    assert error.message == (
        "The provider of this model does not serve this gateway as it is set up. Only the operator of the gateway can "
        "mend that; trying again does not help."
    )


@pytest.mark.parametrize(
    "secret",
    ["sk-abcdef0123456789", "sk-proj-abc_DEF-123", "AIzaSyA1234567890", "Bearer abcdef012345", "org-a1B2c3D4e5F6g7"],
)
def test_what_looks_like_a_credential_is_taken_out_of_messages(secret: str) -> None:
    error = read(json_reply({"error": {"message": f"Wrong: {secret}, sorry."}}, 400))

    assert error.message == "Wrong: [redacted], sorry."


def test_ordinary_words_stay_in_messages() -> None:
    message = "A task-oriented, org-wide risk-free model of 2-disk-arrays; use Bearer tokens."

    error = read(json_reply({"error": {"message": message}}, 400))

    assert error.message == message


def test_a_long_message_is_cut() -> None:
    error = read(json_reply({"error": {"message": "no " * 10_000}}, 400))

    assert len(error.message) == 500
    assert error.message.endswith("…")


@given(
    st.binary(max_size=300)
    | st.recursive(
        st.none() | st.text() | st.integers() | st.floats(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["error", "message", "detail", "code", "type", "msg", "loc", "details"]), inner
            )
        ),
    ).map(lambda document: json.dumps(document).encode()),
    st.sampled_from([200, 302, 400, 401, 404, 429, 500]),
    st.sampled_from(["openai", "voyage", "mistral", "jina", "tei", "llama_cpp"]),
)
def test_whatever_a_vendor_says_becomes_a_cause(body: bytes, status: int, table: str) -> None:
    error = read(HttpReply(status=status, body=body, headers={"retry-after": "soon", "date": "now"}), table)

    assert isinstance(error, GatewayError)
    assert len(error.message) < 1100


WORDS_OF_A_CAUSE = {
    "openai": ({"message": "This model's maximum context length is 512 tokens, you requested 900"}, InputTooLong),
    "openai's code": ({"message": "No.", "code": "context_length_exceeded"}, InputTooLong),
    "llama.cpp": ({"message": "input (1029 tokens) is too large to process. increase the batch size"}, InputTooLong),
    "llama.cpp's cache": ({"message": "input prompt is too big compared to KV size, please increase KV"}, InputTooLong),
    "tei": ({"message": "`inputs` must have less than 512 tokens. Given: 600"}, InputTooLong),
    "an empty account": ({"message": "No.", "type": "insufficient_quota"}, ProviderMisconfigured),
    "a misspelt model": ({"message": "No.", "code": "model_not_found"}, ProviderMisconfigured),
    "a wrong key": ({"message": "No.", "code": "invalid_api_key"}, ProviderMisconfigured),
}


@pytest.mark.parametrize("status", [200, 400, 413, 422, 424, 429, 500, 503])
@pytest.mark.parametrize(("error", "expected"), WORDS_OF_A_CAUSE.values(), ids=WORDS_OF_A_CAUSE)
def test_what_a_vendor_says_goes_before_its_status(
    error: dict[str, str], expected: type[GatewayError], status: int
) -> None:
    assert type(read(json_reply({"error": error}, status))) is expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"error": {"message": "No successful provider responses.", "code": 404}}, ProviderUnavailable),
        ({"error": {"message": "Slow down.", "code": 429}}, ProviderThrottled),
        ({"error": {"message": "Slow down.", "code": "429"}}, ProviderThrottled),
        ({"error": {"message": "Late.", "code": 504}}, ProviderTimeout),
        ({"error": {"message": "Who?", "code": 401}}, ProviderMisconfigured),
        ({"error": {"message": "Bad parameter.", "code": 400}}, ProviderRefused),
        ({"error": {"message": "Broken."}}, ProviderUnavailable),
    ],
)
def test_an_error_inside_a_200_is_an_error(body: object, expected: type[GatewayError]) -> None:
    assert type(read(json_reply(body, 200))) is expected


@pytest.mark.parametrize("code", [400, "400", 422, "500", 429])
def test_an_http_status_is_no_code(code: object) -> None:
    error = read(json_reply({"error": {"message": "No.", "code": code}}, 400))

    assert isinstance(error, ProviderRefused)
    assert error.code is None


@pytest.mark.parametrize("field", ["code", "param"])
def test_codes_and_parameters_are_short_and_fit_a_header(field: str) -> None:
    error = read(json_reply({"error": {"message": "No.", field: "a\r\nb" + "x" * 20_000}}, 400))

    assert getattr(error, field) == "ab" + "x" * 62


HINTS: dict[str, tuple[dict[str, str], str, float | None]] = {
    "seconds": ({"retry-after": "7"}, "", 7),
    "milliseconds": ({"retry-after-ms": "1500"}, "", 1.5),
    "a negative number": ({"retry-after": "-5"}, "", None),
    "no number": ({"retry-after": "nan"}, "", None),
    "a date": ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, "", 30),
    "a date without its now": ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, "", None),
    "a date in the past": (
        {"retry-after": "Wed, 21 Oct 2020 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"},
        "",
        0,
    ),
    "words": ({}, "Please try again in 20s.", 20),
    "words with minutes": ({}, "Please try again in 1m6.5s.", 66.5),
    "words with hours": ({}, "Please try again in 1h2m3s.", 3723),
    "words with milliseconds": ({}, "Please try again in 240ms.", 0.24),
    "long words": ({}, "Please retry after 38 seconds.", 38),
    "minutes alone": ({}, "retry after 2 minutes", 120),
    "no hint in the words": ({}, "try again in a while", None),
}


@pytest.mark.parametrize(("headers", "message", "seconds"), HINTS.values(), ids=HINTS)
def test_a_hint_about_time_is_read_wherever_it_stands(
    headers: dict[str, str], message: str, seconds: float | None
) -> None:
    error = read(json_reply({"error": {"message": message or "No."}}, 429, **headers))

    assert isinstance(error, ProviderThrottled)
    assert error.retry_after == seconds


DIGITS = st.text("0123456789.-+e", max_size=12) | st.integers(1, 5_000).map(lambda count: "9" * count)
DATES = st.builds(
    "{}, {} {} {} {}:{}:{} {}".format,
    st.sampled_from(["Fri", "xxx", ""]),
    DIGITS,
    st.sampled_from(["Dec", "Jan", "13"]),
    DIGITS,
    DIGITS,
    DIGITS,
    DIGITS,
    st.sampled_from(["GMT", "-2359", "+9999", "", "-0000"]),
) | st.sampled_from(
    [
        "Fri, 99999999999999999999 Dec 2026 07:28:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "Fri, 01 Jan 0001 00:00:00 +2359",
    ]
)


@given(hint=DIGITS | DATES | st.text(max_size=30), now=DATES, delay=DIGITS, words=DIGITS)
def test_however_absurd_a_hint_is_clients_wait_one_to_sixty_seconds(
    hint: str, now: str, delay: str, words: str
) -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{delay}s"}]
    for place in ("header", "body", "words"):
        headers = {"retry-after": hint, "retry-after-ms": hint, "date": now} if place == "header" else {}
        body = {"error": {"message": f"try again in {words}s", "details": details if place == "body" else []}}
        error = read(HttpReply(status=429, body=json.dumps(body).encode(), headers=headers))

        assert isinstance(error, ProviderThrottled)
        assert 1 <= retry_after(error.retry_after or 1) <= 60


NESTED_ERRORS: dict[str, object] = {
    "an error": {"error": {"message": "The sentence.", "code": "its_code"}},
    "in a list of Google's": [{"error": {"message": "The sentence.", "code": "its_code"}}],
    "a list of errors": {"errors": [{"message": "The sentence.", "code": "its_code"}]},
    "in a text": {"error": json.dumps({"message": "The sentence.", "code": "its_code"})},
    "as a text": json.dumps({"error": {"message": "The sentence.", "code": "its_code"}}),
    "of an aggregator's own provider": {
        "error": {
            "message": "Provider returned error",
            "code": 400,
            "metadata": {"raw": json.dumps({"error": {"message": "The sentence.", "code": "its_code"}})},
        }
    },
    "RFC 9457": {"title": "The sentence.", "status": 400, "code": "its_code"},
}


@pytest.mark.parametrize("shape", NESTED_ERRORS)
@pytest.mark.parametrize("status", [400, 422])
def test_an_error_is_found_wherever_it_stands(shape: str, status: int) -> None:
    cause = read(json_reply(NESTED_ERRORS[shape], status))

    assert isinstance(cause, ProviderRefused)
    assert (cause.message, cause.code) == ("The sentence.", "its_code")


def test_a_caller_s_text_that_looks_like_an_error_is_not_taken_for_the_vendor_s() -> None:
    said = 'Bad input: {"error": {"message": "No.", "code": "insufficient_quota"}}'

    cause = read(json_reply({"error": {"message": said, "code": "bad_input"}}, 400))

    assert isinstance(cause, ProviderRefused)
    assert cause.code == "bad_input"


def test_a_text_alone_is_an_error() -> None:
    assert read(json_reply("The sentence.", 400)).message == "The sentence."


@pytest.mark.parametrize("place", ["code", "type", "status"])
@pytest.mark.parametrize("status", [400, "422"])
def test_an_http_status_anywhere_in_a_body_is_the_status_and_no_code(place: str, status: object) -> None:
    cause = read(json_reply({"message": "No.", place: status}, 200))

    assert isinstance(cause, ProviderRefused)
    assert (cause.status, cause.code) == (int(str(status)), None)


EXHAUSTED = [
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
    "project_spend_limit_exceeded",
]


@pytest.mark.parametrize("place", ["code", "type"])
@pytest.mark.parametrize("code", EXHAUSTED)
@pytest.mark.parametrize("status", [200, 400, 402, 403, 429, 500, 503])
def test_an_empty_account_is_the_operator_s_whatever_the_status(place: str, code: str, status: int) -> None:
    assert isinstance(read(json_reply({"error": {"message": "No.", place: code}}, status)), ProviderMisconfigured)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 401, 402, 403, 404, 405, 410])
@pytest.mark.parametrize("body", [b"", b"<html>No</html>", b'{"message": "No."}'])
def test_what_only_the_operator_can_mend_is_told_as_such(status: int, body: bytes) -> None:
    assert isinstance(read(HttpReply(status=status, body=body)), ProviderMisconfigured)


@pytest.mark.parametrize("status", [400, 402, 429])
def test_google_s_depleted_prepayment_is_the_operator_s(status: int) -> None:
    said = {
        "error": {"code": status, "status": "RESOURCE_EXHAUSTED", "message": "Your prepayment credits are depleted."}
    }

    assert isinstance(read_vendor_error(json_reply(said, status), _google.ERRORS), ProviderMisconfigured)


@pytest.mark.parametrize("status", [200, 400, 422, 429, 500])
def test_cohere_s_too_many_tokens_is_the_caller_s(status: int) -> None:
    said = {
        "message": "too many tokens: size limit exceeded by 19296 tokens. Try using shorter or fewer inputs. "
        "The limit for this model is 132000 tokens."
    }

    assert isinstance(read_vendor_error(json_reply(said, status), cohere.ERRORS), InputTooLong)
