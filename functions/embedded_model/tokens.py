"""Texts to token ids, counted to the last one, in memory that does not grow with the text.

A tokenizer keeps some 400 bytes per token until it is done, and a request may hold six million of them.
So texts are read in pieces, cut only where the tokenizer separates words anyway: the pieces give the same tokens
as the whole text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from tokenizers import Tokenizer

LIMIT = 256  # tokens the model reads of one text, [CLS] and [SEP] included
CLS, SEP = 101, 102
BODY = LIMIT - 2

PIECE = 65_536  # characters tokenized at a time

# After white space, a punctuation mark or a Chinese character, or before an opening bracket. The closing bracket is
# among the marks but the opening one is not: "[SEP]" and its like, written in a text, are read as one token.
SEAM = re.compile(r"(?<=[ \t\n\r!-/:-@\\\]-`{-~\u2010-\u2027\u3001-\u3003\u3008-\u3011\u4e00-\u9fff])|(?=\[)")

LONG_WORD = 2_000  # characters; the vocabulary reads every word of more than 100 as one token, [UNK]

# Letters and digits, none of them Chinese: whatever separates words is not among them. A match begins where a word
# does, or a text of many words that are nearly too long would be searched again from every letter.
LETTER = r"[^\W_\u3400-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f]"
ENDLESS_WORD = re.compile(rf"(?<!{LETTER})({LETTER}{{{LONG_WORD}}}){LETTER}+")


@dataclass(slots=True)
class Reading:
    """The token ids that the model may read, at most LIMIT, and how many tokens the whole text has."""

    ids: list[int] = field(default_factory=lambda: [CLS])
    count: int = 2

    def add(self, ids: list[int]) -> None:
        self.count += len(ids)
        self.ids += ids[: BODY + 1 - len(self.ids)]


def read_texts(tokenizer: Tokenizer, texts: Sequence[str]) -> list[Reading]:
    readings = [Reading() for _ in texts]
    texts = [ENDLESS_WORD.sub(r"\1", text) for text in texts]
    for batch in batches(chain.from_iterable(map(pieces, readings, texts))):
        encodings = tokenizer.encode_batch_fast([piece for _, piece in batch], add_special_tokens=False)
        for (reading, _), encoding in zip(batch, encodings, strict=True):
            reading.add(encoding.ids)
    for reading in readings:
        reading.ids.append(SEP)
    return readings


def pieces(reading: Reading, text: str) -> Iterator[tuple[Reading, str]]:
    """The text in pieces of PIECE characters, or more where nothing separates words, each with its reading."""
    start = 0
    while len(text) - start > PIECE and (seam := SEAM.search(text, start + PIECE)):
        yield reading, text[start : seam.start()]
        start = seam.start()
    yield reading, text[start:]


def batches(readings: Iterable[tuple[Reading, str]]) -> Iterator[list[tuple[Reading, str]]]:
    """Pieces in groups, each closed once it holds PIECE characters."""
    batch: list[tuple[Reading, str]] = []
    size = 0
    for reading, piece in readings:
        batch.append((reading, piece))
        size += len(piece)
        if size >= PIECE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
