"""Snowflake Cortex: https://docs.snowflake.com/en/user-guide/snowflake-cortex/cortex-rest-api.

A row's URL is its account's, and decides the region. Its key is a programmatic access token.
"""

import msgspec

from gateway.core.embedding import EmbeddingResult, Purpose
from gateway.core.errors import GatewayError
from gateway.core.ports import ProviderCall
from gateway.outbound.messages import HttpCall, HttpReply
from gateway.providers._errors import ErrorTable, read_vendor_error
from gateway.providers._vectors import read_items
from gateway.providers._vendor import HttpSettings, address, decode_reply, encode_body, first_count

PURPOSES: dict[Purpose, str] = {}
ACCEPTS_TITLE = ACCEPTS_TOKENS = False


class Settings(HttpSettings, frozen=True):
    path: str = "/api/v2/cortex/inference:embed"


class _Item(msgspec.Struct):
    vectors: tuple[msgspec.Raw] = msgspec.field(name="embedding")  # an array that holds one array
    index: int | None = None

    @property
    def embedding(self) -> msgspec.Raw:
        return self.vectors[0]


class _Usage(msgspec.Struct):
    total_tokens: int | None = None


class _Reply(msgspec.Struct):
    data: list[_Item]
    usage: _Usage | None = None


def build_call(call: ProviderCall, settings: Settings) -> HttpCall:
    body = {"model": call.route.vendor_model, "text": call.inputs}
    return HttpCall(url=address(call, None, settings.path), body=encode_body(body, call))


def read_reply(call: ProviderCall, reply: HttpReply) -> EmbeddingResult:
    answer = decode_reply(reply, _Reply)
    tokens = first_count(answer.usage.total_tokens if answer.usage else None)
    return EmbeddingResult(vectors=read_items(call, answer.data), tokens=tokens)


def read_error(reply: HttpReply, settings: Settings) -> GatewayError:  # noqa: ARG001
    return read_vendor_error(reply, ErrorTable())
