"""Ollama's own API: https://docs.ollama.com/api/embed. A context that is too long is refused, not cut."""

import msgspec

from gateway.core.embedding import EmbeddingResult, Purpose
from gateway.core.errors import GatewayError
from gateway.core.ports import ProviderCall
from gateway.outbound.messages import HttpCall, HttpReply
from gateway.providers._errors import read_vendor_error
from gateway.providers._vectors import read_vectors
from gateway.providers._vendor import HttpSettings, address, decode_reply, encode_body, first_count, said
from gateway.providers.errors.ollama import ERRORS

PURPOSES: dict[Purpose, str] = {}
ACCEPTS_TITLE = ACCEPTS_TOKENS = False
RESERVED = frozenset({"dimensions", "prompt"})


class Settings(HttpSettings, frozen=True):
    path: str = "/api/embed"


class _Reply(msgspec.Struct):
    embeddings: list[msgspec.Raw]
    prompt_eval_count: int | None = None


def build_call(call: ProviderCall, settings: Settings) -> HttpCall:
    model, size = call.route.vendor_model, call.dimensions
    body = said(model=model, input=call.inputs, truncate=call.truncate, dimensions=size)
    return HttpCall(url=address(call, None, settings.path), body=encode_body(body, call, RESERVED))


def read_reply(call: ProviderCall, reply: HttpReply) -> EmbeddingResult:
    answer = decode_reply(reply, _Reply)
    return EmbeddingResult(vectors=read_vectors(call, answer.embeddings), tokens=first_count(answer.prompt_eval_count))


def read_error(reply: HttpReply, settings: Settings) -> GatewayError:  # noqa: ARG001
    return read_vendor_error(reply, ERRORS)
