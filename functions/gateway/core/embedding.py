"""What is asked of a model, and what it answers. These words belong to no vendor and to no client."""

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


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One input, and how its vector is to be made.

    `dimensions` is the length of the vector; `None` is the model's own. `title` belongs to documents.
    """

    content: Input
    purpose: Purpose | None = None
    title: str | None = None
    dimensions: int | None = None


class EmbeddingRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller asks, after its dialect has been read.

    `extra` holds parameters that the caller asked to be passed to the provider unread.
    `deployment` names one route of the model; `None` leaves the choice to the catalogue.
    """

    model: str
    items: tuple[Item, ...]
    user: str | None = None
    deployment: str | None = None
    extra: Mapping[str, Any] = {}
    cache: CacheUse = CacheUse()


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of a request.

    `tokens` is the count of all inputs, `cached` how many of these came from the cache and cost nothing.
    `estimated` says that the vendor gave no count and ours is an estimate.
    """

    tokens: int
    cached: int = 0
    estimated: bool = False


class EmbeddingResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider answers to one call: vectors in input order, and the tokens it counted.

    `token_counts` are per input, where the provider gives them; `tokens` is its total; `None` is unknown.
    """

    vectors: tuple[Vector, ...]
    tokens: int | None = None
    token_counts: tuple[int, ...] | None = None


class Embedded(msgspec.Struct, frozen=True, kw_only=True):
    """What the gateway answers: one vector per input, in input order, each as long as its item asked."""

    model: str
    vectors: tuple[Vector, ...]
    usage: Usage
    token_counts: tuple[int, ...] = ()
    """Tokens of each input; they add up to those of `usage`."""
