"""Hugging Face's text-embeddings-inference, its own API: https://huggingface.github.io/text-embeddings-inference.

Unlike its `/v1/embeddings`, `/embed` can be told not to cut, and knows purposes: the names of the model's prompts.
"""

import msgspec

from gateway.core.embedding import EmbeddingResult, Purpose
from gateway.core.errors import GatewayError
from gateway.core.ports import ProviderCall
from gateway.outbound.messages import HttpCall, HttpReply
from gateway.providers._errors import read_vendor_error
from gateway.providers._vectors import read_vectors
from gateway.providers._vendor import (
    HttpSettings,
    address,
    decode_reply,
    encode_body,
    first_count,
    header_count,
    purpose_word,
    said,
)
from gateway.providers.errors.tei import ERRORS

PURPOSES: dict[Purpose, str] = {}  # a row gives the prompts that its model has
ACCEPTS_TITLE, ACCEPTS_TOKENS = False, True
RESERVED = frozenset({"prompt_name", "dimensions"})


class Settings(HttpSettings, frozen=True):
    path: str = "/embed"


def build_call(call: ProviderCall, settings: Settings) -> HttpCall:
    body = said(inputs=call.inputs, truncate=call.truncate, normalize=True, dimensions=call.dimensions)
    body |= said(prompt_name=purpose_word(call, PURPOSES, settings))
    return HttpCall(url=address(call, None, settings.path), body=encode_body(body, call, RESERVED))


def read_reply(call: ProviderCall, reply: HttpReply) -> EmbeddingResult:
    vectors = read_vectors(call, decode_reply(reply, list[msgspec.Raw]))
    return EmbeddingResult(vectors=vectors, tokens=first_count(header_count(reply, "x-compute-tokens")))


def read_error(reply: HttpReply, settings: Settings) -> GatewayError:  # noqa: ARG001
    return read_vendor_error(reply, ERRORS)
