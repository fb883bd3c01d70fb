"""A router whose every answer, good or bad, is in its dialect, is counted, and fits the front door."""

import re
import time
import zlib
from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import Any
from uuid import uuid4

from fastapi import Request, Response
from starlette.convertors import Convertor
from starlette.routing import Match, Route, compile_path, request_response
from starlette.types import Scope

from gateway import telemetry
from gateway.core.allowance import Reservation
from gateway.core.errors import BodyTooLarge, GatewayError, InternalError
from gateway.core.record import Record
from gateway.dialects._exchange import Answer, Dialect, Exchange

Endpoint = Callable[[Exchange], Awaitable[Answer]]
Condition = Callable[[Scope], bool]

MAX_ANSWER = 6_291_556 - 16_384
"""Bytes of an answer that fits a Lambda payload: its quota, less what the headers around it may take."""

WORTH_COMPRESSING = 4_096
"""Bytes."""
_GZIP = zlib.MAX_WBITS + 16
"""What zlib calls the format of gzip."""

_UNFORESEEN = "The gateway failed. Try again; if it stays, give its operator the request id."


class DialectRouter:
    """Routes whose endpoints take an `Exchange` and give an `Answer`; `dialect` renders what fails.

    They are Starlette's routes, not FastAPI's: bodies and vectors must not pass through FastAPI's encoders, and its
    analysis of each endpoint is paid at every cold start.
    """

    def __init__(self, dialect: Dialect, prefix: str = "") -> None:
        self.dialect = dialect
        self.prefix = prefix
        self.routes: list[Route] = []

    def route(self, method: str, *paths: str, only_if: Condition | None = None) -> Callable[[Endpoint], Endpoint]:
        """Register an endpoint at these paths; where dialects share a path, for the requests that `only_if` accepts."""

        def register(endpoint: Endpoint) -> Endpoint:
            async def handle(request: Request) -> Response:
                return await serve(request, self.dialect, endpoint)

            for path in paths:
                self.routes.append(_ConditionalRoute(self.prefix + path, handle, method, only_if))
            return endpoint

        return register


class _ConditionalRoute(Route):
    """A route that compiles its path when the ends of one fit: of fifty, a cold start pays for the one it takes."""

    def __init__(  # not Route's own, which compiles at once
        self,
        path: str,
        endpoint: Callable[[Request], Awaitable[Response]],
        method: str,
        condition: Condition | None,
    ) -> None:
        self.path = self.name = path
        self.endpoint = endpoint
        self.app = request_response(endpoint)
        self.methods = {method, "HEAD"} if method == "GET" else {method}
        self.include_in_schema = False
        self.condition = condition
        self.begin, _, rest = path.partition("{")
        self.end = rest.rpartition("}")[2]

    @cached_property
    def compiled(self) -> tuple[re.Pattern[str], str, dict[str, Convertor[Any]]]:
        return compile_path(self.path)

    @property
    def path_regex(self) -> re.Pattern[str]:  # type: ignore[override]
        return self.compiled[0]

    @property
    def path_format(self) -> str:  # type: ignore[override]
        return self.compiled[1]

    @property
    def param_convertors(self) -> dict[str, Convertor[Any]]:  # type: ignore[override]
        return self.compiled[2]

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        path = scope.get("path", "")
        if not (path.startswith(self.begin) and path.endswith(self.end)):
            return Match.NONE, {}
        if self.condition is not None and not self.condition(scope):
            return Match.NONE, {}
        return super().matches(scope)


async def serve(request: Request, dialect: Dialect, endpoint: Endpoint) -> Response:
    """Run the endpoint; render, count and log what came of it."""
    started = time.perf_counter()
    record = Record(request_id=request_id(request))
    exchange = Exchange(request=request, gateway=request.app.state.gateway, record=record, dialect=dialect)
    answer = await _answer(exchange, endpoint)
    response = await _respond(exchange, answer)
    _observe(exchange, response, time.perf_counter() - started)
    return response


async def _answer(exchange: Exchange, endpoint: Endpoint) -> Answer:
    try:
        return await endpoint(exchange)
    except GatewayError as error:
        return _rendered(exchange, error)
    except Exception:  # noqa: BLE001  (the last resort: beyond here the client would get plain text)
        telemetry.logger().exception("unforeseen", request_id=exchange.record.request_id)
        return _rendered(exchange, InternalError(_UNFORESEEN))


def _rendered(exchange: Exchange, error: GatewayError) -> Answer:
    exchange.record.error = type(error).__name__
    return exchange.dialect.render_error(error)


async def _respond(exchange: Exchange, answer: Answer) -> Response:
    headers = {**_facts(exchange.record), **answer.headers}
    body = answer.body
    if answer.compressible and len(body) >= WORTH_COMPRESSING and _takes_gzip(exchange.request):
        body = _gzip(body)
        headers |= {"content-encoding": "gzip", "vary": "accept-encoding"}
    if _payload_size(body, headers) > MAX_ANSWER:
        return await _respond_elsewhere(exchange, answer)
    return Response(body, status_code=answer.status, headers=headers, media_type="application/json")


async def _respond_elsewhere(exchange: Exchange, answer: Answer) -> Response:
    """Lambda cannot carry this answer: the client fetches it from the bucket, or is told what would fit."""
    if not _may_redirect(exchange):
        fits = max(1, exchange.record.inputs * MAX_ANSWER // len(answer.body))
        error = BodyTooLarge(
            f"The answer would have {len(answer.body)} bytes, more than can be sent at once: "
            f"ask for at most {fits} inputs in one request.",
            param="input",
        )
        return await _respond(exchange, _rendered(exchange, error))
    url = await exchange.gateway.answers.keep(answer.body, "application/json")
    return Response(b"", status_code=303, headers={**_facts(exchange.record), "location": url})


def _may_redirect(exchange: Exchange) -> bool:
    """Whether the client will fetch the answer elsewhere without carrying its key there.

    `Authorization` is dropped by every client that goes to another host; the other headers are not, save by
    openai-python's class for Azure. A browser, which sends `Origin`, may not read from the bucket.
    """
    headers = exchange.request.headers
    carries_key = "x-goog-api-key" in headers or "api-key" in headers
    drops_key = headers.get("user-agent", "").removeprefix("Async").startswith("AzureOpenAI/Python")
    return exchange.dialect.follows_redirects and "origin" not in headers and (drops_key or not carries_key)


def _payload_size(body: bytes, headers: dict[str, str]) -> int:
    """Bytes of the answer in the JSON that Lambda hands to API Gateway, at most."""
    if "content-encoding" in headers:
        return len(body) * 4 // 3
    if len(body) * 2 <= MAX_ANSWER:
        return len(body) * 2  # it fits whatever has to be escaped, and counting takes 0.1 ms of every large answer
    return len(body) + body.count(b'"')


def _gzip(body: bytes) -> bytes:
    # Digits hardly repeat each other: looking for repetitions saves 3 % of the bytes and takes 40 % more time.
    compressor = zlib.compressobj(wbits=_GZIP, strategy=zlib.Z_HUFFMAN_ONLY)
    return compressor.compress(body) + compressor.flush()


def _takes_gzip(request: Request) -> bool:
    for part in request.headers.get("accept-encoding", "").split(","):
        name, _, quality = part.partition(";")
        if name.strip().lower() in {"gzip", "*"}:
            return quality.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def request_id(request: Request) -> str:
    """The invocation's id, so that a caller's complaint finds its log line."""
    context = request.scope.get("aws.context")
    return str(getattr(context, "aws_request_id", "")) or uuid4().hex


def _facts(record: Record) -> dict[str, str]:
    """The headers every answer carries, as far as they are known."""
    headers = {"x-request-id": record.request_id}
    if record.allowance is not None:
        headers |= allowance_headers(record.allowance)
    if record.route is not None and record.error is None:
        headers |= {
            "x-gateway-route": record.route,
            "x-gateway-cache-hits": str(record.hits),
            "x-gateway-cache-misses": str(record.misses),
            "x-gateway-tokens-billed": str(record.billed_tokens),
        }
    if record.estimated and record.error is None:
        headers["x-gateway-tokens-estimated"] = "true"
    return headers


def allowance_headers(reservation: Reservation) -> dict[str, str]:
    """What is left of this minute, in OpenAI's notation."""
    reset = f"{reservation.resets_in:.3f}".rstrip("0").rstrip(".") + "s"
    return {
        "x-ratelimit-limit-requests": str(reservation.limits.requests),
        "x-ratelimit-limit-tokens": str(reservation.limits.tokens),
        "x-ratelimit-remaining-requests": str(reservation.remaining_requests),
        "x-ratelimit-remaining-tokens": str(reservation.remaining_tokens),
        "x-ratelimit-reset-requests": reset,
        "x-ratelimit-reset-tokens": reset,
    }


def _observe(exchange: Exchange, response: Response, duration: float) -> None:
    record = exchange.record
    workspace = record.caller.workspace.name if record.caller else ""
    own = duration - record.upstream_time
    telemetry.logger().info(
        "request",
        request_id=record.request_id,
        dialect=exchange.dialect.name,
        method=exchange.request.method,
        status=response.status_code,
        error=record.error,
        workspace=workspace or None,
        key_id=record.caller.key_id if record.caller else None,
        model=record.model,
        route=record.route,
        inputs=record.inputs,
        hits=record.hits,
        tokens=record.tokens,
        billed_tokens=record.billed_tokens,
        upstream_calls=record.upstream_calls,
        upstream_ms=round(record.upstream_time * 1000, 1),
        own_ms=round(own * 1000, 1),
        bytes_out=len(response.body),
    )
    telemetry.count("Requests")
    telemetry.count("Errors", int(response.status_code >= 500))  # noqa: PLR2004
    if record.model and workspace:
        telemetry.count("Tokens", record.billed_tokens)
        telemetry.count("InputTokens", record.tokens)
        telemetry.count("CacheHits", record.hits)
        telemetry.count("CacheMisses", record.misses)
        if record.upstream_calls:
            telemetry.count("UpstreamTime", record.upstream_time * 1000, "Milliseconds")
        telemetry.count("OwnTime", own * 1000, "Milliseconds")
        telemetry.publish(workspace=workspace, model=record.model)
    else:
        telemetry.publish()
