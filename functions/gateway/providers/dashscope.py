"""Alibaba's Model Studio, its own API, where a text has a purpose: https://www.alibabacloud.com/help/en/model-studio."""

import re

import msgspec

from gateway.core.embedding import EmbeddingResult, Purpose
from gateway.core.errors import GatewayError
from gateway.core.ports import ProviderCall
from gateway.outbound.messages import HttpCall, HttpReply
from gateway.providers._errors import ErrorTable, Signs, read_vendor_error
from gateway.providers._vectors import read_items
from gateway.providers._vendor import HttpSettings, address, decode_reply, encode_body, first_count, purpose_word, said

PURPOSES = {Purpose.QUERY: "query", Purpose.DOCUMENT: "document"}
ACCEPTS_TITLE = ACCEPTS_TOKENS = False
ERRORS = ErrorTable(
    too_long=Signs(sentences=(re.compile(r"Range of input length should be \[1, (?P<limit>\d+)\]"),)),
    too_large=Signs(sentences=(re.compile(r"batch size is invalid"),)),
    no_credit=Signs(codes=frozenset({"Arrearage", "AllocationQuota.FreeTierOnly"})),
    no_access=Signs(codes=frozenset({"InvalidApiKey", "AccessDenied", "Model.AccessDenied"})),
    no_model=Signs(codes=frozenset({"ModelNotFound"})),
)


class Settings(HttpSettings, frozen=True):
    path: str = "/api/v1/services/embeddings/text-embedding/text-embedding"


class _Item(msgspec.Struct):
    embedding: msgspec.Raw
    index: int | None = msgspec.field(default=None, name="text_index")


class _Output(msgspec.Struct):
    embeddings: list[_Item]


class _Reply(msgspec.Struct):
    output: _Output
    usage: dict[str, float | None] = {}


def build_call(call: ProviderCall, settings: Settings) -> HttpCall:
    task, size = purpose_word(call, PURPOSES, settings), call.dimensions
    parameters = said(text_type=task, dimension=size, output_type="dense")
    body = {"model": call.route.vendor_model, "input": {"texts": call.inputs}, "parameters": parameters}
    return HttpCall(url=address(call, None, settings.path), body=encode_body(body, call))


def read_reply(call: ProviderCall, reply: HttpReply) -> EmbeddingResult:
    answer = decode_reply(reply, _Reply)
    tokens = first_count(answer.usage.get("total_tokens"))
    return EmbeddingResult(vectors=read_items(call, answer.output.embeddings), tokens=tokens)


def read_error(reply: HttpReply, settings: Settings) -> GatewayError:  # noqa: ARG001
    return read_vendor_error(reply, ERRORS)
