"""What an error repeats of somebody else's text: on one line, and cut, so that no error is ever large."""

import re
from collections.abc import Callable, Collection
from itertools import islice

MAX_SENTENCE = 500
"""Characters of a message; some dialects have it twice or three times."""
MAX_PROBLEM = 300
"""Characters of each of several problems."""
MAX_NAME = 100
"""Characters of a name, a code, a value or the place of a parameter."""
MAX_LISTED = 3
"""Problems and names that are told one by one."""

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters, line ends, and halves of surrogate pairs, which UTF-8 does not have."""


def shown(text: str, most: int = MAX_NAME) -> str:
    """The text as JSON and a log can carry it, with `…` where it was cut."""
    return _UNPRINTABLE.sub(" ", text if len(text) <= most else text[: most - 1] + "…")


def quoted(text: str) -> str:
    """The text between quotation marks, as Python writes it."""
    return repr(shown(text))


def listed(names: Collection[str], most: int = MAX_LISTED, *, as_shown: Callable[[str], str] = shown) -> str:
    """The first names, and how many more there are."""
    told = ", ".join(map(as_shown, islice(names, most)))
    return told if len(names) <= most else f"{told} and {len(names) - most} more"
