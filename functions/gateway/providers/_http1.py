"""HTTP/1.1 as bytes (RFC 9112): one call written, its reply read from whatever pieces arrive. No sockets here.

Ours, because it is what a call costs: 0.04 ms of CPU beside 0.3 (httpcore), 0.5 (httpx's transport) and 0.6
(httpx's client), and because the connection must go to an address that was checked. h11 is its referee in the tests.
"""

import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

MAX_HEAD = 64 * 1024
"""Bytes of a status line and its headers."""
MAX_LINE = 4 * 1024
"""Bytes of the line that opens a chunk."""

_Part = TypeVar("_Part")
Steps = Generator[None, None, _Part]
"""Reads a part of the reply; every `yield` asks for more bytes."""

_STATUS_LINE = re.compile(r"HTTP/1\.([01]) (\d{3})(?: .*)?")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?")
_WITHOUT_BODY = frozenset({204, 304})
_FIRST_FINAL_STATUS = 200


class BadHeader(ValueError):
    """A header that could not be told from the next: an operator's slip, in a row or in a key."""


class MalformedReply(Exception):
    """What arrived is not HTTP/1.1."""


class ReplyTooLarge(MalformedReply):
    """The reply is longer than the question can explain."""


class ConnectionEnded(ConnectionError):
    """The connection ended before the reply did; `started` says whether any of it had arrived."""

    def __init__(self, *, started: bool) -> None:
        super().__init__("the connection ended " + ("within the reply" if started else "without a reply"))
        self.started = started


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCall:
    """What to send. `headers` do not repeat what the address and the body tell: host, content-length."""

    url: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpReply:
    """What came back. Names of `headers` are in lower case; repeated ones are joined by a comma."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def write_call(call: HttpCall, *, host: str, target: str) -> bytes:
    """The call's bytes; raises `BadHeader`, without the value, which may be a key."""
    lines = [f"{call.method} {target} HTTP/1.1", f"host: {host}", f"content-length: {len(call.body)}"]
    for name, value in call.headers.items():
        if not (_TOKEN.fullmatch(name) and _FIELD_VALUE.fullmatch(value)):
            raise BadHeader(f"The header {name!r} has a character that HTTP does not allow.")
        lines.append(f"{name}: {value}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + call.body


class ReplyReader:
    """Reads one reply: `feed` it pieces until `reply` is there; `end` says that the connection is at its end.

    `limit` is the longest body, in bytes. `reusable` tells, with the reply, whether another call may follow.
    Raises `MalformedReply`, `ReplyTooLarge`, and, at the end, `ConnectionEnded`.
    """

    def __init__(self, limit: int) -> None:
        self.reply: HttpReply | None = None
        self.reusable = False
        self._limit = limit
        self._buffer = bytearray()
        self._started = self._ended = False
        self._steps = self._read()
        next(self._steps)

    def feed(self, piece: bytes) -> None:
        """Read on."""
        self._started = True
        self._buffer += piece
        next(self._steps, None)
        if self.reply and self._buffer:
            self.reusable = False  # whatever this is, it is no answer to a question of ours

    def end(self) -> None:
        """Nothing more will arrive."""
        self._ended = True
        next(self._steps, None)

    def _read(self) -> Steps[None]:
        version, status, headers = yield from self._final_head()
        body, delimited = yield from self._body(status, headers)
        closing = headers.get("connection", "").lower()
        self.reusable = delimited and version == 1 and "close" not in closing
        self.reply = HttpReply(status=status, headers=headers, body=body)

    def _final_head(self) -> Steps[tuple[int, int, dict[str, str]]]:
        """Minor version, status and headers, after any interim replies (100, 103)."""
        while True:
            head = yield from self._until(b"\r\n\r\n", MAX_HEAD)
            version, status, headers = _read_head(head)
            if status >= _FIRST_FINAL_STATUS:
                return version, status, headers

    def _body(self, status: int, headers: Mapping[str, str]) -> Steps[tuple[bytes, bool]]:
        """The body, and whether it told its own length."""
        coding, length = headers.get("transfer-encoding"), headers.get("content-length")
        if status in _WITHOUT_BODY:
            return b"", True
        if coding is not None:
            if coding.lower() != "chunked" or length is not None:
                raise MalformedReply("the length of the reply is ambiguous")
            return (yield from self._chunks()), True
        if length is not None:
            return (yield from self._exactly(_read_length(length, self._limit))), True
        return (yield from self._rest()), False

    def _chunks(self) -> Steps[bytes]:
        chunks: list[bytes] = []
        room = self._limit
        while True:
            line = yield from self._until(b"\r\n", MAX_LINE)
            size = _read_chunk_size(line, room)
            if size == 0:
                break
            chunk = yield from self._exactly(size + 2)
            if not chunk.endswith(b"\r\n"):
                raise MalformedReply("a chunk is longer than it says")
            chunks.append(chunk[:-2])
            room -= size
        while (yield from self._until(b"\r\n", MAX_LINE)):
            pass  # trailers tell nothing we use
        return b"".join(chunks)

    def _rest(self) -> Steps[bytes]:
        while not self._ended:
            if len(self._buffer) > self._limit:
                raise ReplyTooLarge("the reply does not end")
            yield
        return self._take(len(self._buffer))

    def _until(self, mark: bytes, limit: int) -> Steps[bytes]:
        """What stands before the mark, which is passed over."""
        searched = 0
        while (found := self._buffer.find(mark, searched)) < 0:
            if len(self._buffer) > limit:
                raise MalformedReply("a line or the headers do not end")
            searched = max(0, len(self._buffer) - len(mark) + 1)
            yield from self._more()
        if found > limit:
            raise MalformedReply("a line or the headers are too long")
        taken = self._take(found + len(mark))
        return taken[:found]

    def _exactly(self, size: int) -> Steps[bytes]:
        while len(self._buffer) < size:
            yield from self._more()
        return self._take(size)

    def _more(self) -> Steps[None]:
        if self._ended:
            raise ConnectionEnded(started=self._started)
        yield

    def _take(self, size: int) -> bytes:
        with memoryview(self._buffer) as view:
            taken = bytes(view[:size])
        del self._buffer[:size]
        return taken


def _read_head(head: bytes) -> tuple[int, int, dict[str, str]]:
    status_line, *lines = head.decode("latin-1").split("\r\n")
    match = _STATUS_LINE.fullmatch(status_line)
    if match is None:
        raise MalformedReply("the reply does not begin with a status")
    return int(match[1]), int(match[2]), _read_headers(lines)


def _read_headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        # A name with a space in or before it is how one server's header becomes another's body.
        if not colon or not _TOKEN.fullmatch(name):
            raise MalformedReply("a line among the headers is none")
        name, value = name.lower(), value.strip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _read_length(text: str, limit: int) -> int:
    """Raises unless it is one number (that some servers say twice) within the limit."""
    lengths = {part.strip() for part in text.split(",")}
    length = lengths.pop()
    if lengths or not (length.isascii() and length.isdecimal()) or len(length) > len(str(2**63)):
        raise MalformedReply("the length of the reply is no number")
    if int(length) > limit:
        raise ReplyTooLarge("the reply is longer than the question explains")
    return int(length)


def _read_chunk_size(line: bytes, room: int) -> int:
    match = _CHUNK_LINE.fullmatch(line)
    if match is None:
        raise MalformedReply("a chunk does not begin with its size")
    size = int(match[1], 16)
    if size > room:
        raise ReplyTooLarge("the reply is longer than the question explains")
    return size
