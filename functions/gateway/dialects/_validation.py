"""Bodies as wire models, and pydantic's problems as `InvalidRequest`."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from gateway.core.errors import BodyTooLarge, InvalidRequest, RequestTooLarge, WrongContentType
from gateway.core.shown import quoted
from gateway.dialects._body_text import as_utf8, path_text, why_unreadable

MAX_BODY = 5 * 1024 * 1024
"""Bytes. Lambda takes 6 MB with escaped body and headers; above that API Gateway refuses the call itself."""

MAX_ELEMENTS = 50_000
"""Inputs of a body; its arrays and objects, together; names of fields in these objects. No model takes as many inputs.

Reading a megabyte of them would take a hundred of memory, and each may be wrong.
"""

_STRUCTURE = re.compile(rb'(?:[^"\[{:]++|"(?:[^"\\]++|\\.)*+"?)*+([\[{:]|\Z)', re.DOTALL)
"""Finds the next sign of structure; texts may hold such signs in plenty."""

_PARTS = {b"[": "arrays and objects", b"{": "arrays and objects", b":": "names of fields"}

MAX_DIMENSIONS = 8192
"""For the OpenAPI document: no model known makes longer vectors."""

DIMENSIONS_SCHEMA: dict[str, Any] = {
    "anyOf": [{"type": "integer", "minimum": 1, "maximum": MAX_DIMENSIONS}, {"type": "null"}]
}

PRIVATE_FIELDS = {"input", "content", "requests", "title"}
"""Fields that may hold private text."""

Body = TypeVar("Body", bound=BaseModel)

DescribeProblem = Callable[[Any], tuple[str, str]]
"""From one of pydantic's error details (a TypedDict of its core) to the path and the message of a problem."""


def read_body(
    headers: Mapping[str, str],
    body: bytes,
    model: type[Body],
    describe: DescribeProblem,
    most: int | None = None,
    *,
    came_as_text: bool = False,
) -> Body:
    """The body as that wire model; raises `InvalidRequest`, `RequestTooLarge`, `BodyTooLarge`, `WrongContentType`.

    `most` is the number of elements that a list of this model may have, for lists that ask for it. `came_as_text` says
    that a front door has decoded the body before us.
    """
    check_content_type(headers)
    if len(body) > MAX_BODY:
        raise BodyTooLarge(f"The body has {len(body)} bytes; at most {MAX_BODY} are taken in one request.")
    text = as_utf8(body, headers, came_as_text=came_as_text)
    check_structure(text)
    # Not `model_validate_json`: its tree takes 40 bytes for a number, and each error copies what it is about.
    parsed = parse(text, describe)
    if b"null" in text:
        parsed = without_nulls(parsed, deep=model.model_config.get("extra") != "allow")
    try:
        return model.model_validate(parsed, context=most)
    except ValidationError as error:
        raise invalid(error, describe) from error


def parse(body: bytes, describe: DescribeProblem) -> Any:  # JSON
    """The body's JSON; raises `InvalidRequest`."""
    try:
        return from_json(body)
    except ValueError as error:
        path, message = describe({"type": "json_invalid", "loc": (), "ctx": {"error": str(error)}})
        told = InvalidRequest(message, param=path or None, problems=[(path, message)])
        raise why_unreadable(body) or told from error


def without_nulls(value: Any, *, deep: bool) -> Any:  # JSON
    """The same without the fields that are null: they are absent. In an array null is an element, and stays.

    Not `deep` is for bodies whose fields may be handed to a vendor: what stands within these is the vendor's.
    """
    if isinstance(value, dict):
        return {
            name: without_nulls(field, deep=deep) if deep else field
            for name, field in value.items()
            if field is not None
        }
    return [without_nulls(item, deep=deep) for item in value] if isinstance(value, list) else value


def check_structure(body: bytes) -> None:
    """Raises `RequestTooLarge` for JSON that has too many parts to be read."""
    if body.count(b"[") + body.count(b"{") <= MAX_ELEMENTS >= body.count(b":"):
        return
    counts = Counter[str]()
    for sign in _STRUCTURE.finditer(body):
        counts[_PARTS.get(sign[1], "")] += 1
        if counts["arrays and objects"] > MAX_ELEMENTS or counts["names of fields"] > MAX_ELEMENTS:
            part = max(counts, key=counts.__getitem__)
            raise RequestTooLarge(
                f"The body has more than {MAX_ELEMENTS} {part}; at most {MAX_ELEMENTS} are taken in one request."
            )


def check_count(elements: Any, most: int, what: str, param: str) -> None:  # JSON as it came
    """Raises `RequestTooLarge` for a list of too many elements, before anything looks at them."""
    if isinstance(elements, list) and len(elements) > most:
        raise RequestTooLarge(
            f"The request has {len(elements)} {what}; at most {most} are taken in one request.", param=param
        )


def check_content_type(headers: Mapping[str, str]) -> None:
    """Raises `WrongContentType` unless the headers say that the body is JSON, or say nothing."""
    kind = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise WrongContentType(f"The body is {quoted(kind)}; send JSON with 'Content-Type: application/json'.")
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise WrongContentType(f"The body is encoded with {quoted(encoding)}; send it as it is.")


def invalid(error: ValidationError, describe: DescribeProblem) -> InvalidRequest:
    """The first problem as the cause, all of them as its `problems`. Messages repeat no value: it may be private."""
    details = error.errors(include_url=False, include_input=False)
    problems = [describe(detail) for detail in details]
    path, message = problems[0]
    unknown = details[0]["type"] == "extra_forbidden"
    return InvalidRequest(
        message, param=path or None, value=_value(error, details[0]), problems=problems, unknown=unknown
    )


def _value(error: ValidationError, detail: Any) -> Any:  # a pydantic ErrorDetails; JSON as it came
    """The wrong value of a parameter that this dialect has, unless private text stands there."""
    if (
        len(detail["loc"]) != 1
        or detail["loc"][0] in PRIVATE_FIELDS
        or detail["type"] in {"extra_forbidden", "missing"}
    ):
        return None
    return error.errors(include_url=False)[0]["input"]


def describe_problem(detail: Any) -> tuple[str, str]:  # a pydantic ErrorDetails, which is a TypedDict of its core
    """Where a body is wrong and how, in OpenAI's words."""
    path = path_text(detail["loc"])
    match detail["type"]:
        case "json_invalid":
            return "", f"The body is not JSON: {detail['ctx']['error']}."
        case "missing":
            return path, f"Missing required parameter: '{path}'."
        case "extra_forbidden":
            return path, f"Unrecognized request argument supplied: {path}."
        case "model_type":
            return path, "The body must be a JSON object." if not path else f"'{path}' must be an object."
    return path, f"Invalid '{path}': {detail['msg'][:1].lower()}{detail['msg'][1:]}."


def renamed(param: str | None, names: Mapping[str, str]) -> str | None:
    """A parameter under the name that the dialect's clients use: `names` has the first part of its path."""
    if param is None:
        return None
    head = param.split("[")[0].split(".")[0]
    return names.get(head, head) + param[len(head) :]
