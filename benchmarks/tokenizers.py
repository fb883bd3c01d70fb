"""Tokenizers to measure estimates against: from a file, and from the vocabulary that this repository ships."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from tokenizers import Regex, Tokenizer, models, pre_tokenizers

from gateway.vocabularies import vocabulary_at_hand

_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How OpenAI cuts a text before it looks for tokens, https://github.com/openai/tiktoken (tiktoken_ext)."""
_NEVER = 1 << 30


def read_tokenizer(file: Path) -> Tokenizer:
    """The tokenizer of a `tokenizer.json`, which adds nothing and cuts nothing."""
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


@cache
def cl100k_base() -> Tokenizer:
    """OpenAI's, from the ids in `gateway/vocabularies`; a few seconds the first time."""
    vocabulary = vocabulary_at_hand("cl100k_base")
    if vocabulary is None:
        raise RuntimeError("There is no cl100k_base in gateway/vocabularies.")
    ranks = {bytes(token): rank for rank, token in enumerate(vocabulary.tokens)}
    spelt = {token: _spelt(token) for token in ranks}
    merges = [(spelt[one], spelt[other]) for one, other in _merges(ranks)]
    tokenizer = Tokenizer(models.BPE(vocab={spelt[token]: rank for token, rank in ranks.items()}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return tokenizer


def _merges(ranks: Mapping[bytes, int]) -> Iterator[tuple[bytes, bytes]]:
    """The two tokens that each token is made of: what the pairs of lower rank leave of its bytes."""
    for token, rank in ranks.items():
        parts = [token[at : at + 1] for at in range(len(token))]
        while len(parts) > 2:
            pairs = [ranks.get(parts[at] + parts[at + 1], _NEVER) for at in range(len(parts) - 1)]
            best = min(range(len(pairs)), key=lambda at: pairs[at] if pairs[at] < rank else _NEVER)
            parts[best : best + 2] = [parts[best] + parts[best + 1]]
        if len(parts) > 1:
            yield parts[0], parts[1]


def _spelt(token: bytes) -> str:
    return "".join([_CHARACTERS[byte] for byte in token])


def _byte_characters() -> list[str]:
    """The character that stands for each byte in a byte-level vocabulary: itself if it can be seen, else one beyond."""
    seen = re.compile(r"[!-~\u00a1-\u00ac\u00ae-\u00ff]")
    beyond = iter(range(256, 512))
    return [chr(byte) if seen.fullmatch(chr(byte)) else chr(next(beyond)) for byte in range(256)]


_CHARACTERS = _byte_characters()
