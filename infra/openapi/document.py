"""The document as a whole: operations, schemas, errors by status with their causes, examples from golden bodies."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gateway.core.errors import GatewayError
from gateway.dialects import azure, azure_openai, ctyun, gemini, openai
from infra.openapi.answers import ANSWERS, ERRORS, alternatives, ref
from infra.openapi.bodies import REQUESTS, body_schemas
from infra.openapi.causes import REGIONS, Cause
from infra.openapi.examples import AN_ID, RenderedError, error_name, errors_of, example_answers
from infra.openapi.headers import HEADERS, header, headers_of_answers, headers_of_errors
from infra.openapi.operations import OPERATIONS, Operation

ROOT = Path(__file__).parents[2]
PLACE = ROOT / "functions" / "gateway" / "openapi" / "openapi.json"
GOLDENS = ROOT / "tests" / "fixtures" / "wire"

Json = dict[str, Any]

DIALECTS: Mapping[str, str] = {
    "openai": "OpenAI, and Clovis and Langdock, who speak its words.",
    "azure-openai": "Azure OpenAI: OpenAI's bodies at Azure's paths.",
    "azure": "Azure AI model inference: any model, in six formats.",
    "gemini": "Gemini. Every field may be spelled in camelCase or in snake_case.",
    "ctyun": "Ctyun: OpenAI's bodies, each vector under two names, errors with codes of digits.",
}

TABLES: Mapping[str, Mapping[type[GatewayError], Any]] = {  # Any: rows differ by dialect; status first, code last
    "openai": openai.WIRE_ERRORS,
    "azure-openai": azure_openai.WIRE_ERRORS,
    "azure": azure.WIRE_ERRORS,
    "gemini": gemini.WIRE_ERRORS,
    "ctyun": ctyun.WIRE_ERRORS,
}

PARAMETERS: Mapping[str, Json] = {
    "region": {
        "in": "path",
        "required": True,
        "description": "Where the vectors are computed. An address serves its own region only.",
        "schema": {"enum": REGIONS},
    },
    "name": {
        "in": "path",
        "required": True,
        "description": "A model's name or alias, slashes percent-encoded or not.",
        "schema": {"type": "string", "minLength": 1},
    },
    "deployment": {
        "in": "path",
        "required": True,
        "description": "A model's name or alias.",
        "schema": {"type": "string", "minLength": 1},
        "example": "text-embedding-3-small",
    },
    "api-version": {"in": "query", "description": "Any version, or none.", "schema": {"type": "string"}},
    "model": {"in": "query", "description": "The model asked about.", "schema": {"type": "string"}},
    "pageSize": {
        "in": "query",
        "description": "Models on a page: 50 if not given, or empty; 1,000 at most.",
        "schema": {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 2**31 - 1}, {"const": ""}]},
    },
    "pageToken": {
        "in": "query",
        "description": "The nextPageToken of the page before.",
        "schema": {"type": "string"},
    },
    "extra-parameters": {
        "in": "header",
        "description": (
            "What happens to parameters that this API does not know: refused (`error`, also when not given), "
            "dropped (`ignore`, `drop`) or handed to the model (`pass-through`, `allow`)."
        ),
        "schema": {"enum": ["error", "ignore", "drop", "pass-through", "allow"]},
    },
    "azureml-model-deployment": {
        "in": "header",
        "description": "The name of one of the model's routes.",
        "schema": {"type": "string"},
    },
}

OK = 200

MODEL_NAMES = {"gemini": "gemini-embedding-001"}
"""By dialect: the model of its examples."""

CREDENTIALS: Mapping[str, Json] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key, or a token of the identity provider."},
    "apiKey": {"type": "apiKey", "in": "header", "name": "api-key", "description": "As Azure's clients send it."},
    "googleApiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "x-goog-api-key",
        "description": "As Google's clients send it. On paths that dialects share, the answer is then Gemini's.",
    },
    "googleKeyInQuery": {
        "type": "apiKey",
        "in": "query",
        "name": "key",
        "description": "As `x-goog-api-key`, for clients that cannot set a header.",
    },
}
"""Alternatives, on every path."""

WITH_GOOGLES_ONLY = " Read only if the request carries a Google credential."


def build_document() -> Json:
    """The OpenAPI 3.1 document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Embeddings gateway",
            "version": "1",
            "description": "One address in front of every embeddings model, in the words of every client.",
        },
        "servers": [{"url": "/"}],
        "security": [{name: []} for name in CREDENTIALS],
        "tags": [{"name": name, "description": description} for name, description in DIALECTS.items()],
        "paths": _paths(),
        "components": {
            "schemas": body_schemas() | dict(ANSWERS) | {error_name(name): schema for name, schema in ERRORS.items()},
            "responses": {name: told for operation in OPERATIONS for name, told in _errors(operation).values()},
            "examples": {**example_answers(), **_example_errors()},
            "headers": HEADERS,
            "securitySchemes": CREDENTIALS,
        },
    }


def as_text(document: Json) -> str:
    """As the file holds it."""
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _paths() -> Json:
    paths: Json = defaultdict(dict)
    for operation in OPERATIONS:
        for number, path in enumerate(operation.paths):
            paths[shown(path)][operation.method] = _operation(operation, path, number)
    return dict(paths)


def shown(path: str) -> str:
    """A route's path as OpenAPI writes it."""
    return path.replace(":path}", "}")


def _operation(operation: Operation, path: str, number: int) -> Json:
    told: Json = {
        "operationId": operation.name + (str(number + 1) if number else ""),
        "tags": [operation.dialect.name],
        "summary": operation.summary,
        "responses": _responses(operation),
    }
    if operation.description:
        told["description"] = operation.description
    if parameters := list(_parameters(operation, path)):
        told["parameters"] = parameters
    if operation.body:
        content = {"schema": ref(operation.body), "examples": _request_examples(operation)}
        told["requestBody"] = {"required": True, "content": {"application/json": content}}
    return told


def _parameters(operation: Operation, path: str) -> Iterator[Json]:
    for name in (*re.findall(r"\{(\w+)", path), *operation.parameters):
        told = {"name": name, **PARAMETERS[name]}
        if name == "name":
            told["example"] = MODEL_NAMES.get(operation.dialect.name, "text-embedding-3-small")
        if name.startswith("page") and operation.shared_with:
            told["description"] += WITH_GOOGLES_ONLY
        yield told


def _responses(operation: Operation) -> Json:
    content = {"schema": ref(operation.answer), "examples": _answer_examples(operation)}
    told = headers_of_answers(embeds=operation.body is not None)
    responses: Json = {
        "200": {
            "description": ANSWERS[operation.answer]["description"],
            "headers": told,
            "content": {"application/json": content},
        }
    }
    if operation.answers_elsewhere:
        responses["303"] = {
            "description": "The answer is too large to be sent at once: fetch it, without your key, from `location`.",
            "headers": {**told, "location": header("location")},
        }
    for status, (name, _) in sorted(_errors(operation).items()):
        responses[str(status)] = {"$ref": f"#/components/responses/{name}"}
    return responses


def _request_examples(operation: Operation) -> Json:
    written = {
        name: {"summary": golden["title"], "value": golden["request"]["body"]} for name, golden in _goldens(operation)
    }
    return written or {"usual": {"summary": "Two texts", "value": REQUESTS[operation.body or ""]}}


def _answer_examples(operation: Operation) -> Json:
    written = {
        name: {"summary": golden["title"], "value": json.loads(golden["answer"]["text"].replace("$REQUEST_ID", AN_ID))}
        for name, golden in _goldens(operation)
    }
    return written | {name: _reference(name) for name in alternatives(operation.answer)}


def _reference(example: str) -> Json:
    return {"$ref": f"#/components/examples/{example}"}


def _errors(operation: Operation) -> dict[int, tuple[str, Json]]:
    """By status: a name, and which causes the status stands for, in the words of the dialect."""
    name = "".join(error_name(dialect.name) for dialect in operation.dialects) + _kind(operation)
    by_status: dict[int, list[RenderedError]] = defaultdict(list)
    for dialect in operation.dialects:
        for error in errors_of(dialect):
            if _can_meet(operation, error.cause):
                by_status[error.answer.status].append(error)
    return {status: (f"{name}{status}", _response(operation, same)) for status, same in by_status.items()}


def _kind(operation: Operation) -> str:
    if operation.body:
        return ""
    return "OnPages" if "pageSize" in operation.parameters else "WithoutBody"


def _can_meet(operation: Operation, cause: Cause) -> bool:
    met = {"everywhere": True, "bodies": operation.body is not None, "pages": "pageSize" in operation.parameters}
    return met[cause.at]


def _response(operation: Operation, same: Sequence[RenderedError]) -> Json:
    """What those errors, alike in status, have in common."""
    schemas = [ref(error_name(dialect.name)) for dialect in operation.dialects]
    content: Json = {
        "schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas},
        "examples": {error.name: _reference(error.name) for error in same},
    }
    return {
        "description": "\n".join(dict.fromkeys(f"- `{error.code}`: {error.cause.sentence}" for error in same)),
        "headers": headers_of_errors([error.answer for error in same]),
        "content": {"application/json": content},
    }


def _example_errors() -> Json:
    return {
        error.name: error.example
        for operation in OPERATIONS
        for dialect in operation.dialects
        for error in errors_of(dialect)
        if _can_meet(operation, error.cause)
    }


Golden = tuple[str, Json]
"""A name, and what `tests/unit/dialects/golden.py` says a file holds."""


def _goldens(operation: Operation) -> Iterator[Golden]:
    """Those that were sent to the operation's paths, and answered."""
    patterns = [re.compile(re.sub(r"\{[\w:]+\}", ".+", path)) for path in operation.paths]
    for file in sorted((GOLDENS / operation.dialect.name).glob("*.json")):
        golden = json.loads(file.read_text("utf-8"))
        path = golden["request"]["path"].partition("?")[0]
        method = golden["request"]["method"].lower()
        answered = golden["answer"]["status"] == OK and method == operation.method
        if answered and any(pattern.fullmatch(path) for pattern in patterns):
            yield file.stem, golden
