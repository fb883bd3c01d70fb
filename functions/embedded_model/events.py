"""What the function is asked and what it answers.

- `{"texts": [str, ...], "truncate": bool}` gives `{"vectors": base64, "tokens": [int, ...]}` in input order:
  little-endian float32 of shape (n, 384), row by row, and how many tokens the model read of each text.
- A text over the limit, unless `truncate` is true:
  `{"error": {"code": "input_too_long", "index": int, "tokens": int, "limit": 256}}`, for the first such text.
- `{"warm": true}` gives `{"ready": true}` and computes nothing.
- Anything else: `{"error": {"code": "invalid_event", "message": str}}`.
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from embedded_model.tokens import LIMIT, Reading

Answer = dict[str, Any]  # JSON, in one of the shapes above


class Embedder(Protocol):
    """What an answer needs of the model."""

    def read(self, texts: Sequence[str]) -> list[Reading]:
        """The token ids that the model would read of each text, and how many the text has."""

    def embed(self, ids: Sequence[list[int]]) -> bytes:
        """The vectors as little-endian float32, one after the other."""


class InvalidEventError(Exception):
    """The event is none of those above; the message says what is wrong, never a text."""


@dataclass(frozen=True, slots=True)
class Question:
    texts: list[str]
    truncate: bool


def answer(event: object, embedder: Embedder) -> Answer:
    if event == {"warm": True}:
        return {"ready": True}
    try:
        question = read_event(event)
    except InvalidEventError as error:
        return {"error": {"code": "invalid_event", "message": str(error)}}
    return embed(question, embedder)


def embed(question: Question, embedder: Embedder) -> Answer:
    readings = embedder.read(question.texts)
    if not question.truncate:
        for index, reading in enumerate(readings):
            if reading.count > LIMIT:
                return refuse_length(index, reading)
    vectors = embedder.embed([reading.ids for reading in readings])
    return {
        "vectors": binascii.b2a_base64(vectors, newline=False).decode("ascii"),
        "tokens": [len(reading.ids) for reading in readings],
    }


def refuse_length(index: int, reading: Reading) -> Answer:
    return {"error": {"code": "input_too_long", "index": index, "tokens": reading.count, "limit": LIMIT}}


def read_event(event: object) -> Question:
    if not isinstance(event, dict):
        raise InvalidEventError(f"The event must be an object, not {type(event).__name__}.")
    unknown = sorted(str(key) for key in event.keys() - {"texts", "truncate"})
    if unknown:
        raise InvalidEventError(f"The event has unknown fields: {', '.join(unknown)}.")
    truncate = event.get("truncate", False)
    if not isinstance(truncate, bool):
        raise InvalidEventError("'truncate' must be true or false.")
    return Question(texts=read_texts(event.get("texts")), truncate=truncate)


def read_texts(texts: object) -> list[str]:
    if not isinstance(texts, list):
        raise InvalidEventError("'texts' must be an array of strings.")
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise InvalidEventError(f"texts[{index}] must be a string, not {type(text).__name__}.")
        if not is_unicode(text):
            raise InvalidEventError(f"texts[{index}] holds half of a surrogate pair, which no UTF-8 can write.")
    return texts


def is_unicode(text: str) -> bool:
    """Whether the text can be written as UTF-8; JSON escapes can hold half a surrogate pair."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
