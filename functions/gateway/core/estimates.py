"""How many tokens a text has: guessed on the high side, from what its bytes are. Nothing is tokenised.

A text's bytes are counted by class, and each class costs at most what it costs in texts of that class
(`core/token_weights.py`). docs/estimates.md shows how good that is.
"""

import math
import string
from collections.abc import Iterable, Sequence
from operator import mul
from typing import Final

from gateway.core.embedding import Input
from gateway.core.token_weights import HIGHEST, Weights

MARKERS: Final = 2
"""Tokens that models put around each input."""

MARGIN: Final = 2
"""An estimate is seldom above twice the true count, so one above twice a limit is refused."""

_WORD, _SEMITIC_WORD, _KOREAN_WORD, _CHINESE_CLAUSE = 8, 7, 6, 24
"""Letters that follow one another in usual texts; ids and random letters have more."""
_USUAL_CONSONANTS: Final = 2.2
"""For each vowel; languages have 1.5 to 2, random letters 4."""
_USUAL_RARE: Final = 0.09
"""Share of j, k, q, v, w, x and z among English letters; random ones have 0.27."""

_WORDS = 7
"""The place of the words among a text's features."""


def _classes(*classes: tuple[str, Iterable[int]], other: str) -> bytes:
    """A table for `bytes.translate` that gives every byte the letter of its class."""
    table = bytearray(other.encode() * 256)
    for letter, members in classes:
        for member in members:
            table[member] = ord(letter)
    return bytes(table)


_VOWELS, _RARE, _CAPITALS, _DIGITS = b"aeiou", b"jkqvwxz", string.ascii_uppercase.encode(), string.digits.encode()
_LOWER = string.ascii_lowercase.encode()
# Beyond ASCII, the first byte of a character tells its script; the bytes that follow it are in no class.
_CLASSES = _classes(
    ("l", _LOWER),
    ("v", _VOWELS),
    ("r", _RARE),
    ("U", _CAPITALS),
    ("D", _DIGITS),
    (" ", b" "),
    ("n", b"\r\n"),
    ("t", b"\t"),
    ("p", string.punctuation.encode()),
    ("-", range(0x80, 0xC2)),
    ("e", range(0xC2, 0xCD)),
    ("g", range(0xCD, 0xD0)),
    ("y", range(0xD0, 0xD5)),
    ("h", range(0xD5, 0xE0)),
    ("i", [0xE0]),
    ("j", [0xE1]),
    ("s", [0xE2]),
    ("k", range(0xE3, 0xEA)),
    ("o", range(0xEA, 0xEE)),
    ("z", [0xEE, 0xEF]),
    ("m", range(0xF0, 0x100)),
    other="c",
)
_CHANGES = _classes(("l", _LOWER), ("U", _CAPITALS), ("D", _DIGITS), (" ", b" "), other="-")
_WORD_STARTS = _classes(
    (" ", b" \t\n\r\v\f\x1c\x1d\x1e\x1f"), ("a", (string.ascii_letters + string.digits).encode()), other="."
)
_SPACES = _classes((" ", b" \t\r\n"), other="x")


def estimate_tokens(item: Input, weights: Weights = HIGHEST) -> int:
    """Tokens of one input: exact for token ids, for text a guess on the high side."""
    if not isinstance(item, str):
        return len(item)
    text = item.encode("utf-8", "surrogatepass")
    features = _features(text)
    # A word has a token at least, and a text no more tokens than bytes.
    tokens: float = max(sum(map(mul, weights, features)), features[_WORDS])
    return MARKERS + min(math.ceil(tokens), len(text))


def most_tokens(item: Input) -> int:
    """Tokens an input has at most, from its length alone."""
    if not isinstance(item, str):
        return len(item)
    return MARKERS + (len(item) if item.isascii() else 4 * len(item))


def least_tokens(item: Input) -> int:
    """Tokens an input has for certain: no vocabulary joins plain words that white space parts."""
    if not isinstance(item, str):
        return len(item)
    signs = item.encode("utf-8", "surrogatepass").translate(_WORD_STARTS)
    return signs.count(b" a") + signs.startswith(b"a")


def _features(text: bytes) -> tuple[float, ...]:
    """What a text has of each row of the table of weights."""
    classes = text.translate(_CLASSES)
    count = classes.count
    vowels, rare, capitals, digits = count(b"v"), count(b"r"), count(b"U"), count(b"D")
    spaces, breaks, marks = count(b" "), count(b"n"), count(b"p")
    consonants = count(b"l") + rare
    letters = vowels + consonants
    words = 1 + text.translate(_SPACES).count(b" x")
    parts = words + marks + breaks
    changes = text.translate(_CHANGES).count
    ascii_features = (
        letters,
        max(0.0, consonants - _USUAL_CONSONANTS * vowels),
        max(0.0, rare - _USUAL_RARE * letters),
        max(0, letters + capitals + digits - _WORD * parts),
        capitals,
        digits,
        changes(b"lD") + changes(b"UD") + changes(b"Dl") + changes(b"DU"),
        words,
        changes(b"-l") + changes(b"-U"),
        max(0, spaces - words),
        breaks,
        count(b"t"),
        count(b"c"),
        marks,
    )
    return ascii_features if text.isascii() else (*ascii_features, *_foreign_features(text, classes, parts))


def _foreign_features(text: bytes, classes: bytes, parts: int) -> tuple[float, ...]:
    count = classes.count
    parts += text.count(b"\xe3\x80") + text.count(b"\xef\xbc")  # the marks of Chinese and Japanese
    quotes = text.count(b"\xe2\x80")
    greek, cyrillic, semitic, chinese, korean = count(b"g"), count(b"y"), count(b"h"), count(b"k"), count(b"o")
    return (
        quotes,
        count(b"e"),
        greek,
        max(0, greek - _WORD * parts),
        cyrillic,
        max(0, cyrillic - _WORD * parts),
        semitic,
        max(0, semitic - _SEMITIC_WORD * parts),
        count(b"i"),
        count(b"j"),
        count(b"s") - quotes,
        chinese,
        max(0, chinese - _CHINESE_CLAUSE * parts),
        korean,
        max(0, korean - _KOREAN_WORD * parts),
        count(b"z"),
        count(b"m"),
    )


class Estimates:
    """The estimates of a request's inputs, by position; each is made when it is first asked for.

    Inputs whose vectors are known are never asked for, so that a hit does not pay for estimates. `most` is what an
    input counts at most, because the model cuts it there.
    """

    def __init__(self, contents: Sequence[Input], weights: Weights, most: int | None = None) -> None:
        self._contents = contents
        self._weights = weights
        self._most = most
        self._made: dict[int, int] = {}

    def __getitem__(self, position: int) -> int:
        if position not in self._made:
            estimate = estimate_tokens(self._contents[position], self._weights)
            self._made[position] = estimate if self._most is None else min(estimate, self._most)
        return self._made[position]
