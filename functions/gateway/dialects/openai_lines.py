"""Lines of OpenAI's batch files: requests for `/v1/embeddings`, and their answers.

https://platform.openai.com/docs/guides/batch. Read and written by workers, so nothing here needs FastAPI.
"""

import re
from typing import Any

import orjson

from gateway.core.batch import BatchJob, Line, LineOutcome
from gateway.core.embedding import CacheUse
from gateway.core.errors import GatewayError, InternalError, InvalidRequest
from gateway.dialects import _openai_shape as shape
from gateway.dialects._openai_errors import render_error
from gateway.dialects._validation import describe_problem, read_body

MAX_CUSTOM_ID = 512
"""Characters."""
_URL = re.compile(r"(/openai(/deployments/[^/]+)?)?(/v1)?/embeddings")
_FIELDS = {"custom_id", "method", "url", "body"}


_ANSWER = b'{"id":"%b","custom_id":%b,"response":{"status_code":%d,"request_id":"%b","body":%b},"error":null}'


class OpenAILines:
    """The `LineFormat` of OpenAI, Azure OpenAI and who else has their batch API."""

    separate_errors = True
    unique_keys = True

    def read(self, line: bytes, _job: BatchJob) -> Line:
        """The request of a line; raises `InvalidRequest` where it is none.

        A body that cannot be embedded is that request's own error, so that the others are not refused for it.
        """
        value = _object(line)
        key = orjson.dumps(_custom_id(value.get("custom_id")))
        _check_call(value)
        try:
            body = read_body({}, orjson.dumps(value["body"]), shape.EmbeddingsBody, describe_problem)
            request = shape.to_core(body, CacheUse(), model=body.model)
        except GatewayError as error:
            return Line(key=key, error=error)
        return Line(key=key, request=request, encoding=body.encoding_format or "float")

    def write(self, line: Line, outcome: LineOutcome) -> bytes:
        """The answer, or the error, with the request's `custom_id`."""
        if outcome.embedded:
            response = shape.from_core(outcome.embedded, line.encoding)
        else:
            response = render_error(outcome.error or InternalError("The request was not embedded."))
        name = outcome.request_id.encode()
        return _ANSWER % (name, line.key, response.status, name, response.body)


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest("The line is not JSON.") from error
    if not isinstance(value, dict):
        raise InvalidRequest("The line is not a JSON object.")
    return value


def _custom_id(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_CUSTOM_ID:
        raise InvalidRequest(f"'custom_id' must be a string of 1 to {MAX_CUSTOM_ID} characters.", param="custom_id")
    return value


def _check_call(value: dict[str, Any]) -> None:
    """Whether the line asks for embeddings; raises `InvalidRequest`."""
    if value.get("method", "POST") != "POST":
        raise InvalidRequest("'method' must be POST.", param="method")
    if not isinstance(value.get("url"), str) or not _URL.fullmatch(value["url"]):
        raise InvalidRequest("'url' must be /v1/embeddings.", param="url")
    if not isinstance(value.get("body"), dict):
        raise InvalidRequest("'body' must be the JSON object of an embeddings request.", param="body")
    if unknown := sorted(name for name, given in value.items() if name not in _FIELDS and given is not None):
        raise InvalidRequest(f"'{unknown[0][:80]}' is no field of a line.", param=unknown[0][:80], unknown=True)
