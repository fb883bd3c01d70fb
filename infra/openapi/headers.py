"""The headers of answers: which there are, and which of them an answer has always."""

from collections.abc import Sequence
from typing import Any

from gateway.dialects._context import Answer

Json = dict[str, Any]

COUNT: Json = {"type": "integer", "minimum": 0}
LIMIT: Json = {"type": "integer", "minimum": 1}
TIME: Json = {"type": "string", "pattern": r"^\d+(\.\d+)?s$"}

HEADERS: dict[str, Json] = {
    "x-request-id": {
        "description": "Tell it when you complain.",
        "schema": {"type": "string"},
        "example": "0a1b2c3d4e5f",
    },
    "retry-after": {
        "description": "Seconds to wait.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 60},
        "example": 13,
    },
    "retry-after-ms": {"description": "Milliseconds to wait, where they are known.", "schema": LIMIT, "example": 12500},
    "allow": {"description": "The methods that the path takes.", "schema": {"type": "string"}, "example": "POST"},
    "x-ms-error-code": {
        "description": "The error's code once more.",
        "schema": {"type": "string"},
        "example": "Unauthorized",
    },
    "location": {
        "description": "Where the answer is, for as long as the link is good.",
        "schema": {"type": "string", "format": "uri"},
        "example": "https://files.example/answers/0a1b2c3d4e5f",
    },
    "x-ratelimit-limit-requests": {"description": "Requests per minute.", "schema": LIMIT, "example": 500},
    "x-ratelimit-limit-tokens": {"description": "Tokens per minute.", "schema": LIMIT, "example": 60000},
    "x-ratelimit-remaining-requests": {
        "description": "Requests left this minute.",
        "schema": COUNT,
        "example": 499,
    },
    "x-ratelimit-remaining-tokens": {"description": "Tokens left this minute.", "schema": COUNT, "example": 59994},
    "x-ratelimit-reset-requests": {"description": "Time until the minute ends.", "schema": TIME, "example": "12.5s"},
    "x-ratelimit-reset-tokens": {"description": "Time until the minute ends.", "schema": TIME, "example": "12.5s"},
    "x-gateway-route": {
        "description": "Which route of the model served.",
        "schema": {"type": "string"},
        "example": "openai-eu",
    },
    "x-gateway-cache-hits": {"description": "Inputs that the cache answered.", "schema": COUNT, "example": 0},
    "x-gateway-cache-misses": {"description": "Inputs that the provider answered.", "schema": COUNT, "example": 2},
    "x-gateway-tokens-billed": {
        "description": "Tokens the provider was asked for.",
        "schema": COUNT,
        "example": 6,
    },
    "x-gateway-tokens-estimated": {
        "description": "There if the provider gave no count, so that the usage is the gateway's own estimate.",
        "schema": {"type": "string"},
        "example": "true",
    },
}

ABOUT_ALLOWANCES = [name for name in HEADERS if name.startswith("x-ratelimit-")]
ABOUT_EMBEDDING = [name for name in HEADERS if name.startswith("x-gateway-")]

NOBODY_KNOWN = 401
"""The status at which it is not known whose allowance to tell of."""


def header(name: str) -> Json:
    """It, as an answer that always has it declares it."""
    return {**HEADERS[name], "required": True}


def headers_of_answers(*, embeds: bool) -> Json:
    """Those of a good answer."""
    names = [*ABOUT_ALLOWANCES, *(ABOUT_EMBEDDING if embeds else [])]
    return {"x-request-id": header("x-request-id"), **{name: _maybe(name) for name in names}}


def headers_of_errors(same: Sequence[Answer]) -> Json:
    """Those of errors alike in status: what their dialects give them, required if all have it."""
    own = {name for answer in same for name in answer.headers}
    always = {name for name in own if all(name in answer.headers for answer in same)} - {"x-ms-error-code"}
    told = {name: header(name) if name in always else _maybe(name) for name in HEADERS if name in own}
    known = () if same[0].status == NOBODY_KNOWN else ABOUT_ALLOWANCES
    return {"x-request-id": header("x-request-id"), **told, **{name: _maybe(name) for name in known}}


def _maybe(name: str) -> Json:
    return {"$ref": f"#/components/headers/{name}"}
