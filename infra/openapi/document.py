"""The document as a whole: every operation of the routers, with its parameters, its bodies and its answers."""

import inspect
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fastapi.utils import deep_dict_update

from gateway.app import ROUTERS
from gateway.dialects._context import Dialect
from gateway.dialects._response import kept_elsewhere
from gateway.dialects._router import DialectRoute, SharedPathRoute
from infra.openapi.causes import REGIONS, Cause
from infra.openapi.examples import ROOT, model_of, read_examples
from infra.openapi.failures import Failure, component_name, content_of_errors, failures_of, response_to
from infra.openapi.front_door import TAG, front_door_paths
from infra.openapi.headers import HEADERS, headers_of_answers
from infra.openapi.routes import ROUTES, Operation, read_operations
from infra.openapi.schemas import component_schemas, one_of

PLACE = ROOT / "functions" / "gateway" / "openapi" / "openapi.json"

Json = dict[str, Any]

OPERATIONS = read_operations()
EXAMPLES = read_examples(ROUTES)

OK = 200

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
"""Alternatives, on every path; a key in the query only where Gemini is spoken."""

REGION: Json = {
    "description": "Where the vectors are computed. An address serves its own region only.",
    "schema": {"enum": REGIONS},
}


def build_document() -> Json:
    """The OpenAPI 3.1 document."""
    dialects = {router.dialect.name: router.dialect for router in reversed(ROUTERS)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Embeddings gateway",
            "version": "1",
            "description": "One address in front of every embeddings model, in the words of every client.",
        },
        "servers": [{"url": "/"}],
        "security": [{name: []} for name in CREDENTIALS],
        "tags": [{"name": name, "description": dialect.description} for name, dialect in dialects.items()] + [TAG],
        "paths": _paths(),
        "components": {
            "schemas": component_schemas(
                list(dict.fromkeys(route.body for route in ROUTES if route.body)),
                [route.answer for route in ROUTES if route.answer] + [each.error for each in dialects.values()],
            ),
            "responses": dict(_component_responses()),
            "examples": dict(_component_examples()),
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
        paths[operation.path][operation.method] = _operation(operation)
    return {**paths, **front_door_paths()}


def _operation(operation: Operation) -> Json:
    route = operation.route
    described: Json = {
        "operationId": operation.name,
        "tags": [route.dialect.name],
        "summary": route.summary,
        "description": "\n\n".join([route.description, *_about_sharing(operation)]),
        "parameters": [_path_parameter(operation, name) for name in re.findall(r"\{(\w+)", operation.path)],
        "responses": _responses(operation),
    }
    if route.body:
        content = {"schema": one_of([route.body]), "examples": _examples(operation.routes[:1], "request")}
        described["requestBody"] = {"required": True, "content": {"application/json": content}}
    if not any(dialect.key_in_query for dialect in operation.dialects):
        described["security"] = [{name: []} for name in CREDENTIALS if name != "googleKeyInQuery"]
    for each in operation.routes:
        deep_dict_update(described, each.openapi_extra or {})
    return described


def _about_sharing(operation: Operation) -> Iterator[str]:
    for other in operation.routes[1:]:
        who = "Requests with a credential of" if isinstance(other, SharedPathRoute) else "Keys marked as"
        yield f"{who} {other.dialect.name} get that dialect's answers and errors here."


def _path_parameter(operation: Operation, name: str) -> Json:
    if name == "region":
        return {"name": name, "in": "path", "required": True, **REGION}
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": "A model's name or alias, slashes percent-encoded or not.",
        "schema": {"type": "string", "minLength": 1},
        "example": model_of(operation.route.dialect.name, EXAMPLES),
    }


def _responses(operation: Operation) -> Json:
    route = operation.route
    responses: Json = {"200": _answer(operation)}
    if route.body and route.dialect.follows_redirects:
        responses["303"] = {
            "description": "The answer is too large to be sent at once: fetch it, without your key, from `location`.",
            "headers": headers_of_answers(embeds=True, elsewhere=True),
            "content": {"application/json": content_of_errors(map(_elsewhere, operation.dialects))},
        }
    for status in failures_of(operation):
        responses[str(status)] = {"$ref": f"#/components/responses/{component_name(operation, status)}"}
    return responses


def _elsewhere(dialect: Dialect) -> Failure:
    problem = "The answer has 9000000 bytes, more than can be sent at once"
    error = kept_elsewhere(problem, ["ask for at most 1402 inputs in one request"])
    cause = Cause("For clients that follow no redirect.", error)
    return Failure(dialect=dialect, cause=cause, response=dialect.render_error(error))


def _answer(operation: Operation) -> Json:
    answers = [route.answer for route in operation.routes if route.answer]
    content = {"schema": one_of(answers), "examples": _examples(operation.routes, "answer")}
    return {
        "description": " Or: ".join(inspect.getdoc(answer) or "" for answer in answers),
        "headers": headers_of_answers(embeds=operation.route.body is not None),
        "content": {"application/json": content},
    }


def _examples(routes: Sequence[DialectRoute], part: str) -> Json:
    """Those that were answered well at these routes, or at others that are alike."""
    fitting = [each for each in EXAMPLES if each.status == OK and any(map(each.fits, routes))]
    return {each.name: {"$ref": f"#/components/examples/{each.name}.{part}"} for each in fitting}


def _component_examples() -> Iterator[tuple[str, Json]]:
    for each in EXAMPLES:
        if each.status == OK:
            yield f"{each.name}.answer", each.answer
        if each.status == OK and each.route.body:
            yield f"{each.name}.request", each.request


def _component_responses() -> Iterator[tuple[str, Json]]:
    for operation in OPERATIONS:
        for status, same in failures_of(operation).items():
            yield component_name(operation, status), response_to(same)
