"""A router whose every answer, good or bad, is in its dialect, is counted, and fits the front door."""

import re
import time
import zlib
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from fastapi import Request
from starlette.convertors import Convertor
from starlette.routing import Match, Route, compile_path
from starlette.types import Scope

from gateway import telemetry
from gateway.core.errors import BodyTooLarge, GatewayError, InternalError
from gateway.core.facts import Record
from gateway.core.limits import MAX_LAMBDA_ANSWER
from gateway.core.rate_limit import Reservation
from gateway.dialects._context import Answer, Dialect, RequestContext
from gateway.operations.gateway import Gateway

Endpoint = Callable[[RequestContext], Awaitable[Answer]]
Condition = Callable[[Scope], bool]

MAX_ANSWER = MAX_LAMBDA_ANSWER - 16_384
"""Bytes of an answer that fits into a Lambda payload, with room for the headers around it."""

FIRST_SERVER_ERROR = 500

WORTH_COMPRESSING = 4_096
"""Bytes."""
_GZIP = zlib.MAX_WBITS + 16
"""What zlib calls the format of gzip."""

_UNFORESEEN = "The gateway failed. Try again; if it stays, give its operator the request id."


class DialectRouter:
    """Routes whose endpoints take an `RequestContext` and give an `Answer`; `dialect` renders what fails.

    They are Starlette's routes, not FastAPI's: bodies and vectors must not pass through FastAPI's encoders, and its
    analysis of each endpoint is paid at every cold start.
    """

    def __init__(self, dialect: Dialect, prefix: str = "") -> None:
        self.dialect = dialect
        self.prefix = prefix
        self.routes: list[DialectRoute] = []

    def route(self, method: str, *paths: str, only_if: Condition | None = None) -> Callable[[Endpoint], Endpoint]:
        """Register an endpoint at these paths; where dialects share a path, for the requests that `only_if` accepts."""

        def register(endpoint: Endpoint) -> Endpoint:
            self.routes += [DialectRoute(self.prefix + path, endpoint, self.dialect, method, only_if) for path in paths]
            return endpoint

        return register


class DialectRoute(Route):
    """A route that compiles its path when the ends of one fit: of fifty, a cold start pays for the one it takes."""

    def __init__(  # not Route's own, which compiles at once
        self, path: str, endpoint: Endpoint, dialect: Dialect, method: str, condition: Condition | None
    ) -> None:
        self.path = self.name = path
        self.endpoint = endpoint
        self.dialect = dialect
        self.methods: set[str] = {method, "HEAD"} if method == "GET" else {method}
        self.include_in_schema = False
        self.condition = condition
        self.begin, _, rest = path.partition("{")
        self.end = rest.rpartition("}")[2]

    def fits(self, path: str) -> bool:
        """Whether the path begins and ends as this route's; `matches` looks between."""
        return path.startswith(self.begin) and path.endswith(self.end)

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
        if scope["type"] != "http" or not self.fits(scope["path"]) or (self.condition and not self.condition(scope)):
            return Match.NONE, {}
        if scope["path"] == self.path == self.begin:  # there is nothing in it to look for
            return Match.FULL if scope["method"] in self.methods else Match.PARTIAL, {"path_params": {}}
        return super().matches(scope)


async def serve(request: Request, gateway: Gateway, dialect: Dialect, endpoint: Endpoint) -> Answer:
    """Run the endpoint; render, count and log what came of it."""
    started = time.perf_counter()
    record = Record(request_id=request_id(request))
    exchange = RequestContext(request=request, gateway=gateway, record=record, dialect=dialect)
    answer = await _complete(exchange, await _answer(exchange, endpoint))
    await _finish(record)
    _observe(exchange, answer, time.perf_counter() - started)
    return answer


async def _answer(exchange: RequestContext, endpoint: Endpoint) -> Answer:
    try:
        return await endpoint(exchange)
    except GatewayError as error:
        return _rendered(exchange, error)
    except Exception:  # noqa: BLE001  (the last resort: beyond here the client would get plain text)
        telemetry.logger().exception("unforeseen", request_id=exchange.record.request_id)
        return _rendered(exchange, InternalError(_UNFORESEEN))


async def _finish(record: Record) -> None:
    """The answer is made by now: what goes wrong here must not take it away."""
    for rest in record.unfinished:
        try:
            await rest
        except Exception:  # noqa: BLE001  (stores tell their failures themselves; this one nobody foresaw)
            telemetry.logger().exception("unforeseen", request_id=record.request_id)


def _rendered(exchange: RequestContext, error: GatewayError) -> Answer:
    exchange.record.error = type(error).__name__
    return exchange.dialect.render_error(error)


async def _complete(exchange: RequestContext, answer: Answer) -> Answer:
    """The answer as it goes out, with all its headers."""
    headers = {**_facts(exchange), **answer.headers, "content-type": "application/json"}
    body = answer.body
    if answer.compressible and len(body) >= WORTH_COMPRESSING and _takes_gzip(exchange.headers):
        body = _gzip(body)
        headers |= {"content-encoding": "gzip", "vary": "accept-encoding"}
    if _payload_size(body, headers) > MAX_ANSWER:
        return await _lead_elsewhere(exchange, answer)
    return Answer(body=body, status=answer.status, headers={**headers, "content-length": str(len(body))})


async def _lead_elsewhere(exchange: RequestContext, answer: Answer) -> Answer:
    """Lambda cannot carry this answer: the client fetches it from the bucket, or is told what would fit."""
    if not _may_redirect(exchange):
        fits = max(1, exchange.record.inputs * MAX_ANSWER // len(answer.body))
        error = BodyTooLarge(
            f"The answer would have {len(answer.body)} bytes, more than can be sent at once: "
            f"ask for at most {fits} inputs in one request.",
            param="input",
        )
        return await _complete(exchange, _rendered(exchange, error))
    try:
        url = await exchange.gateway.answers.keep(answer.body, "application/json")
    except GatewayError as error:
        return await _complete(exchange, _rendered(exchange, error))
    return Answer(body=b"", status=303, headers={**_facts(exchange), "location": url, "content-length": "0"})


def _may_redirect(exchange: RequestContext) -> bool:
    """Whether the client will fetch the answer elsewhere without carrying its key there.

    `Authorization` is dropped by every client that goes to another host; the other headers are not, save by
    openai-python's class for Azure. A browser, which sends `Origin`, may not read from the bucket.
    """
    headers = exchange.headers
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


def _takes_gzip(headers: Mapping[str, str]) -> bool:
    for part in headers.get("accept-encoding", "").split(","):
        name, _, quality = part.partition(";")
        if name.strip().lower() in {"gzip", "*"}:
            return quality.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def request_id(request: Request) -> str:
    """The invocation's id, so that a caller's complaint finds its log line."""
    context = request.scope.get("aws.context")
    return str(getattr(context, "aws_request_id", "")) or uuid4().hex


def _facts(exchange: RequestContext) -> dict[str, str]:
    """The headers every answer carries, as far as they are known."""
    record = exchange.record
    headers = {"x-request-id": record.request_id}
    if record.caller is not None:
        headers |= allowance_headers(record.allowance or exchange.gateway.standing(record.caller))
    if record.route is not None and record.error is None:
        headers |= {
            "x-gateway-route": record.route if _is_plain(record.route) else quote(record.route),
            "x-gateway-cache-hits": str(record.hits),
            "x-gateway-cache-misses": str(record.misses),
            "x-gateway-tokens-billed": str(record.billed_tokens),
        }
    if record.estimated and record.error is None:
        headers["x-gateway-tokens-estimated"] = "true"
    return headers


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


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


def _observe(exchange: RequestContext, answer: Answer, duration: float) -> None:
    """One line, and the metrics in it."""
    record = exchange.record
    caller, model = record.caller, record.model
    upstream_ms = record.upstream_time * 1000
    own_ms = duration * 1000 - upstream_ms
    facts = {
        "request_id": record.request_id,
        "dialect": exchange.dialect.name,
        "method": exchange.request.method,
        "status": answer.status,
        "workspace": caller and caller.workspace.name,
        "key_id": caller and caller.key_id,
        "model": model,
        "route": record.route,
        "inputs": record.inputs,
        "hits": record.hits,
        "tokens": record.tokens,
        "billed_tokens": record.billed_tokens,
        "upstream_calls": record.upstream_calls,
        "upstream_ms": round(upstream_ms, 1),
        "own_ms": round(own_ms, 1),
        "bytes_out": len(answer.body),
    }
    if record.error:
        facts["error"] = record.error
    telemetry.count("Requests")
    telemetry.count("Errors", int(answer.status >= FIRST_SERVER_ERROR))
    if not (caller and model):
        telemetry.publish({name: fact for name, fact in facts.items() if fact is not None})
        return
    telemetry.count("Tokens", record.billed_tokens)
    telemetry.count("InputTokens", record.tokens)
    telemetry.count("CacheHits", record.hits)
    telemetry.count("CacheMisses", record.misses)
    if record.upstream_calls:
        telemetry.count("UpstreamTime", upstream_ms)
    telemetry.count("OwnTime", own_ms)
    telemetry.publish(facts, workspace=caller.workspace.name, model=model)
