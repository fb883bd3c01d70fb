"""The headers of answers: which there are, and which of them an answer has always."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from gateway.dialects._response import Response
from infra.openapi.examples import REQUEST_ID

Json = dict[str, Any]

TEXT: Json = {"type": "string"}
COUNT: Json = {"type": "integer", "minimum": 0}
LIMIT: Json = {"type": "integer", "minimum": 1}
WAIT: Json = {"type": "integer", "minimum": 1, "maximum": 60}
TIME: Json = {"type": "string", "pattern": r"^\d+(\.\d+)?s$"}
URL: Json = {"type": "string", "format": "uri"}

_ROWS: Sequence[tuple[str, Json, object, str]] = (
    ("x-request-id", TEXT, REQUEST_ID, "Name it when you report a problem."),
    ("retry-after", WAIT, 13, "Seconds to wait."),
    ("retry-after-ms", LIMIT, 12500, "Milliseconds to wait, where they are known."),
    ("x-should-retry", TEXT, "false", "There if trying again does not help."),
    ("allow", TEXT, "POST", "The methods that the path takes."),
    ("x-ms-error-code", TEXT, "Unauthorized", "The error's code once more."),
    ("location", URL, f"https://files.example/{REQUEST_ID}", "Where the answer is, for as long as the link is good."),
    ("x-ratelimit-limit-requests", LIMIT, 500, "Requests per minute."),
    ("x-ratelimit-limit-tokens", LIMIT, 60000, "Tokens per minute."),
    ("x-ratelimit-remaining-requests", COUNT, 499, "Requests left this minute."),
    ("x-ratelimit-remaining-tokens", COUNT, 59994, "Tokens left this minute."),
    ("x-ratelimit-reset-requests", TIME, "12.5s", "Time until the minute ends."),
    ("x-ratelimit-reset-tokens", TIME, "12.5s", "Time until the minute ends."),
    ("x-gateway-route", TEXT, "openai-eu", "Which route of the model served."),
    ("x-gateway-cache-hits", COUNT, 0, "Inputs that the cache answered."),
    ("x-gateway-cache-misses", COUNT, 2, "Inputs that the provider answered."),
    ("x-gateway-tokens-billed", COUNT, 6, "Tokens the provider was asked for."),
    (
        "x-gateway-tokens-estimated",
        TEXT,
        "true",
        "There if the provider gave no count, so that the usage is the gateway's own estimate.",
    ),
)

HEADERS: Json = {
    name: {"description": description, "schema": schema, "example": example}
    for name, schema, example, description in _ROWS
}

ABOUT_ALLOWANCES = [name for name in HEADERS if name.startswith("x-ratelimit-")]
ABOUT_EMBEDDING = [name for name in HEADERS if name.startswith("x-gateway-")]

NOBODY_KNOWN = 401
"""The status of errors without a known caller."""


def headers_of_answers(*, embeds: bool, elsewhere: bool = False) -> Json:
    """Those of a good answer."""
    always = ["x-request-id", "location"] if elsewhere else ["x-request-id"]
    return _headers(always, [*ABOUT_ALLOWANCES, *(ABOUT_EMBEDDING if embeds else [])])


def headers_of_errors(same: Sequence[Response]) -> Json:
    """For errors of one status: all headers of its dialects, required if all have them."""
    some = {name for answer in same for name in answer.headers}
    # A vendor's code may be one that cannot stand in a header.
    always = {name for name in some if all(name in answer.headers for answer in same)} - {"x-ms-error-code"}
    known = () if same[0].status == NOBODY_KNOWN else ABOUT_ALLOWANCES
    return _headers({"x-request-id", *always}, {*some, *known})


def _headers(always: Collection[str], sometimes: Iterable[str]) -> Json:
    named = {*always, *sometimes}
    return {name: _header(name, required=name in always) for name in HEADERS if name in named}


def _header(name: str, *, required: bool) -> Json:
    return {**HEADERS[name], "required": True} if required else {"$ref": f"#/components/headers/{name}"}
