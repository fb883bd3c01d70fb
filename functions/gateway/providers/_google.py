"""What Google's two APIs share, Gemini and Vertex AI: words for purposes, parts of replies, sentences of errors."""

import re

import msgspec

from gateway.core.embedding import Purpose
from gateway.providers._errors import ErrorTable, Signs

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


def content(text: object) -> dict[str, object]:
    """One input. Each text has a content of its own: parts of one would become one vector."""
    return {"parts": [{"text": text}]}
