"""Texts whose vectors sentence-transformers itself computed (see tests/fixtures/embedded_model/make.py)."""

import json
from dataclasses import dataclass

import numpy

from tests.e2e.clients.environments import ROOT
from tests.e2e.clients.stage import OWN_LIMIT

_FOLDER = ROOT / "tests" / "fixtures" / "embedded_model"


@dataclass(frozen=True, slots=True)
class Known:
    """A text, the tokens that our own model reads of it, its vector."""

    text: str
    tokens: int
    vector: list[float]


def known_texts() -> list[Known]:
    """Those that our own model takes whole, and an API as text."""
    texts = json.loads((_FOLDER / "expected.json").read_text(encoding="utf-8"))["texts"]
    vectors = numpy.load(_FOLDER / "vectors.npy").tolist()
    known = [Known(item["text"], item["tokens"], vector) for item, vector in zip(texts, vectors, strict=True)]
    return [item for item in known if item.text and item.tokens <= OWN_LIMIT]
