"""What the document cannot say: a request to Gemini names the model of its path, or none."""

from typing import Any

import schemathesis
from schemathesis import Case, HookContext


@schemathesis.hook
def before_call(_: HookContext, case: Case[Any], __: dict[str, Any]) -> None:
    name = (case.path_parameters or {}).get("name")
    for request in _requests(case.body):
        if isinstance(request.get("model"), str):
            request["model"] = f"models/{name}"


def _requests(body: Any) -> list[dict[str, Any]]:
    """Any: whatever was generated, right or wrong."""
    if not isinstance(body, dict):
        return []
    several = body.get("requests")
    found = several if isinstance(several, list) else [body] if "content" in body else []
    return [request for request in found if isinstance(request, dict)]
