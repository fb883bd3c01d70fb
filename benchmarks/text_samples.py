"""Texts of many kinds, to measure estimates of tokens with. Written or drawn here; a seed makes the same again."""

import base64
import json
import random
import string
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from benchmarks.processes import ROOT

LENGTHS = (160, 400, 1_200)
"""Characters."""
DRAWS = 12
"""Samples of each kind and length."""


class Sample(NamedTuple):
    """One text of a kind."""

    kind: str
    text: str


PROSE: Mapping[str, str] = json.loads(Path(__file__).with_name("prose.json").read_text(encoding="utf-8"))
"""A few sentences in each of many languages, to be repeated and cut."""


def _drawn(alphabet: str) -> Callable[[random.Random, int], str]:
    return lambda dice, length: "".join(dice.choices(alphabet, k=length))


def _joined(part: Callable[[random.Random], str], between: str = " ") -> Callable[[random.Random, int], str]:
    def draw(dice: random.Random, length: int) -> str:
        parts: list[str] = []
        while sum(map(len, parts)) < length:
            parts.append(part(dice))
        return between.join(parts)[:length]

    return draw


def _of(character: str) -> Callable[[random.Random, int], str]:
    return lambda _, length: character * length


def _between(first: int, last: int) -> str:
    return "".join(map(chr, range(first, last)))


_WORDS = [
    "get",
    "set",
    "user",
    "account",
    "config",
    "value",
    "index",
    "vector",
    "embedding",
    "request",
    "response",
    "handler",
    "factory",
    "timeout",
    "retry",
    "cache",
    "token",
    "limit",
    "http",
    "json",
    "parse",
    "build",
    "create",
    "update",
    "delete",
    "async",
    "stream",
    "buffer",
    "context",
    "manager",
    "session",
    "provider",
]


_SHORT = ["a", "b", "c", "d", "e", "f", "x", "y", "i", "of", "to", "in", "is", "it", "we", "or", "an", "at"]


def _name(dice: random.Random) -> str:
    """As code has them: `camelCase`, `snake_case` or `UPPER_CASE`."""
    words = dice.choices(_WORDS, k=dice.randint(2, 4))
    return dice.choice(
        [words[0] + "".join(map(str.title, words[1:])), "_".join(words), "_".join(words).upper(), "".join(words)]
    )


DRAWN: Mapping[str, Callable[[random.Random, int], str]] = {
    "hex": _drawn("0123456789abcdef"),
    "HEX": _drawn("0123456789ABCDEF"),
    "base64": lambda dice, length: base64.b64encode(dice.randbytes(length)).decode()[:length],
    "base32": lambda dice, length: base64.b32encode(dice.randbytes(length)).decode()[:length],
    "words of hex": _joined(lambda dice: dice.randbytes(dice.choice([4, 8, 16])).hex()),
    "ids": _joined(lambda dice: "".join(dice.choices(string.ascii_letters + string.digits, k=dice.randint(8, 40)))),
    "uuids": _joined(lambda dice: str(uuid.UUID(bytes=dice.randbytes(16))), "\n"),
    "letters and digits": _drawn(string.ascii_letters + string.digits),
    "lower case and digits": _drawn(string.ascii_lowercase + string.digits),
    "random letters": _drawn(string.ascii_letters),
    "random lower case": _drawn(string.ascii_lowercase),
    "RANDOM UPPER CASE": _drawn(string.ascii_uppercase),
    "random words": _joined(lambda dice: "".join(dice.choices(string.ascii_lowercase, k=dice.randint(2, 9)))),
    "random syllables": _joined(
        lambda dice: "".join(
            dice.choice("bcdfghjklmnpqrstvwz") + dice.choice("aeiou") for _ in range(dice.randint(1, 5))
        )
    ),
    "names in code": _joined(_name, "(x, "),
    "hardware addresses": _joined(lambda dice: ":".join(f"{byte:02X}" for byte in dice.randbytes(6))),
    "percent-encoded": _joined(lambda dice: f"%{dice.randrange(256):02X}", ""),
    "escapes": _joined(lambda dice: f"\\u{dice.randrange(65536):04x}", ""),
    "random consonants": _joined(lambda dice: "".join(dice.choices("bcdfghlmnprst", k=dice.randint(3, 9)))),
    "genes": _drawn("acgt"),
    "initials": _joined(lambda dice: ".".join(dice.choices(string.ascii_uppercase, k=3)) + "."),
    "lists of letters": _joined(lambda dice: dice.choice(string.ascii_lowercase), ","),
    "indented lines": _joined(lambda dice: " " * dice.randint(1, 30) + dice.choice(["if", "x", "}"]), "\n"),
    "formulas": _joined(
        lambda dice: dice.choice([r"\frac{a_{i}}{b^{2}}", r"\sum_{k=0}^{n}", r"\alpha\beta", r"\mathbb{R}"])
    ),
    "short words": _joined(lambda dice: dice.choice(_SHORT)),
    "short lines": _joined(lambda dice: dice.choice(_SHORT), "\n"),
    "short cells": _joined(lambda dice: dice.choice([*_SHORT, "1", "23"]), "\t"),
    "one letter a line": _joined(lambda dice: dice.choice(string.ascii_letters), "\n"),
    "one letter each": _joined(lambda dice: dice.choice(string.ascii_letters)),
    "digits": _drawn(string.digits),
    "numbers": _joined(lambda dice: str(dice.randint(0, 10 ** dice.randint(1, 8)))),
    "decimals": _joined(lambda dice: f"{dice.gauss(0, 100):.4f}", ", "),
    "CSV": _joined(lambda dice: f'{dice.randint(1, 9999)},{dice.random():.3f},AB-{dice.randint(10, 99)},"x"', "\n"),
    "dates": _joined(
        lambda dice: f"2026-{dice.randint(1, 12):02}-{dice.randint(1, 28):02}T{dice.randint(0, 23):02}:15:07Z"
    ),
    "addresses": _joined(lambda dice: ".".join(str(dice.randint(0, 255)) for _ in range(4)), "\n"),
    "links": _joined(
        lambda dice: (
            f"https://cdn{dice.randint(1, 9)}.example.com/a/{dice.randbytes(6).hex()}?id={dice.randint(1, 10**6)}"
        )
    ),
    "punctuation": _drawn(string.punctuation),
    "one mark": lambda dice, length: dice.choice("-=.*#_~") * length,
    "brackets": _drawn("(){}[]<>;,"),
    "spaces": _of(" "),
    "line breaks": _of("\n"),
    "tabs": _of("\t"),
    "white space": _drawn(" \n\t"),
    "spaced words": _joined(lambda dice: "word" + " " * dice.randint(1, 12), ""),
    "emoji": _drawn(_between(0x1F600, 0x1F64F) + _between(0x1F300, 0x1F5FF) + _between(0x1F680, 0x1F6C5)),
    "emoji of several": _joined(lambda dice: dice.choice(["👩‍👩‍👧‍👦", "👍🏽", "🇩🇪", "🏳️‍🌈", "❤️", "1️⃣"]), ""),
    "rare Chinese characters": _drawn(_between(0x4E00, 0x9FFF)),
    "random syllables of Korean": _drawn(_between(0xAC00, 0xD7A3)),
    "random Cyrillic": _drawn(_between(0x0430, 0x0450)),
    "random Arabic": _drawn(_between(0x0621, 0x064A)),
    "random Greek": _drawn(_between(0x03B1, 0x03CA)),
    "random capitals of Cyrillic": _drawn(_between(0x0410, 0x0430)),
    "Arabic with vowels": _drawn(_between(0x0621, 0x064B) + _between(0x064B, 0x0653)),
    "Hebrew with vowels": _drawn(_between(0x05D0, 0x05EB) + _between(0x05B0, 0x05BC)),
    "full-width": _drawn(_between(0xFF01, 0xFF5F)),
    "half-width kana": _drawn(_between(0xFF66, 0xFF9E)),
    "private use": _drawn(_between(0xE000, 0xE100)),
    "characters of four bytes": _drawn(_between(0x20000, 0x20100)),
    "braille and boxes": _drawn(_between(0x2500, 0x2580) + _between(0x2800, 0x2900)),
    "control characters": _drawn(_between(1, 9) + _between(14, 32)),
    "signs": _drawn(_between(0x2010, 0x2040) + _between(0x2190, 0x2200) + _between(0x2200, 0x2270)),
    "accents": _drawn(_between(0x00C0, 0x0180)),
}


def samples(seed: int = 1, draws: int = DRAWS) -> Iterator[Sample]:
    """All samples."""
    dice = random.Random(seed)
    for length in LENGTHS:
        for _ in range(draws):
            for kind, draw in DRAWN.items():
                yield Sample(kind, draw(dice, length))
            for kind, text in PROSE.items():
                yield Sample(kind, _cut(text, dice, length))
            for kind, path in FILES.items():
                yield Sample(kind, _cut((ROOT / path).read_text(), dice, length))


FILES: Mapping[str, str] = {
    "English": "docs/decisions.md",
    "Markdown": "docs/clients.md",
    "Python": "functions/gateway/stores/vector_cache.py",
    "YAML": "template.yaml",
    "JSON": "functions/gateway/openapi/openapi.json",
    "JavaScript": "tests/e2e/clients/javascript/protocol.mjs",
    "lock file": "uv.lock",
}


def _cut(text: str, dice: random.Random, length: int) -> str:
    start = dice.randrange(len(text))
    return (text * (1 + (start + length) // len(text)))[start : start + length]
