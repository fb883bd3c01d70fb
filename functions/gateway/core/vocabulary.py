"""From token ids back to the text they were made of. Pure."""

from collections.abc import Callable, Sequence

import msgspec

from gateway.core.embedding import Tokens
from gateway.core.errors import InvalidRequest


class Vocabulary(msgspec.Struct, frozen=True):
    """The bytes of every token, by id."""

    name: str
    tokens: Sequence[bytes]

    def decode(self, ids: Tokens, path: str) -> str:
        """The text; raises `InvalidRequest`, which names `path`, for an id that stands for no text.

        A client that cuts long texts between tokens may cut a character in two: the halves become U+FFFD.
        """
        try:
            return b"".join([self.tokens[token] for token in ids]).decode("utf-8", "replace")
        except IndexError as error:
            raise InvalidRequest(
                f"Invalid '{path}': it has a token id that the vocabulary {self.name} does not know.", param=path
            ) from error


Vocabularies = Callable[[str], Vocabulary | None]
"""The vocabulary of that name, if it is at hand."""


def none_at_hand(_: str) -> None:
    """No vocabulary at all."""
