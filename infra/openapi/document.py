"""The document as a whole: operations, schemas, errors by status with their causes, examples from golden bodies."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gateway.core import errors
from gateway.core.errors import GatewayError
from gateway.dialects import azure, azure_openai, ctyun, gemini, openai
from gateway.dialects._exchange import Dialect
from infra.openapi.answers import ANSWERS, ERRORS, ref
from infra.openapi.bodies import body_schemas
from infra.openapi.operations import OPERATIONS, Operation

ROOT = Path(__file__).parents[2]
PLACE = ROOT / "functions" / "gateway" / "documents" / "openapi.json"
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

ABOUT_BODIES = {
    errors.UnsupportedParameter,
    errors.InputTooLong,
    errors.RequestTooLarge,
    errors.BodyTooLarge,
    errors.WrongContentType,
    errors.AllowanceExhausted,
    errors.ProviderRefused,
    errors.ProviderThrottled,
    errors.ProviderUnavailable,
    errors.ProviderTimeout,
    errors.ProviderMisbehaved,
}
"""Causes that a request without a body does not meet."""

PARAMETERS: Mapping[str, Json] = {
    "region": {
        "in": "path",
        "required": True,
        "description": "Where the vectors are computed. An address serves its own region only.",
        "schema": {"enum": ["eu", "us"]},
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
        "description": "Models on a page: 50 if not given, 1,000 at most.",
        "schema": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
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

MODEL_NAMES = {"gemini": "gemini-embedding-001"}
"""By dialect: the model of its examples."""

CREDENTIALS: Mapping[str, Json] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key, or a token of the identity provider."},
    "apiKey": {"type": "apiKey", "in": "header", "name": "api-key"},
    "googleApiKey": {"type": "apiKey", "in": "header", "name": "x-goog-api-key"},
    "googleKeyInQuery": {"type": "apiKey", "in": "query", "name": "key"},
}

HEADERS: Mapping[str, Json] = {
    "x-request-id": {"description": "Tell it when you complain.", "required": True, "schema": {"type": "string"}},
    "retry-after": {
        "description": "Seconds to wait.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1, "maximum": 60},
    },
    "x-ratelimit-limit-requests": {"description": "Requests per minute.", "schema": {"type": "string"}},
    "x-ratelimit-limit-tokens": {"description": "Tokens per minute.", "schema": {"type": "string"}},
    "x-ratelimit-remaining-requests": {"description": "Requests left this minute.", "schema": {"type": "string"}},
    "x-ratelimit-remaining-tokens": {"description": "Tokens left this minute.", "schema": {"type": "string"}},
    "x-ratelimit-reset-requests": {"description": "Time until the minute ends.", "schema": {"type": "string"}},
    "x-ratelimit-reset-tokens": {"description": "Time until the minute ends.", "schema": {"type": "string"}},
    "x-gateway-route": {"description": "Which route of the model served.", "schema": {"type": "string"}},
    "x-gateway-cache-hits": {"description": "Inputs that the cache answered.", "schema": {"type": "integer"}},
    "x-gateway-cache-misses": {"description": "Inputs that the provider answered.", "schema": {"type": "integer"}},
    "x-gateway-tokens-billed": {"description": "Tokens the provider was asked for.", "schema": {"type": "integer"}},
}

TOO_MANY, OK = 429, 200


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
        "tags": [{"name": name, "description": description} for name, description in DIALECTS.items()],
        "paths": _paths(),
        "components": {
            "schemas": body_schemas() | dict(ANSWERS) | {_error_name(name): schema for name, schema in ERRORS.items()},
            "responses": {name: told for operation in OPERATIONS for name, told in _errors(operation).values()},
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
        "security": [{name: []} for name in operation.credentials],
        "responses": _responses(operation),
    }
    if operation.description:
        told["description"] = operation.description
    if parameters := list(_parameters(operation, path)):
        told["parameters"] = parameters
    if operation.body:
        content: Json = {"schema": ref(operation.body)}
        if examples := dict(_request_examples(operation)):
            content["examples"] = examples
        told["requestBody"] = {"required": True, "content": {"application/json": content}}
    return told


def _parameters(operation: Operation, path: str) -> Iterator[Json]:
    for name in (*re.findall(r"\{(\w+)", path), *operation.parameters):
        told = {"name": name, **PARAMETERS[name]}
        if name == "name":
            told["example"] = MODEL_NAMES.get(operation.dialect.name, "text-embedding-3-small")
        yield told


def _responses(operation: Operation) -> Json:
    answer: Json = {"schema": ref(operation.answer)}
    if examples := dict(_answer_examples(_goldens(operation), OK)):
        answer["examples"] = examples
    told = [name for name in HEADERS if name != "retry-after" and (operation.body or "gateway" not in name)]
    responses: Json = {
        "200": {
            "description": ANSWERS[operation.answer]["description"],
            "headers": _headers(*told),
            "content": {"application/json": answer},
        }
    }
    if operation.answers_elsewhere:
        responses["303"] = {
            "description": "The answer is too large to be sent at once: fetch it, without your key, from `location`.",
            "headers": {"location": {"required": True, "schema": {"type": "string", "format": "uri"}}},
        }
    for status, (name, _) in sorted(_errors(operation).items()):
        responses[str(status)] = {"$ref": f"#/components/responses/{name}"}
    return responses


def _headers(*names: str) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _errors(operation: Operation) -> dict[int, tuple[str, Json]]:
    """By status: a name, and which causes the status stands for, in the words of the dialect."""
    dialects = [operation.dialect, *([operation.shared_with] if operation.shared_with else [])]
    name = "".join(_error_name(dialect.name) for dialect in dialects) + ("" if operation.body else "WithoutBody")
    causes: dict[int, list[str]] = defaultdict(list)
    for dialect in dialects:
        for status, sentence in _sentences(operation, dialect):
            causes[status].append(sentence)
    return {
        status: (
            f"{name}{status}",
            {
                "description": "\n".join(dict.fromkeys(sentences)),
                "headers": _headers("x-request-id", *(("retry-after",) if status == TOO_MANY else ())),
                "content": {"application/json": _error_content(operation, status, dialects)},
            },
        )
        for status, sentences in causes.items()
    }


def _sentences(operation: Operation, dialect: Dialect) -> Iterator[tuple[int, str]]:
    for cause, row in TABLES[dialect.name].items():
        if operation.body is None and cause in ABOUT_BODIES:
            continue
        about = (cause.__doc__ or "").strip().splitlines()[0]
        yield row[0], f"- `{row[-1]}`: {about}"
    if dialect is gemini.DIALECT:
        yield 403, "- `PERMISSION_DENIED`: No key was given."


def _error_content(operation: Operation, status: int, dialects: Sequence[Dialect]) -> Json:
    schemas = [ref(_error_name(dialect.name)) for dialect in dialects]
    content: Json = {"schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas}}
    if operation.body and (examples := dict(_answer_examples(_goldens_of(operation.dialect), status))):
        content["examples"] = examples
    return content


def _error_name(dialect: str) -> str:
    return "".join(word.capitalize() for word in dialect.split("-")) + "Error"


Golden = tuple[str, Json]
"""A name, and what `tests/unit/dialects/golden.py` says a file holds."""


def _request_examples(operation: Operation) -> Iterator[tuple[str, Json]]:
    for name, golden in _goldens(operation):
        if golden["answer"]["status"] == OK:
            yield name, {"summary": golden["title"], "value": golden["request"]["body"]}


def _answer_examples(goldens: Iterable[Golden], status: int) -> Iterator[tuple[str, Json]]:
    for name, golden in goldens:
        if golden["answer"]["status"] == status:
            text = golden["answer"]["text"].replace("$REQUEST_ID", "0a1b2c3d4e5f")
            yield name, {"summary": golden["title"], "value": json.loads(text)}


def _goldens(operation: Operation) -> Iterator[Golden]:
    """Those that were sent to the operation's paths."""
    patterns = [re.compile(re.sub(r"\{[\w:]+\}", ".+", path)) for path in operation.paths]
    for name, golden in _goldens_of(operation.dialect):
        path = golden["request"]["path"].partition("?")[0]
        if operation.body and any(pattern.fullmatch(path) for pattern in patterns):
            yield name, golden


def _goldens_of(dialect: Dialect) -> Iterator[Golden]:
    for file in sorted((GOLDENS / dialect.name).glob("*.json")):
        yield file.stem, json.loads(file.read_text("utf-8"))
