"""OpenAI, and every server that speaks it: they differ by a row of the catalogue.

https://platform.openai.com/docs/api-reference/embeddings
"""

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import quote, urlencode

import msgspec

from gateway.core.embedding import EmbeddingResult, Purpose
from gateway.core.errors import GatewayError
from gateway.core.ports import ProviderCall
from gateway.outbound.messages import HttpCall, HttpReply
from gateway.providers._errors import read_vendor_error
from gateway.providers._vectors import read_items
from gateway.providers._vendor import HttpSettings, address, decode_reply, encode_body, first_count, purpose_word
from gateway.providers.errors import error_table

URL = "https://api.openai.com/v1"

PURPOSES: Mapping[Purpose, str] = {}  # a row gives the words of a server with purposes
ACCEPTS_TITLE = False
ACCEPTS_TOKENS = True

# Not allowed as extra parameters: the gateway sets these itself.
RESERVED = frozenset({"model", "input", "encoding_format", "dimensions"})


class Settings(HttpSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a server that speaks OpenAI differs from OpenAI.

    `{model}` in the path is the vendor's name of the model, percent-encoded. A purpose is sent as `purpose_field`.
    `truncation` is sent when the model truncates, `body` always. `errors` names the vendor whose codes and sentences
    its errors use: a file of `errors/`.
    """

    path: str = "/embeddings"
    api_version: str | None = None
    dimensions_field: str = "dimensions"
    encoding_field: str = "encoding_format"
    send_model: bool = True
    send_user: bool = True
    purpose_field: str = "input_type"
    truncation: dict[str, Any] = msgspec.field(default_factory=dict)  # JSON, for the vendor
    body: dict[str, Any] = msgspec.field(default_factory=dict)  # JSON, for the vendor
    errors: Literal["jina", "llama_cpp", "mistral", "ollama", "openai", "tei", "voyage"] = "openai"


class _Item(msgspec.Struct):
    embedding: msgspec.Raw
    index: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    total_tokens: int | None = None


class _Reply(msgspec.Struct):
    data: list[_Item]
    usage: _Usage | None = None


def build_call(call: ProviderCall, settings: Settings) -> HttpCall:
    """What to send: https://platform.openai.com/docs/api-reference/embeddings/create."""
    path = settings.path.replace("{model}", quote(call.route.vendor_model, safe=""))
    query = "?" + urlencode({"api-version": settings.api_version}) if settings.api_version else ""
    reserved = RESERVED | {settings.dimensions_field, settings.encoding_field}
    return HttpCall(
        url=address(call, URL, path + query), body=encode_body(_body(call, settings), call, reserved=reserved)
    )


def read_reply(call: ProviderCall, reply: HttpReply) -> EmbeddingResult:
    """Vectors in input order."""
    answer = decode_reply(reply, _Reply)
    counts = (answer.usage.prompt_tokens, answer.usage.total_tokens) if answer.usage else ()
    return EmbeddingResult(vectors=read_items(call, answer.data), tokens=first_count(*counts))


def read_error(reply: HttpReply, settings: Settings) -> GatewayError:
    """What a status other than 200 says."""
    return read_vendor_error(reply, error_table(settings.errors))


def _body(call: ProviderCall, settings: Settings) -> dict[str, Any]:
    body: dict[str, Any] = {**settings.body, "input": call.inputs}
    optional = {
        "model": call.route.vendor_model if settings.send_model else None,
        settings.encoding_field: "base64" if call.route.accepts_base64 else None,
        settings.dimensions_field: call.dimensions,
        "user": call.user if settings.send_user else None,
        settings.purpose_field: purpose_word(call, PURPOSES, settings),
    }
    body |= {name: value for name, value in optional.items() if value is not None}
    return body | settings.truncation if call.truncate else body
