"""A request that came as a Lambda event, without a web framework: its context, and its answer as Lambda returns it.

API Gateway's payload formats 2.0 (function URLs have it too) and 1.0 (REST APIs):
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, unquote

from gateway.dialects._answer import Endpoint, answer
from gateway.dialects._context import Dialect, RequestContext, deadline_of, request_id_of
from gateway.dialects._response import Response
from gateway.operations.gateway import Gateway

Event = Mapping[str, Any]
"""JSON as Lambda was handed it; whatever is missing or null counts as empty, except method and path."""


async def answer_event(
    event: Event, invocation: object, endpoint: Endpoint, *, gateway: Gateway, dialect: Dialect
) -> dict[str, Any]:
    """What the endpoint answers to the event, as both payload formats have it; `invocation` is Lambda's context."""
    context = from_lambda_event(event, invocation, gateway=gateway, dialect=dialect)
    return to_lambda(await answer(context, endpoint))


def from_lambda_event(
    event: Event, invocation: object, *, gateway: Gateway, dialect: Dialect, shared_with: Dialect | None = None
) -> RequestContext:
    """The context of an event; raises `KeyError` for one that is no HTTP request."""
    http = event["requestContext"].get("http")
    return RequestContext(
        gateway=gateway,
        dialect=dialect,
        shared_with=shared_with,
        request_id=request_id_of(invocation),
        method=http["method"] if http else event["httpMethod"],
        path=unquote(_path_below_stage(event) if http else event["path"]),
        headers=dict(_headers(event)),
        query=parse_qs(event.get("rawQueryString") or "", keep_blank_values=True) if http else _query(event),
        body=_body(event),
        came_as_text=not event.get("isBase64Encoded"),
        path_params={name: unquote(value) for name, value in (event.get("pathParameters") or {}).items()},
        deadline=deadline_of(invocation),
    )


def to_lambda(response: Response) -> dict[str, Any]:
    """The answer as Lambda returns it; a compressed body travels as base64."""
    encoded = "content-encoding" in response.headers
    body = b64encode(response.body) if encoded else response.body
    return {
        "statusCode": response.status,
        "headers": dict(response.headers),
        "body": body.decode(),
        "isBase64Encoded": encoded,
    }


def _path_below_stage(event: Event) -> str:
    """Format 2.0 puts the stage before the path, unless it is the default one; 1.0 does not."""
    path, prefix = event["rawPath"], f"/{event['requestContext'].get('stage')}"
    below: str = path[len(prefix) :] if f"{path}/".startswith(f"{prefix}/") else path
    return below or "/"


def _headers(event: Event) -> Iterator[tuple[str, str]]:
    """Names in lower case; the values of a repeated header joined, as format 2.0 has them already."""
    for name, value in (event.get("headers") or {}).items():
        yield name.lower(), value
    for name, values in (event.get("multiValueHeaders") or {}).items():
        yield name.lower(), ", ".join(values)


def _query(event: Event) -> Mapping[str, Sequence[str]]:
    single = event.get("queryStringParameters") or {}
    return event.get("multiValueQueryStringParameters") or {name: [value] for name, value in single.items()}


def _body(event: Event) -> bytes:
    body = event.get("body") or ""
    return b64decode(body) if event.get("isBase64Encoded") else body.encode("utf-8", "surrogatepass")
