"""Vocabularies in files, read when token ids come for a model whose provider takes only text.

`<name>.bin` is made by `python -m infra.vocabulary`; an operator may add more. It is a zlib stream of all tokens in the
order of their ids, each as one byte with its length, then its bytes.
"""

import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from gateway.core.vocabulary import Vocabulary

FOLDER = Path(__file__).parent


@cache
def vocabulary_at_hand(name: str) -> Vocabulary | None:
    """The vocabulary of that name, if there is a file of it; 30 ms and 10 MB the first time."""
    file = FOLDER / f"{name}.bin"
    if not name.isidentifier() or not file.is_file():
        return None
    return Vocabulary(name, tuple(unpacked(file.read_bytes())))


def packed(tokens: list[bytes]) -> bytes:
    """The file of these tokens; none may be longer than 255 bytes."""
    return zlib.compress(b"".join(bytes([len(token)]) + token for token in tokens), 9)


def unpacked(content: bytes) -> Iterator[bytes]:
    """The tokens of a file."""
    text, at = zlib.decompress(content), 0
    while at < len(text):
        end = at + 1 + text[at]
        yield text[at + 1 : end]
        at = end
