"""Perplexity, which speaks OpenAI but answers only signed bytes: https://docs.perplexity.ai/api-reference."""

import struct

import msgspec

from gateway.core.embedding import EmbeddingResult, Purpose
from gateway.core.errors import GatewayError
from gateway.core.ports import ProviderCall
from gateway.core.vectors import normalise, to_base64
from gateway.outbound.messages import HttpCall, HttpReply
from gateway.providers._errors import read_vendor_error
from gateway.providers._vectors import read_items
from gateway.providers._vendor import HttpSettings, address, decode_reply, encode_body, first_count, said
from gateway.providers.errors import openai

URL = "https://api.perplexity.ai"
PURPOSES: dict[Purpose, str] = {}
ACCEPTS_TITLE = ACCEPTS_TOKENS = False


class Settings(HttpSettings, frozen=True):
    path: str = "/v1/embeddings"


class _Item(msgspec.Struct):
    signed: bytes = msgspec.field(name="embedding")
    index: int | None = None

    @property
    def embedding(self) -> msgspec.Raw:
        """As others send it: base64 of float32. Bytes keep angles and no length, so it becomes one."""
        signed = memoryview(self.signed).cast("b")
        return msgspec.Raw(to_base64(normalise(struct.pack(f"<{len(signed)}f", *signed))))


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None


class _Reply(msgspec.Struct):
    data: list[_Item]
    usage: _Usage = msgspec.field(default_factory=_Usage)


def build_call(call: ProviderCall, settings: Settings) -> HttpCall:
    model, size = call.route.vendor_model, call.dimensions
    body = said(model=model, input=call.inputs, encoding_format="base64_int8", dimensions=size)
    return HttpCall(url=address(call, URL, settings.path), body=encode_body(body, call, ["dimensions"]))


def read_reply(call: ProviderCall, reply: HttpReply) -> EmbeddingResult:
    answer = decode_reply(reply, _Reply)
    return EmbeddingResult(vectors=read_items(call, answer.data), tokens=first_count(answer.usage.prompt_tokens))


def read_error(reply: HttpReply, settings: Settings) -> GatewayError:  # noqa: ARG001
    return read_vendor_error(reply, openai.ERRORS)
