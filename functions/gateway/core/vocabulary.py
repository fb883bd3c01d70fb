"""From token ids back to the text they were made of. Pure."""

from collections.abc import Callable, Sequence

import msgspec

from gateway.core.embedding import Tokens
from gateway.core.errors import InvalidRequest, RequestTooLarge

MAX_TEXT = 5 * 1024 * 1024
"""Bytes of all texts of a request, as many as a whole body may have."""


class Vocabulary(msgspec.Struct, frozen=True):
    """The bytes of every token, by id."""

    name: str
    tokens: Sequence[bytes]

    def decode(self, ids: Tokens, path: str, room: int = MAX_TEXT) -> str:
        """The text; raises `InvalidRequest`, which names `path`, for an id that stands for no text.

        Raises `RequestTooLarge` for a text of more than `room` bytes: a token may stand for a hundred blanks. A client
        that cuts long texts between tokens may cut a character in two: the halves become U+FFFD.
        """
        try:
            tokens = [self.tokens[token] for token in ids]
        except IndexError as error:
            raise InvalidRequest(
                f"Invalid '{path}': it has a token id that the vocabulary {self.name} does not know.", param=path
            ) from error
        if (size := sum(map(len, tokens))) > room:
            raise RequestTooLarge(
                f"The token ids of '{path}' stand for {size} bytes of text; a request may have {MAX_TEXT} together.",
                param=path,
            )
        return b"".join(tokens).decode("utf-8", "replace")


Vocabularies = Callable[[str], Vocabulary | None]
"""The vocabulary of that name, if it is at hand."""


def none_at_hand(_: str) -> None:
    """No vocabulary at all."""
