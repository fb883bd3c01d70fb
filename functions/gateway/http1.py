"""HTTP/1.1 as bytes (RFC 9112): one call's head written, its reply read from whatever pieces arrive. No sockets here.

Ours, because it is what a call costs: 0.04 ms of CPU beside 0.3 (httpcore), 0.5 (httpx's transport) and 0.6
(httpx's client, and http.client). It imports nothing of ours; `connection.py` hands it what arrives. h11 is its referee
in the tests.
"""

import re
from collections.abc import Generator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple, TypeVar

MAX_HEAD = 64 * 1024
"""Bytes of a status line and its headers."""
MAX_LINE = 4 * 1024
"""Bytes of the line that opens a chunk."""

_Part = TypeVar("_Part")
Steps = Generator[None, None, _Part]
"""Reads a part of the reply; every `yield` asks for more bytes."""

_INBOX_ROOM = 16 * 1024  # a single vector in base64 comes along
_CHUNKS_ROOM = 64 * 1024
"""Bytes: chunks are short, and the next may come along."""
_NOTHING = memoryview(b"")

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?")
_WITHOUT_BODY = frozenset({204, 304})
_FIRST_FINAL_STATUS = 200
_MAX_DIGITS = 19
_STATUS_DIGITS = 3


class BadHeader(ValueError):
    """A header that could not be told from the next: an operator's slip, in a row or in a key."""


class MalformedReply(Exception):
    """What arrived is not HTTP/1.1."""


class ReplyTooLarge(MalformedReply):
    """The reply is longer than the question can explain."""


class ConnectionEnded(ConnectionError):
    """The connection ended before the reply did."""


class Unanswered(ConnectionEnded):
    """The connection ended before any of the reply had arrived, as one that was kept alive may."""


class HttpReply(NamedTuple):
    """What came back. Names of `headers` are in lower case; repeated ones are joined by a comma."""

    status: int
    body: bytes | bytearray
    headers: Mapping[str, str] = MappingProxyType({})


def write_head(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    """What goes before the body; raises `BadHeader`, without the value, which may be a key."""
    lines = [f"{method} {target} HTTP/1.1"]
    for name, value in headers.items():
        if not (_is_token(name) and _FIELD_VALUE.fullmatch(value)):
            raise BadHeader(f"The header {name!r} has a character that HTTP does not allow.")
        lines.append(f"{name}: {value}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def make_inbox() -> memoryview:
    """Room for what arrives at once; the replies of a connection, one after the other, can share it."""
    return memoryview(bytearray(_INBOX_ROOM))


class ReplyReader:
    """Reads one reply: fill `room`, tell by `took` how much of it, until `reply` is there.

    `limit` is the longest body, in bytes; `inbox` is where things arrive, if one is at hand. `reusable` tells, with the
    reply, whether another call may follow.
    Raises `MalformedReply`, `ReplyTooLarge`, and, at the end, `ConnectionEnded`.
    """

    def __init__(self, limit: int, inbox: memoryview | None = None) -> None:
        self.reply: HttpReply | None = None
        self.reusable = False
        self._limit = limit
        self._inbox = inbox or make_inbox()
        self._arrived = bytearray()
        self._missing = _NOTHING
        """The part of the body that is to be filled, where its length is known."""
        self._started = self._ends_with_connection = self._ended = False
        self._steps = self._read()
        next(self._steps)

    def room(self) -> memoryview:
        """Where what arrives next belongs; never empty."""
        return self._missing or self._inbox

    def took(self, count: int) -> None:
        """So many bytes of `room` are filled: read on."""
        self._started = True
        if self._missing:
            self._missing = self._missing[count:]
            if self._missing:
                return
        else:
            self._arrived += self._inbox[:count]
        next(self._steps, None)
        if self.reply and self._arrived:
            self.reusable = False  # whatever this is, it is no answer to a question of ours

    def end(self, *, broken: bool = False) -> None:
        """Nothing more will arrive; `broken` where the other side did not say so itself."""
        if self.reply:
            return
        if not self._started:
            raise Unanswered("the connection ended without a reply")
        if broken or not self._ends_with_connection:
            raise ConnectionEnded("the connection ended within the reply")
        self._ended = True
        next(self._steps, None)

    def _read(self) -> Steps[None]:
        status = 0
        while status < _FIRST_FINAL_STATUS:  # others are interim: 100, 103
            version, status, headers = _read_head((yield from self._until(b"\r\n\r\n", MAX_HEAD)))
        length = headers.get("content-length")
        if length is None or status in _WITHOUT_BODY or "transfer-encoding" in headers:
            body = yield from self._body_without_length(status, headers)
        elif (size := _read_length(length, self._limit)) == len(self._arrived):
            body, self._arrived = self._arrived, bytearray()
        else:
            body = yield from self._exactly(size)
        closing = self._ends_with_connection or version == "0" or "close" in headers.get("connection", "").lower()
        self.reusable = not closing
        self.reply = HttpReply(status, body, headers)

    def _body_without_length(self, status: int, headers: Mapping[str, str]) -> Steps[bytes | bytearray]:
        if status in _WITHOUT_BODY:
            return b""
        if "transfer-encoding" not in headers:
            return (yield from self._rest())
        if headers["transfer-encoding"].lower() != "chunked" or "content-length" in headers:
            raise MalformedReply("the length of the reply is ambiguous")
        return (yield from self._chunks())

    def _exactly(self, size: int) -> Steps[bytearray]:
        """So many bytes; those still to come are received in their place, and nothing beyond them."""
        if len(self._arrived) >= size:
            return self._take(size)
        whole, have = bytearray(size), len(self._arrived)
        whole[:have] = self._take(have)
        self._missing = memoryview(whole)[have:]
        while self._missing:
            yield
        return whole

    def _chunks(self) -> Steps[bytearray]:
        body = bytearray()
        self._inbox = memoryview(bytearray(_CHUNKS_ROOM))
        while size := _read_chunk_size((yield from self._until(b"\r\n", MAX_LINE)), self._limit - len(body)):
            while len(self._arrived) < size + 2:
                yield
            if self._arrived[size : size + 2] != b"\r\n":
                raise MalformedReply("a chunk is longer than it says")
            with memoryview(self._arrived) as arrived:
                body += arrived[:size]
            del self._arrived[: size + 2]
        while (yield from self._until(b"\r\n", MAX_LINE)):
            pass  # trailers tell nothing we use
        return body

    def _rest(self) -> Steps[bytearray]:
        self._ends_with_connection = True
        while not self._ended:
            if len(self._arrived) > self._limit:
                raise ReplyTooLarge("the reply does not end")
            yield
        return self._take(len(self._arrived))

    def _until(self, mark: bytes, limit: int) -> Steps[bytearray]:
        """What stands before the mark, which is passed over."""
        searched = 0
        while (found := self._arrived.find(mark, searched)) < 0:
            if len(self._arrived) > limit:
                raise MalformedReply("a line or the headers do not end")
            searched = max(0, len(self._arrived) - len(mark) + 1)
            yield
        if found > limit:
            raise MalformedReply("a line or the headers are too long")
        taken = self._arrived[:found]
        del self._arrived[: found + len(mark)]
        return taken

    def _take(self, size: int) -> bytearray:
        taken = self._arrived[:size]
        del self._arrived[:size]
        return taken


@lru_cache(maxsize=256)  # the same few names come and go
def _is_token(name: str) -> bool:
    return _TOKEN.fullmatch(name) is not None


@lru_cache(maxsize=256)
def _field_name(name: str) -> str:
    # A name with a space in or before it is how one server's header becomes another's body.
    if not _is_token(name):
        raise MalformedReply("a line among the headers is none")
    return name.lower()


def _read_head(head: bytearray) -> tuple[str, int, dict[str, str]]:
    """The version's last digit, the status, and headers."""
    first, *lines = head.decode("latin-1").split("\r\n")
    version, status = first[7:8], first[9:12]
    ends_well = first[12:13] in {" ", ""} and "\n" not in first
    if (
        first[:7] != "HTTP/1."
        or version not in "01"
        or first[8:9] != " "
        or len(status) != _STATUS_DIGITS
        or not ends_well
    ):
        raise MalformedReply("the reply does not begin with a status")
    headers: dict[str, str] = {}
    for line in lines:
        told, colon, value = line.partition(":")
        name, value = _field_name(told if colon else ""), value.strip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return version, _read_number(status), headers


def _read_length(text: str, limit: int) -> int:
    """Raises unless it is one number (that some servers say twice) within the limit."""
    lengths = {part.strip() for part in text.split(",")} if "," in text else {text}
    length = _read_number(lengths.pop())
    if lengths:
        raise MalformedReply("the reply has two lengths")
    if length > limit:
        raise ReplyTooLarge("the reply is longer than the question explains")
    return length


def _read_number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > _MAX_DIGITS:
        raise MalformedReply("a status or a length is no number")
    return int(text)


def _read_chunk_size(line: bytearray, room: int) -> int:
    match = _CHUNK_LINE.fullmatch(line)
    if match is None:
        raise MalformedReply("a chunk does not begin with its size")
    size = int(match[1], 16)
    if size > room:
        raise ReplyTooLarge("the reply is longer than the question explains")
    return size
