"""Google's Gemini API: https://ai.google.dev/api/embeddings. It lets nobody choose a region."""

from urllib.parse import quote

import msgspec

from gateway.core.embedding import EmbeddingResult
from gateway.core.errors import GatewayError
from gateway.core.ports import ProviderCall
from gateway.core.vectors import normalise
from gateway.outbound.messages import HttpCall, HttpReply
from gateway.providers._errors import read_vendor_error
from gateway.providers._google import ERRORS, PURPOSES, Embedding, Usage, content
from gateway.providers._vectors import read_vectors
from gateway.providers._vendor import HttpSettings, address, decode_reply, encode_body, first_count, purpose_word, said

__all__ = ["ACCEPTS_TITLE", "ACCEPTS_TOKENS", "PURPOSES", "Settings", "build_call", "read_error", "read_reply"]

URL = "https://generativelanguage.googleapis.com/v1"
ACCEPTS_TITLE, ACCEPTS_TOKENS = True, False


class Settings(HttpSettings, frozen=True):
    auth_header: str = "x-goog-api-key"


class _Reply(msgspec.Struct, rename="camel"):
    embeddings: list[Embedding]
    usage_metadata: Usage = msgspec.field(default_factory=Usage)


def build_call(call: ProviderCall, settings: Settings) -> HttpCall:
    model, task = call.route.vendor_model.removeprefix("models/"), purpose_word(call, PURPOSES, settings)
    options = said(taskType=task, title=call.title, outputDimensionality=call.dimensions)
    requests = [{"model": f"models/{model}", "content": content(text), **options} for text in call.inputs]
    path = settings.path or f"/models/{quote(model, safe='')}:batchEmbedContents"
    return HttpCall(url=address(call, URL, path), body=encode_body({"requests": requests}, call))


def read_reply(call: ProviderCall, reply: HttpReply) -> EmbeddingResult:
    answer = decode_reply(reply, _Reply)
    vectors = read_vectors(call, [embedding.values for embedding in answer.embeddings])
    if call.dimensions:  # gemini-embedding-001 cuts, and leaves the rest to us
        vectors = tuple(map(normalise, vectors))
    return EmbeddingResult(vectors=vectors, tokens=first_count(answer.usage_metadata.prompt_token_count))


def read_error(reply: HttpReply, settings: Settings) -> GatewayError:  # noqa: ARG001
    return read_vendor_error(reply, ERRORS)
