"""An answer on its way out: headers that every answer carries, compression, and what does not fit through Lambda."""

import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from gateway.core import errors
from gateway.core.errors import BodyTooLarge, GatewayError
from gateway.core.facts import Facts
from gateway.core.limits import MAX_LAMBDA_ANSWER
from gateway.core.ports import LARGE_ANSWER_TIME
from gateway.core.rate_limit import Reservation, retry_after

if TYPE_CHECKING:
    from gateway.dialects._context import RequestContext

MAX_ANSWER = MAX_LAMBDA_ANSWER - 16_384
"""Bytes of an answer that fits a Lambda payload: its limit, less what the headers around it may take."""

FLOATS_TO_BASE64 = 2
"""A vector as numbers has at least so many times the bytes that it has in base64."""

COMPRESS_FROM = 4_096
"""Bytes from which an answer is worth compressing."""
_GZIP = zlib.MAX_WBITS + 16
"""zlib's number for the format of gzip."""


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """What goes back: `body` is JSON text. `compressible` says that gzip would make it much smaller."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = {}
    compressible: bool = False


async def complete(context: "RequestContext", response: Response) -> Response:
    """The response with all its headers, compressed if that is worth it, or kept elsewhere if it is too large."""
    headers = {**common_headers(context), **response.headers, "content-type": "application/json"}
    body = response.body
    if response.compressible and len(body) >= COMPRESS_FROM and takes_gzip(context.headers):
        body = _gzip(body)
        headers |= {"content-encoding": "gzip", "vary": "accept-encoding"}
    size = _payload_size(body, headers)
    if size > MAX_ANSWER and context.error is None:  # an error is small, see `core/shown.py`
        return await _send_elsewhere(context, response, size)
    return Response(body=body, status=response.status, headers={**headers, "content-length": str(len(body))})


async def _send_elsewhere(context: "RequestContext", response: Response, size: int) -> Response:
    """Lambda cannot carry this response: the client fetches it from the bucket, or is told how much would fit.

    `size` is what it has in Lambda's payload. A redirect has a body too, which says all this to clients that do not
    follow.
    """
    problem = f"The answer has {len(response.body)} bytes, more than can be sent at once"
    ways_out = _ways_out(context, response, size)
    if not _may_redirect(context):
        return await complete(context, context.render(_too_large(f"{problem}.", ways_out)))
    try:
        url = await context.gateway.large_answers.keep(response.body, "application/json")
    except GatewayError as error:
        return await complete(context, context.render(error))
    body = context.dialect.render_error(kept_elsewhere(problem, ways_out)).body
    headers = {"location": url, "content-type": "application/json", "content-length": str(len(body))}
    return Response(body=body, status=303, headers={**common_headers(context), **headers})


def kept_elsewhere(problem: str, ways_out: Iterable[str]) -> BodyTooLarge:
    """What the body of a redirect says."""
    where = f"it is at the address in the header 'location' for {LARGE_ANSWER_TIME // 60} minutes"
    return _too_large(f"{problem}: {where}.", ["let your client follow redirects", *ways_out])


def _ways_out(context: "RequestContext", response: Response, size: int) -> Iterator[str]:
    """What to ask for instead."""
    if response.compressible and context.dialect.base64 and len(response.body) <= MAX_ANSWER * FLOATS_TO_BASE64:
        yield "ask for base64"
    if context.facts.inputs:
        # As numbers vectors differ in length, by a percent or so.
        fits = max(1, context.facts.inputs * MAX_ANSWER * 98 // (size * 100))
        yield f"ask for at most {fits} inputs in one request"


def _too_large(problem: str, ways_out: Iterable[str]) -> BodyTooLarge:
    advice = ", or ".join(ways_out)
    return BodyTooLarge(f"{problem} {advice[:1].upper()}{advice[1:]}." if advice else problem, param="input")


def _may_redirect(context: "RequestContext") -> bool:
    """Whether the client will fetch the answer elsewhere without carrying its key there.

    Every client drops `Authorization` at another host. No client drops the other headers, except
    openai-python's class for Azure. A browser, which sends `Origin`, may not read from the bucket.
    """
    headers = context.headers
    carries_key = "x-goog-api-key" in headers or "api-key" in headers
    drops_key = headers.get("user-agent", "").removeprefix("Async").startswith("AzureOpenAI/Python")
    return context.dialect.follows_redirects and "origin" not in headers and (drops_key or not carries_key)


def _payload_size(body: bytes, headers: Mapping[str, str]) -> int:
    """Bytes of the answer in the JSON that Lambda hands to API Gateway, at most."""
    if "content-encoding" in headers:
        return len(body) * 4 // 3
    if len(body) * 2 <= MAX_ANSWER:
        return len(body) * 2  # fits even if every byte is escaped; counting takes 0.1 ms for a large answer
    return len(body) + body.count(b'"')


def _gzip(body: bytes) -> bytes:
    # Digits hardly repeat each other: looking for repetitions saves 3 % of the bytes and takes 40 % more time.
    compressor = zlib.compressobj(wbits=_GZIP, strategy=zlib.Z_HUFFMAN_ONLY)
    return compressor.compress(body) + compressor.flush()


def takes_gzip(headers: Mapping[str, str]) -> bool:
    """Whether the client accepts gzip (RFC 9110, section 12.5.3)."""
    for part in headers.get("accept-encoding", "").split(","):
        name, _, quality = part.partition(";")
        if name.strip().lower() in {"gzip", "*"}:
            return quality.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def common_headers(context: "RequestContext") -> dict[str, str]:
    """The headers that every answer carries, as far as they are known."""
    headers = {"x-request-id": context.request_id}
    if context.known_caller is not None:
        headers |= allowance_headers(context.facts.allowance or context.gateway.remaining(context.known_caller))
    return headers if context.error else headers | _served_headers(context.facts)


def _served_headers(facts: Facts) -> dict[str, str]:
    """Who served the request, and what it cost."""
    if facts.route is None:
        return {}
    headers = {
        "x-gateway-route": facts.route if _is_plain(facts.route) else quote(facts.route),
        "x-gateway-cache-hits": str(facts.hits),
        "x-gateway-cache-misses": str(facts.misses),
        "x-gateway-tokens-billed": str(facts.billed_tokens),
    }
    return headers | {"x-gateway-tokens-estimated": "true"} if facts.estimated else headers


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


def retry_headers(error: GatewayError) -> dict[str, str]:
    """Whether and when to try again: whole seconds, and milliseconds for clients that read them."""
    match error:
        case errors.AllowanceExhausted(retry_after=seconds):
            return {"retry-after": str(retry_after(seconds)), "retry-after-ms": str(max(1, round(seconds * 1000)))}
        case errors.ProviderThrottled(retry_after=None) | errors.StoreUnavailable():
            return {"retry-after": "1"}
        case errors.ProviderThrottled(retry_after=float() | int() as seconds):
            return {"retry-after": str(retry_after(seconds))}
        case errors.ProviderMisconfigured():
            return {"x-should-retry": "false"}  # OpenAI's clients would otherwise ask three times
        case errors.MethodNotAllowed(allowed=allowed):
            return {"allow": ", ".join(allowed)}
    return {}
