"""Error responses by status: each cause as the dialects' own functions render it."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.dialects._context import Dialect
from gateway.dialects._response import Response
from infra.openapi.causes import CAUSES, Cause
from infra.openapi.headers import headers_of_errors
from infra.openapi.routes import Operation
from infra.openapi.schemas import one_of

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A cause in the words of a dialect."""

    dialect: Dialect
    cause: Cause
    response: Response

    @property
    def body(self) -> Json:
        body: Json = json.loads(self.response.body)
        return body

    @property
    def sentence(self) -> str:
        """With what clients check: Google's status, others' code."""
        error = self.body["error"]
        return f"- `{error.get('status') or error['code']}`: {self.cause.sentence}"

    @property
    def example(self) -> Json:
        return {"summary": self.cause.sentence, "value": self.body}


def failures_of(operation: Operation) -> dict[int, list[Failure]]:
    """Whatever can go wrong there, by status."""
    found = defaultdict(list)
    for dialect in operation.dialects:
        for cause in CAUSES:
            if cause.everywhere or operation.route.body:
                failure = Failure(dialect=dialect, cause=cause, response=dialect.render_error(cause.error))
                found[failure.response.status].append(failure)
    return dict(sorted(found.items()))


def component_name(operation: Operation, status: int) -> str:
    """Operations of the same dialects, with or without a body, share their error responses."""
    dialects = "".join(title_of(dialect.name) for dialect in operation.dialects)
    return f"{dialects}{'' if operation.route.body else 'WithoutBody'}{status}"


def title_of(name: str) -> str:
    """`azure-openai` as `AzureOpenai`."""
    return "".join(word.capitalize() for word in name.split("-"))


def response_to(same: Sequence[Failure]) -> Json:
    """What failures alike in status have in common, with an example per dialect."""
    return {
        "description": "\n".join(dict.fromkeys(failure.sentence for failure in same)),
        "headers": headers_of_errors([failure.response for failure in same]),
        "content": {"application/json": content_of_errors(same)},
    }


def content_of_errors(failures: Iterable[Failure]) -> Json:
    """The schema, with an example per dialect."""
    same = list(failures)
    examples = {title_of(failure.dialect.name): failure.example for failure in reversed(same)}
    return {"schema": one_of(failure.dialect.error for failure in same), "examples": examples}
