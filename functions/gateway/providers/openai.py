"""OpenAI, and every server that speaks it: they differ by a row of the catalogue.

https://platform.openai.com/docs/api-reference/embeddings
"""

import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
import pybase64

from gateway.core.catalogue import Provider
from gateway.core.embedding import EmbeddingResult, Vector
from gateway.core.errors import GatewayError, InvalidRequest, ProviderMisbehaved, UnsupportedParameter
from gateway.core.ports import ProviderCall
from gateway.core.vectors import FLOAT32, is_finite
from gateway.providers._errors import read_vendor_error
from gateway.providers._http import BadRow, HttpCall, HttpReply, read_settings

DEFAULT_URL = "https://api.openai.com/v1"

# What a caller's extra parameters may not say, because the gateway does.
OURS = frozenset({"model", "input", "encoding_format", "dimensions"})


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a server that speaks OpenAI differs from OpenAI.

    `path` follows the provider's URL; `{model}` in it is the vendor's name of the model, percent-encoded.
    `auth_scheme` stands before the key, an empty one for none; by default `Bearer` in `authorization`, none elsewhere.
    `purposes` are the vendor's words for purposes, sent as `purpose_field`. `truncation` is sent when the model
    truncates, `body` always.
    """

    path: str = "/embeddings"
    api_version: str | None = None
    auth_header: str = "authorization"
    auth_scheme: str | None = None
    headers: dict[str, str] = {}
    dimensions_field: str = "dimensions"
    encoding_field: str = "encoding_format"
    send_model: bool = True
    send_user: bool = True
    purpose_field: str = "input_type"
    purposes: dict[str, str] = {}
    truncation: dict[str, Any] = {}  # JSON, for the vendor
    body: dict[str, Any] = {}  # JSON, for the vendor


class _Item(msgspec.Struct):
    index: int
    embedding: msgspec.Raw


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    total_tokens: int | None = None


class _Reply(msgspec.Struct):
    data: list[_Item]
    usage: _Usage | None = None


_ENCODER = msgspec.json.Encoder()
_REPLY = msgspec.json.Decoder(_Reply)
_FLOATS = msgspec.json.Decoder(list[float])
_TEXT = msgspec.json.Decoder(str)
_QUOTE = b'"'


def build_call(call: ProviderCall, key: str | None) -> HttpCall:
    """What to send: https://platform.openai.com/docs/api-reference/embeddings/create."""
    if call.title is not None:
        raise UnsupportedParameter("The provider of this model takes no title.", param="title", value=call.title)
    settings = read_settings(call.provider, Settings)
    url, headers = _address(call.provider, call.route.vendor_model, key)
    return HttpCall(url=url, headers=headers, body=_encode(_body(call, settings)))


def read_reply(call: ProviderCall, reply: HttpReply) -> EmbeddingResult:
    """Vectors in input order, whatever order the vendor chose."""
    try:
        answer = _REPLY.decode(reply.body)
        return EmbeddingResult(vectors=_vectors(call, answer.data), tokens=_tokens(answer.usage))
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ProviderMisbehaved("The provider's answer is not what the API of OpenAI promises.") from error


def read_error(reply: HttpReply) -> GatewayError:
    """What a status other than 200 says."""
    return read_vendor_error(reply)


@lru_cache(maxsize=64)
def _address(provider: Provider, vendor_model: str, key: str | None) -> tuple[str, Mapping[str, str]]:
    """URL and headers."""
    settings = read_settings(provider, Settings)
    base = (provider.url or DEFAULT_URL).rstrip("/")
    query = "?" + urlencode({"api-version": settings.api_version}) if settings.api_version else ""
    url = base + settings.path.replace("{model}", quote(vendor_model, safe="")) + query
    # Unasked, a vendor's front door may compress what hardly shrinks.
    headers = {"content-type": "application/json", "accept": "application/json", "accept-encoding": "identity"}
    headers |= {"user-agent": "embeddings-gateway", **settings.headers}
    if key:
        headers[settings.auth_header] = f"{_auth_scheme(settings)} {key}".lstrip()
    return url, headers


def _auth_scheme(settings: Settings) -> str:
    if settings.auth_scheme is not None:
        return settings.auth_scheme
    return "Bearer" if settings.auth_header.lower() == "authorization" else ""


def _body(call: ProviderCall, settings: Settings) -> dict[str, Any]:
    route = call.route
    body: dict[str, Any] = {**settings.body, "input": call.inputs}
    if settings.send_model:
        body["model"] = route.vendor_model
    if route.accepts_base64:
        body[settings.encoding_field] = "base64"
    if call.dimensions is not None:
        body[settings.dimensions_field] = call.dimensions
    if call.user is not None and settings.send_user:
        body["user"] = call.user
    if call.truncate:
        body |= settings.truncation
    body |= _purpose(call, settings)
    return {**body, **_extra(call, settings, body)}


def _purpose(call: ProviderCall, settings: Settings) -> dict[str, str]:
    if call.purpose is None:
        return {}
    word = settings.purposes.get(call.purpose.value)
    if word is None:
        raise BadRow(f"Settings of provider {call.provider.name!r}: no word for {call.purpose.value!r}.")
    return {settings.purpose_field: word}


def _extra(call: ProviderCall, settings: Settings, body: Mapping[str, object]) -> Mapping[str, object]:
    if not call.extra:
        return {}
    ours = OURS | {settings.dimensions_field, settings.encoding_field, *body}
    for name in call.extra:
        if name in ours:
            raise InvalidRequest(f"The parameter {name!r} cannot be passed on: the gateway sets it.", param=name)
    return call.extra


def _encode(body: Mapping[str, object]) -> bytes:
    try:
        return _ENCODER.encode(body)
    except UnicodeEncodeError as error:  # half of a surrogate pair
        raise InvalidRequest("The input holds a character that is not valid Unicode.", param="input") from error


def _vectors(call: ProviderCall, items: Sequence[_Item]) -> tuple[Vector, ...]:
    count, size = len(call.inputs), FLOAT32 * (call.dimensions or call.native_dimensions)
    if len(items) != count:
        raise ProviderMisbehaved(f"The provider answered {len(items)} vectors to {count} inputs.")
    vectors: list[Vector | None] = [None] * count
    for item in items:
        if not 0 <= item.index < count or vectors[item.index] is not None:
            raise ProviderMisbehaved(f"The provider's answer has no place for its index {item.index}.")
        vectors[item.index] = _vector(item.embedding, size)
    # As many items as places, none used twice: every place is filled.
    return tuple(vector for vector in vectors if vector is not None)


def _vector(embedding: msgspec.Raw, size: int) -> Vector:
    """Little-endian float32 of a base64 string or of an array of numbers: vendors send what they like."""
    text = memoryview(embedding)
    vector = _from_base64(text) if text[:1] == _QUOTE else _from_numbers(embedding)
    if len(vector) != size:
        raise ProviderMisbehaved(
            f"The provider answered a vector of {len(vector) / FLOAT32:g} dimensions instead of {size // FLOAT32}."
        )
    if not is_finite(vector):
        raise ProviderMisbehaved("The provider answered a vector that is not finite.")
    return vector


def _from_base64(text: memoryview) -> bytes:
    try:
        return pybase64.b64decode(text[1:-1], validate=True)
    except ValueError:
        return _from_escaped_base64(text)


def _from_escaped_base64(text: memoryview) -> bytes:
    """JSON writers that escape `/` or `+` are rare, but right."""
    try:
        return pybase64.b64decode(_TEXT.decode(text), validate=True)
    except ValueError as error:
        raise ProviderMisbehaved("The provider answered a vector that is not base64.") from error


def _from_numbers(embedding: msgspec.Raw) -> bytes:
    numbers = _FLOATS.decode(embedding)
    try:
        return struct.pack(f"<{len(numbers)}f", *numbers)
    except OverflowError as error:
        raise ProviderMisbehaved("The provider answered a vector beyond float32.") from error


def _tokens(usage: _Usage | None) -> int | None:
    """Some servers say 0 or -1 where they do not count: unknown, then, because no input is empty."""
    counts = (usage.prompt_tokens, usage.total_tokens) if usage else ()
    return next((count for count in counts if count and count > 0), None)
