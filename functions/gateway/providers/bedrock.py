"""Amazon Bedrock: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html."""

import re
from urllib.parse import quote

import msgspec

from gateway.core.embedding import EmbeddingResult, Purpose
from gateway.core.errors import GatewayError
from gateway.core.ports import ProviderCall
from gateway.core.vectors import normalise
from gateway.outbound.messages import HttpCall, HttpReply
from gateway.providers import _vendor, cohere
from gateway.providers._aws_credentials import AwsSettings
from gateway.providers._errors import Signs, read_vendor_error
from gateway.providers._vectors import read_vectors
from gateway.providers._vendor import BadRow, only_input, purpose_word, said

PURPOSES = cohere.PURPOSES
NOVA_PURPOSES = {
    Purpose.QUERY: "GENERIC_RETRIEVAL",
    Purpose.DOCUMENT: "GENERIC_INDEX",
    Purpose.CLASSIFICATION: "CLASSIFICATION",
    Purpose.CLUSTERING: "CLUSTERING",
}
ACCEPTS_TITLE = ACCEPTS_TOKENS = False
Settings = AwsSettings
TOO_LONG = re.compile(r"expected maxLength: \d+|Max input tokens: (?P<limit>\d+), request.*?: (?P<tokens>\d+)")
ERRORS = cohere.ERRORS._replace(
    too_long=cohere.ERRORS.too_long | Signs(sentences=(TOO_LONG,)),
    too_large=cohere.ERRORS.too_large | Signs(sentences=(re.compile(r"expected maximum item count: \d+"),)),
    no_model=Signs(sentences=(re.compile(r"model identifier is invalid|on-demand throughput isn.t supported"),)),
)


class _Reply(msgspec.Struct):
    embedding: msgspec.Raw = msgspec.Raw(b"null")  # Titan
    embeddings: dict[str, list[msgspec.Raw]] | list[msgspec.Raw] = []  # Cohere v4; Cohere v3, Nova
    count: int | None = msgspec.field(default=None, name="inputTextTokenCount")  # Titan


class _Nova(msgspec.Struct):
    embedding: msgspec.Raw


def build_call(call: ProviderCall, settings: Settings) -> HttpCall:
    model = call.route.vendor_model
    make = next((make for family, make in FAMILIES.items() if family in model), None)
    if make is None:
        raise BadRow(f"Route {call.route.name!r}: {model!r} is none of {', '.join(FAMILIES)}.")
    path = f"/model/{quote(model, safe='')}/invoke"
    return HttpCall(url=_vendor.address(call, None, path), body=_vendor.encode_body(make(call, settings), call))


def _titan(call: ProviderCall, settings: Settings) -> dict[str, object]:
    purpose_word(call, {}, settings)  # it has none
    return said(inputText=only_input(call), dimensions=call.dimensions, normalize=True, embeddingTypes=["float"])


def _cohere(call: ProviderCall, settings: Settings) -> dict[str, object]:
    word = purpose_word(call, PURPOSES, settings) or PURPOSES[Purpose.DOCUMENT]  # one is required
    cut = "RIGHT" if "embed-v4" in call.route.vendor_model else "END"
    body = said(texts=call.inputs, input_type=word, output_dimension=call.dimensions, embedding_types=["float"])
    return body | {"truncate": cut if call.truncate else "NONE"}


def _nova(call: ProviderCall, settings: Settings) -> dict[str, object]:
    word = purpose_word(call, NOVA_PURPOSES, settings) or NOVA_PURPOSES[Purpose.DOCUMENT]  # one is required
    text = {"truncationMode": "END" if call.truncate else "NONE", "value": only_input(call)}
    asked = said(embeddingPurpose=word, embeddingDimension=call.dimensions or call.native_dimensions, text=text)
    return {"taskType": "SINGLE_EMBEDDING", "singleEmbeddingParams": asked}


FAMILIES = {"titan-embed-text-v2": _titan, "cohere.embed-": _cohere, "nova-2-multimodal-embeddings": _nova}


def read_reply(call: ProviderCall, reply: HttpReply) -> EmbeddingResult:
    answer = _vendor.decode_reply(reply, _Reply)
    found = answer.embeddings.get("float", []) if isinstance(answer.embeddings, dict) else answer.embeddings
    if "titan" in call.route.vendor_model:
        found = [answer.embedding]
    if nova := "nova-2" in call.route.vendor_model:
        found = [_vendor.decode_reply(HttpReply(200, bytes(item)), _Nova).embedding for item in found]
    vectors = read_vectors(call, found)
    tokens = _vendor.first_count(answer.count, _vendor.header_count(reply, "x-amzn-bedrock-input-token-count"))
    return EmbeddingResult(vectors=tuple(map(normalise, vectors)) if nova else vectors, tokens=tokens)


def read_error(reply: HttpReply, settings: Settings) -> GatewayError:  # noqa: ARG001
    quota = reply.headers.get("x-amzn-errortype", "").startswith("ServiceQuotaExceeded")  # a 400
    return read_vendor_error(reply._replace(status=429) if quota else reply, ERRORS)
