"""Calls and replies as values, and what can go wrong between them: all of HTTP that a vendor's file needs."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import msgspec

# They say where a call goes and ends, and what becomes of its connection (RFC 9110, sections 6.4, 7.2 and 7.6.1).
SENDERS_OWN = frozenset(
    {
        "connection", "content-encoding", "content-length", "expect", "host", "keep-alive", "proxy-connection", "te",
        "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class BadHeader(ValueError):
    """A header that cannot be sent, from a catalogue row or a key; the message names it and never repeats its value."""


class MalformedReply(Exception):
    """What arrived is not HTTP/1.1, or not what was asked for."""


class ReplyTooLarge(MalformedReply):
    """The reply is longer than the call's limit."""


class ConnectionEnded(ConnectionError):
    """The connection ended before the reply did."""


class HttpCall(msgspec.Struct, frozen=True, kw_only=True):
    """What to send. The client adds the headers that follow from the address and the body: host, content-length."""

    url: str
    body: bytes
    headers: Mapping[str, str] = {}
    method: str = "POST"


class HttpReply(NamedTuple):
    """What came back. Names of `headers` are in lower case; repeated ones are joined by a comma."""

    status: int
    body: bytes
    headers: Mapping[str, str] = MappingProxyType({})


def encode_headers(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Headers as bytes, without white space around values; raises `BadHeader`.

    We check them before h11 does, because h11's message repeats the value that it refuses, which may be a key.
    """
    return [_encode_header(name, value) for name, value in headers.items()]


def _encode_header(name: str, value: str) -> tuple[bytes, bytes]:
    if name.lower() in SENDERS_OWN:
        raise BadHeader(f"The header {name!r} is for the gateway alone to set.")
    if not (_NAME.fullmatch(name) and _VALUE.fullmatch(value)):
        raise BadHeader(f"The header {name!r} has a character that HTTP does not allow.")
    return name.encode(), value.strip().encode("latin-1")
