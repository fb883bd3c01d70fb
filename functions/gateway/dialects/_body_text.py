"""The text of a body: UTF-8, or refused with a reason. No text is embedded that its caller did not write.

API Gateway hands JSON to Lambda as text. What is not UTF-8 arrives as U+FFFD, and nobody can tell what it was; only
`Content-Length` still counts the bytes that were sent. https://www.rfc-editor.org/rfc/rfc8259#section-8.1
"""

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from gateway.core.errors import InvalidRequest, WrongContentType
from gateway.core.shown import quoted, shown

UTF_8 = "utf-8"

CHARSETS = frozenset(
    {"ascii", UTF_8, "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "gb18030", "gbk"}
    | {"shift_jis", "euc_jp", "euc_kr", "big5", "koi8-r", "koi8-u", *(f"cp{number}" for number in range(1250, 1259))}
    | {f"iso8859-{part}" for part in range(1, 17) if part != 12}  # noqa: PLR2004  (a part that never appeared)
)
"""Python's names of charsets that are decoded."""

_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Byte order marks, longer ones first: one begins with another."""

_WIDE = ("utf-16", "utf-32")
"""Here not even ASCII is what it is in UTF-8."""

_PARAMETER = re.compile(r';[ \t]*([^;=\s]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^;]*))')

REPLACED = "\ufffd"
_REPLACED = re.compile(REPLACED)
_NO_UTF_8 = re.compile("[\udc80-\udcff]")
HALF = re.compile("[\ud800-\udfff]")


def as_utf8(body: bytes, headers: Mapping[str, str], *, came_as_text: bool) -> bytes:
    """The body in UTF-8, without a byte order mark; raises `InvalidRequest`, `WrongContentType`.

    `came_as_text` says that a front door has decoded the body before us.
    """
    name = parameters(headers.get("content-type", "")).get("charset") or _marked(body)
    charset = _codec(name)
    if charset != UTF_8:
        return _decoded(body, name, charset, came_as_text=came_as_text).removeprefix("\ufeff").encode()
    if REPLACED.encode() in body:
        _check_length(body, headers.get("content-length", ""))
    return body.removeprefix(codecs.BOM_UTF8)


def why_unreadable(body: bytes) -> InvalidRequest | None:
    """Why a parser may have refused the body though it has the shape of JSON; `None` if it has not."""
    try:
        body.decode()
    except UnicodeDecodeError as error:
        problem = f"holds the byte 0x{body[error.start]:02x} at position {error.start} of the body, which is not UTF-8"
        return _about(problem, place_of(body, _NO_UTF_8))
    place = place_of(body, HALF)
    return _about("holds half of a surrogate pair, which is no character", place) if place is not None else None


def _codec(name: str) -> str:
    """Python's name of a charset; raises `WrongContentType` for one that is not decoded."""
    try:
        charset = codecs.lookup(name).name
    except (LookupError, ValueError):
        charset = ""
    if charset not in CHARSETS:
        raise WrongContentType(f"The body is in the charset {quoted(name)}, which is not known here; send UTF-8.")
    return charset


def parameters(header: str) -> Mapping[str, str]:
    """The parameters behind a header's value, names in lower case, unquoted; of a repeated one the first counts."""
    if ";" not in header:
        return {}
    found = [(name.lower(), _unescaped(text) or token.strip()) for name, text, token in _PARAMETER.findall(header)]
    return dict(reversed(found))


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _marked(body: bytes) -> str:
    return next((charset for mark, charset in _MARKS.items() if body.startswith(mark)), UTF_8)


def _decoded(body: bytes, name: str, charset: str, *, came_as_text: bool) -> str:
    if came_as_text and (charset.startswith(_WIDE) or not body.isascii()):
        raise WrongContentType(
            f"The body is in the charset {quoted(name)}; on its way here what is not UTF-8 was lost. Send UTF-8."
        )
    try:
        return body.decode(_with_order(charset, body))
    except UnicodeDecodeError as error:
        message = f"The body is not in the charset {quoted(name)}, as declared: see its byte {error.start}."
        raise InvalidRequest(message, problems=[("", message)]) from error


def _with_order(charset: str, body: bytes) -> str:
    """With the order of bytes that JSON's first sign shows, where neither the name nor a mark says it."""
    if charset not in _WIDE or body.startswith(tuple(_MARKS)):
        return charset
    return f"{charset}-{'be' if body[:1] == bytes(1) else 'le'}"


def _check_length(body: bytes, declared: str) -> None:
    """Raises `InvalidRequest` if not as many bytes were sent as there are now: then U+FFFD stands for others."""
    if declared.strip().isdecimal() and int(declared) != len(body):
        raise _about("holds bytes that are not UTF-8, and they were lost on their way here", place_of(body, _REPLACED))


def _about(problem: str, place: tuple[int | str, ...] | None) -> InvalidRequest:
    path = path_text(place or ())
    message = f"Invalid '{path}': it {problem}; send UTF-8." if path else f"The body {problem}; send UTF-8."
    return InvalidRequest(message, param=path or None, problems=[(path, message)])


def place_of(body: bytes, sign: re.Pattern[str]) -> tuple[int | str, ...] | None:
    """Where in the JSON the first text with that sign stands; `None` if in none, or if this is no JSON."""
    try:
        return next(_places(json.loads(body.decode(errors="surrogateescape")), sign, ()), None)
    except (ValueError, RecursionError):
        return None


def _places(value: Any, sign: re.Pattern[str], at: tuple[int | str, ...]) -> Iterator[tuple[int | str, ...]]:  # JSON
    match value:
        case str():
            if sign.search(value):
                yield at
        case list():
            for index, item in enumerate(value):
                yield from _places(item, sign, (*at, index))
        case dict():
            for name, item in value.items():
                yield from _places(name, sign, (*at, name))
                yield from _places(item, sign, (*at, name))


def path_text(location: tuple[int | str, ...]) -> str:
    """`("input", 2)` as `input[2]`, `("content", "parts")` as `content.parts`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{shown(part)}" if text else shown(part)
    return text
