"""What is asked of a model and what it answers, in words that belong to no vendor and no client."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

Tokens = tuple[int, ...]
"""One input as token ids of the model's own vocabulary."""

Input = str | Tokens
"""One thing to embed."""

Vector = bytes | memoryview
"""One embedding: little-endian float32, shape `(dimensions,)`, so `4 * dimensions` bytes."""


class Purpose(StrEnum):
    """What the vectors are for; some models make other vectors for a query than for a document."""

    QUERY = "query"
    DOCUMENT = "document"
    SIMILARITY = "similarity"
    CLASSIFICATION = "classification"
    CLUSTERING = "clustering"
    QUESTION_ANSWERING = "question_answering"
    FACT_VERIFICATION = "fact_verification"
    CODE_QUERY = "code_query"


class CacheUse(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller allows: `Cache-Control: no-cache` forbids reading, `no-store` both."""

    read: bool = True
    write: bool = True


class EmbeddingRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller asks, after its dialect has been read.

    `extra` holds parameters the caller asked to be passed to the provider unread.
    `deployment` names one route of the model; `None` leaves the choice to the catalogue.
    """

    model: str
    inputs: tuple[Input, ...]
    dimensions: int | None = None
    purpose: Purpose | None = None
    title: str | None = None
    user: str | None = None
    deployment: str | None = None
    extra: Mapping[str, Any] = {}
    cache: CacheUse = CacheUse()


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of a request.

    `tokens` is what all inputs hold, `cached` how many of these were answered from the cache and so
    cost nothing. `estimated` says that the vendor gave no count and ours is a guess.
    """

    tokens: int
    cached: int = 0
    estimated: bool = False


class EmbeddingResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider answers to one call: vectors in input order, and the tokens it counted.

    `token_counts` are per input where the provider tells them; `tokens` is its total; `None` is unknown.
    """

    vectors: tuple[Vector, ...]
    tokens: int | None = None
    token_counts: tuple[int, ...] | None = None


class Embedded(msgspec.Struct, frozen=True, kw_only=True):
    """What the gateway answers: one vector per input, in input order, all of the same length."""

    model: str
    vectors: tuple[Vector, ...]
    usage: Usage
