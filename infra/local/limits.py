"""What AWS lets through an HTTP API into a Lambda function and back; the emulator lets everything through.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

BODY_LIMIT = 10 * 1024 * 1024
"""Bytes of a request's body that API Gateway takes."""

HEAD_LIMIT = 10_240
"""Bytes of a request's first line and the values of its headers that API Gateway takes."""

EVENT_LIMIT = 6 * 1024 * 1024
"""An event must have fewer bytes: "Request must be smaller than 6291456 bytes for the InvokeFunction operation"."""

ANSWER_LIMIT = 6 * 1024 * 1024 + 100
"""Bytes of a function's answer, as Lambda's own message counts them: "maximum allowed payload size (6291556 bytes)"."""

PATIENCE = 30.0
"""Seconds after which an HTTP API stops waiting for its integration."""

_TEXT_TYPES = {"application/json", "application/javascript", "application/xml"}


def event_size(method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> int:
    """Bytes of the event that API Gateway makes of a request."""
    return _json_size(make_event(method, path, query, headers, body))


def make_event(method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """The event that API Gateway makes of a request, in payload format 2.0."""
    http = {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"}
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": dict(headers),
        "requestContext": {"http": {**http, "userAgent": headers.get("user-agent", "")}, "stage": "$default"},
        **_as_payload(body, is_text(headers.get("content-type", ""))),
    }


def answer_size(status: int, headers: Mapping[str, str], body: bytes) -> int:
    """Bytes of the document that a function returned to give this answer.

    Mangum encodes as base64 what is compressed or is no text.
    """
    text = is_text(headers.get("content-type", "")) and "content-encoding" not in headers
    return _json_size({"statusCode": status, "headers": dict(headers), "cookies": [], **_as_payload(body, text)})


def is_text(content_type: str) -> bool:
    """Whether API Gateway passes a body of that type on as it is; all others become base64."""
    essence = content_type.partition(";")[0].strip().lower()
    return essence.startswith("text/") or essence in _TEXT_TYPES


def _as_payload(body: bytes, text: bool) -> dict[str, Any]:  # noqa: FBT001  # the values are JSON
    content = body.decode(errors="replace") if text else base64.b64encode(body).decode()
    return {"body": content, "isBase64Encoded": not text}


def _json_size(document: Mapping[str, Any]) -> int:
    return len(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode())
