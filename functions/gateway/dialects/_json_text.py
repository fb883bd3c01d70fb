"""A body's bytes as JSON text (RFC 8259, section 8): what clients and front doors do to it before we read it."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from gateway.core.errors import InvalidRequest, WrongContentType
from gateway.core.shown import quoted

BOM = b"\xef\xbb\xbf"
"""Editors of Windows write it before UTF-8; a parser may skip it."""

Place = tuple[int | str, ...]

_CHARSET = re.compile(r';\s*charset\s*=\s*"?([^\s";]*)', re.IGNORECASE)
_LIKE_ASCII = re.compile(
    r"(us-?)?ascii|iso-?8859-\d+|latin-?1|(windows-|cp)125\d|gbk|gb2312|gb18030|euc-\w+|koi8-r", re.IGNORECASE
)
"""Charsets in which every text of ASCII has the same bytes as in UTF-8."""
_REPLACED = "\ufffd".encode()
_HALF = re.compile("[\ud800-\udfff]")
_ESCAPED_HALF = re.compile(rb"\\u[dD][89a-fA-F]")


def json_text(headers: Mapping[str, str], body: bytes) -> bytes:
    """The body in UTF-8, without a byte order mark; raises `WrongContentType`, `InvalidRequest` if it is not UTF-8.

    API Gateway passes JSON on as text, so bytes that are not UTF-8 have become U+FFFD before we see them: the vector
    would be that of another text. The charset that was declared tells it, or a length that no longer fits.
    """
    declared = _CHARSET.search(headers.get("content-type", ""))
    if declared and declared[1].lower() not in {"utf-8", "utf8"}:
        _check_charset(declared[1], body)
    if (
        _REPLACED in body
        and headers.get("content-length", "").isdecimal()
        and int(headers["content-length"]) < len(body)
    ):
        raise InvalidRequest("The body is not UTF-8, as JSON must be: send it in UTF-8.")
    return body.removeprefix(BOM)


def _check_charset(charset: str, body: bytes) -> None:
    if not (body.isascii() and _LIKE_ASCII.fullmatch(charset)):
        raise WrongContentType(
            f"The body is in the charset {quoted(charset)}; send JSON in UTF-8, the only one it has."
        )


def place_of_half_pair(body: bytes) -> Place | None:
    """Where a text of the JSON holds half of a surrogate pair, as a cut through an emoji leaves it; `None` if nowhere.

    Such JSON is grammatical, but no Unicode, and pydantic does not read it.
    """
    if not _ESCAPED_HALF.search(body):
        return None
    try:
        return _search(json.loads(body), ())
    except (ValueError, RecursionError):
        return None


def _search(value: Any, place: Place) -> Place | None:  # JSON as it came
    parts: Iterable[tuple[int | str, Any]] = ()
    match value:
        case str():
            return place if _HALF.search(value) else None
        case list():
            parts = enumerate(value)
        case dict():
            parts = value.items()
    return next(filter(None, (_search(part, (*place, name)) for name, part in parts)), None)
