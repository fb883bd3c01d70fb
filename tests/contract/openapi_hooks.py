"""What the document cannot say: a request to Gemini names the model of its path, or none; a query holds no objects."""

from typing import Any

import schemathesis
from schemathesis import Case, HookContext


@schemathesis.hook
def before_call(_: HookContext, case: Case[Any], __: dict[str, Any]) -> None:
    name = (case.path_parameters or {}).get("name")
    for request in _requests(case.body):
        if isinstance(request.get("model"), str):
            request["model"] = f"models/{name}"


@schemathesis.hook
def filter_query(_: HookContext, query: dict[str, Any] | None) -> bool:
    """An object arrives as no value, or as other parameters, which is nothing the app could refuse."""
    return not any(isinstance(value, dict) for value in dict(query or {}).values())


def _requests(body: Any) -> list[dict[str, Any]]:
    """Any: whatever was generated, right or wrong."""
    if not isinstance(body, dict):
        return []
    several = body.get("requests")
    if isinstance(several, list):
        return [request for request in (body, *several) if isinstance(request, dict)]
    return [body] if "content" in body else []
