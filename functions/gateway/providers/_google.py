"""What Google's two APIs share, Gemini and Vertex AI: words for purposes, replies, and sentences of errors."""

import re

import msgspec

from gateway.core.embedding import EmbeddingResult, Purpose
from gateway.core.errors import GatewayError
from gateway.core.ports import ProviderCall
from gateway.core.vectors import normalise
from gateway.outbound.messages import HttpReply
from gateway.providers._errors import ErrorTable, Signs, read_vendor_error
from gateway.providers._vectors import read_vectors
from gateway.providers._vendor import HttpSettings, decode_reply, first_count

PURPOSES = {
    Purpose.QUERY: "RETRIEVAL_QUERY",
    Purpose.DOCUMENT: "RETRIEVAL_DOCUMENT",
    Purpose.SIMILARITY: "SEMANTIC_SIMILARITY",
    Purpose.CLASSIFICATION: "CLASSIFICATION",
    Purpose.CLUSTERING: "CLUSTERING",
    Purpose.QUESTION_ANSWERING: "QUESTION_ANSWERING",
    Purpose.FACT_VERIFICATION: "FACT_VERIFICATION",
    Purpose.CODE_QUERY: "CODE_RETRIEVAL_QUERY",
}

ERRORS = ErrorTable(
    too_long=Signs(sentences=(re.compile(r"token count (?:is |\()(?P<tokens>\d+).*?(?:up to |\()(?P<limit>\d+)"),)),
    too_large=Signs(sentences=(re.compile(r"at most \d+ requests can be in one batch"),)),
    no_credit=Signs(sentences=(re.compile(r"prepayment credits are depleted"),)),  # a 429
    no_access=Signs(sentences=(re.compile(r"API key (?:not valid|expired)"),)),  # a 400
)


class Embedding(msgspec.Struct):
    values: msgspec.Raw


class Usage(msgspec.Struct, rename="camel"):
    prompt_token_count: int | None = None


class Statistics(msgspec.Struct):
    token_count: float | None = None


class Predicted(Embedding):
    statistics: Statistics = msgspec.field(default_factory=Statistics)


class Prediction(msgspec.Struct):
    embeddings: Predicted


class Reply(msgspec.Struct, rename="camel"):
    """`embedding` answers one content, `embeddings` several, `predictions` Vertex AI's `:predict`."""

    embedding: Embedding | None = None
    embeddings: list[Embedding] = []
    predictions: list[Prediction] = []
    usage_metadata: Usage = msgspec.field(default_factory=Usage)


def content(text: object) -> dict[str, object]:
    """One input. Each text has a content of its own: parts of one would become one vector."""
    return {"parts": [{"text": text}]}


def read_reply(call: ProviderCall, reply: HttpReply) -> EmbeddingResult:
    answer = decode_reply(reply, Reply)
    predicted = [prediction.embeddings for prediction in answer.predictions]
    found = [answer.embedding] if answer.embedding else answer.embeddings or predicted
    vectors = read_vectors(call, [embedding.values for embedding in found])
    if call.dimensions:  # gemini-embedding-001 cuts, and leaves the rest to us
        vectors = tuple(map(normalise, vectors))
    counted = sum(embeddings.statistics.token_count or 0 for embeddings in predicted)
    return EmbeddingResult(vectors=vectors, tokens=first_count(answer.usage_metadata.prompt_token_count, counted))


def read_error(reply: HttpReply, settings: HttpSettings) -> GatewayError:  # noqa: ARG001
    return read_vendor_error(reply, ERRORS)
