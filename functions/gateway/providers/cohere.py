"""Cohere, version 2 of its API, also where Azure serves it: https://docs.cohere.com/reference/embed."""

import re

import msgspec

from gateway.core.embedding import EmbeddingResult, Purpose
from gateway.core.errors import GatewayError
from gateway.core.ports import ProviderCall
from gateway.outbound.messages import HttpCall, HttpReply
from gateway.providers._errors import ErrorTable, Signs, read_vendor_error
from gateway.providers._vectors import read_vectors
from gateway.providers._vendor import HttpSettings, address, decode_reply, encode_body, first_count, purpose_word

URL = "https://api.cohere.com"
PURPOSES = {
    Purpose.QUERY: "search_query",
    Purpose.DOCUMENT: "search_document",
    Purpose.CLASSIFICATION: "classification",
    Purpose.CLUSTERING: "clustering",
}
ACCEPTS_TITLE = ACCEPTS_TOKENS = False
RESERVED = frozenset({"images", "inputs", "output_dimension"})
ERRORS = ErrorTable(
    too_long=Signs(
        codes=frozenset({"TOO_MANY_TOKENS"}),
        sentences=(
            re.compile(r"cannot exceed (?P<limit>\d+) - received (?P<tokens>\d+)"),
            re.compile(r"too many tokens: size limit exceeded by \d+ tokens"),
        ),
    ),
    too_large=Signs(sentences=(re.compile(r"total number of texts must be at most \d+"),)),
)


class Settings(HttpSettings, frozen=True):
    path: str = "/v2/embed"  # on Azure /providers/cohere/v2/embed, and `auth_header` is api-key


class _Meta(msgspec.Struct):
    billed_units: dict[str, float | None] | None = None


class _Reply(msgspec.Struct):
    embeddings: dict[str, list[msgspec.Raw]]
    meta: _Meta | None = None


def build_call(call: ProviderCall, settings: Settings) -> HttpCall:
    # An input_type is required; a search index is the likeliest use.
    purpose = purpose_word(call, PURPOSES, settings) or PURPOSES[Purpose.DOCUMENT]
    body: dict[str, object] = {"model": call.route.vendor_model, "texts": call.inputs, "input_type": purpose}
    body |= {"embedding_types": ["float"], "truncate": "END" if call.truncate else "NONE"}
    body |= {"output_dimension": call.dimensions} if call.dimensions else {}
    return HttpCall(url=address(call, URL, settings.path), body=encode_body(body, call, RESERVED))


def read_reply(call: ProviderCall, reply: HttpReply) -> EmbeddingResult:
    answer = decode_reply(reply, _Reply)
    tokens = answer.meta.billed_units.get("input_tokens") if answer.meta and answer.meta.billed_units else None
    vectors = read_vectors(call, answer.embeddings.get("float", ()))
    return EmbeddingResult(vectors=vectors, tokens=first_count(tokens))


def read_error(reply: HttpReply, settings: Settings) -> GatewayError:  # noqa: ARG001
    return read_vendor_error(reply, ERRORS)
