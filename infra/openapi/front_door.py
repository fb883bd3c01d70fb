"""The paths that belong to no dialect, as the document has them."""

from typing import Any

from gateway.front_door import DIALECTS, NAME, VERSION
from infra.openapi.headers import HEADERS

Json = dict[str, Any]

ID: Json = {"x-request-id": {**HEADERS["x-request-id"], "required": True}}
TAG: Json = {"name": "front-door", "description": "The address itself: what there is, and whether it works."}

_ABOUT: Json = {"name": NAME, "version": VERSION, "stage": "eu", "region": "eu-central-1"}
_DOCUMENTS: Json = {"openapi": "/openapi.json", "page": "/docs", "health": "/health"}
_STORES = dict.fromkeys(("catalogue", "vector_cache", "usage", "api_keys", "provider_keys"), "ok")

DEEP: Json = {
    "name": "deep",
    "in": "query",
    "description": "1, as anything but 0, asks the stores too; then a key is needed.",
    "schema": {"type": "string"},
    "example": "1",
}


def front_door_paths() -> Json:
    """The operations at `/` and `/health`."""
    failures = {
        str(status): {"$ref": f"#/components/responses/OpenaiWithoutBody{status}"} for status in (401, 429, 500)
    }
    return {
        "/": {
            "get": {
                "operationId": "showFrontDoor",
                "tags": [TAG["name"]],
                "summary": "Show what there is",
                "description": "JSON for programs; a page for who accepts text/html.",
                "security": [{}],
                "responses": {"200": _front_door()},
            }
        },
        "/health": {
            "get": {
                "operationId": "showHealth",
                "tags": [TAG["name"]],
                "summary": "Say whether it works",
                "description": "That the function answers; with `deep=1` and a key, whether its stores can be asked.",
                "security": [{}, {"bearer": []}],
                "parameters": [DEEP],
                "responses": {
                    "200": _health("It works.", "ok", _STORES),
                    "503": _unhealthy(),
                    **failures,
                },
            }
        },
    }


def _front_door() -> Json:
    paths = {dialect.name: list(dialect.paths) for dialect in DIALECTS}
    listed = {**_ABOUT, "documents": _DOCUMENTS, "paths": paths}
    page = {"schema": {"type": "string"}, "examples": {"page": {"value": "<!doctype html>"}}}
    return {
        "description": "What there is.",
        "headers": ID,
        "content": {
            "application/json": {
                "schema": {"type": "object", "required": list(listed)},
                "examples": {"list": {"value": listed}},
            },
            "text/html": page,
        },
    }


def _unhealthy() -> Json:
    """Which store it is; or, where keys cannot be checked, the error."""
    described = _health("A store cannot be asked.", "degraded", {**_STORES, "usage": "timeout"})
    return {**described, "headers": {**ID, "retry-after": {"$ref": "#/components/headers/retry-after"}}}


def _health(description: str, status: str, stores: Json) -> Json:
    return {
        "description": description,
        "headers": ID,
        "content": {
            "application/json": {
                "schema": {"type": "object"},
                "examples": {"deep": {"value": {"status": status, "stores": stores}}},
            }
        },
    }
