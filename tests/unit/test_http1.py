"""HTTP/1.1 read and written by us, with h11 as the referee."""

import subprocess
import sys
from collections.abc import Sequence

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http1 import (
    MAX_HEAD,
    BadHeader,
    ConnectionEnded,
    HttpReply,
    MalformedReply,
    ReplyReader,
    ReplyTooLarge,
    Unanswered,
    write_head,
)

NAMES = st.sampled_from(["x-request-id", "retry-after", "x-ratelimit-limit-requests", "server", "content-type"])
VALUES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=30)


def feed(reader: ReplyReader, piece: bytes) -> None:
    """As much at once as the reader has room for."""
    while piece:
        count = min(len(piece), len(room := reader.room()))
        room[:count] = piece[:count]
        reader.took(count)
        piece = piece[count:]


def read(message: bytes, limit: int = 10_000) -> ReplyReader:
    reader = ReplyReader(limit)
    feed(reader, message)
    return reader


def pieces(message: bytes, cuts: Sequence[int]) -> list[bytes]:
    ends = sorted({cut % (len(message) + 1) for cut in cuts} | {len(message)})
    return [message[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def written_by_h11(call: bytes, reply: h11.Response, bodies: Sequence[bytes]) -> bytes:
    """What h11's server answers to our call."""
    server = h11.Connection(h11.SERVER)
    server.receive_data(call)
    while not isinstance(server.next_event(), h11.EndOfMessage):
        pass
    parts = [server.send(reply), *(server.send(h11.Data(data=body)) for body in bodies)]
    return b"".join(part or b"" for part in [*parts, server.send(h11.EndOfMessage())])


@given(
    status=st.sampled_from([200, 400, 429, 500, 204]),
    headers=st.lists(st.tuples(NAMES, VALUES), max_size=6),
    bodies=st.lists(st.binary(min_size=1, max_size=200), max_size=4),
    framing=st.sampled_from(["length", "chunked", "close"]),
    cuts=st.lists(st.integers(min_value=0, max_value=3000), max_size=8),
)
def test_whatever_h11_writes_is_read_in_whatever_pieces_it_comes(
    status: int, headers: list[tuple[str, str]], bodies: list[bytes], framing: str, cuts: list[int]
) -> None:
    bodies = [] if status == 204 else bodies
    told = {
        "length": [("content-length", str(sum(map(len, bodies))))] if status != 204 else [],
        "chunked": [("transfer-encoding", "chunked")] if status != 204 else [],
        "close": [("connection", "close")],
    }[framing]
    call = write_head("POST", "/v1/embeddings", {"host": "vendor.example", "content-length": "2"}) + b"{}"
    message = written_by_h11(call, h11.Response(status_code=status, headers=headers + told), bodies)
    reader = ReplyReader(10_000)

    for piece in pieces(message, cuts):
        feed(reader, piece)
    if framing == "close":
        reader.end()

    assert reader.reply is not None
    assert (reader.reply.status, reader.reply.body) == (status, b"".join(bodies))
    assert reader.reusable == (framing != "close")
    for name in {name for name, _ in headers}:
        assert reader.reply.headers[name] == ", ".join(value for other, value in headers if other == name)


@given(
    headers=st.dictionaries(NAMES.map(lambda name: "a-" + name), VALUES, max_size=6),
    body=st.binary(max_size=200),
)
def test_whatever_we_write_is_what_h11_reads(headers: dict[str, str], body: bytes) -> None:
    told = {"host": "h:1", "content-length": str(len(body)), **headers}
    message = write_head("POST", "/v1/a%20b?api-version=1", told) + body
    server = h11.Connection(h11.SERVER)

    server.receive_data(message)
    events = [server.next_event() for _ in range(3 if body else 2)]

    assert isinstance(events[0], h11.Request)
    assert (events[0].method, events[0].target) == (b"POST", b"/v1/a%20b?api-version=1")
    assert {name.decode(): value.decode() for name, value in events[0].headers} == told
    assert b"".join(bytes(event.data) for event in events if isinstance(event, h11.Data)) == body
    assert isinstance(events[-1], h11.EndOfMessage)


@pytest.mark.parametrize(
    ("name", "value"),
    [("a", "b\r\nhost: c"), ("a", "b\nc"), ("a", "b\x00"), ("a", "€"), ("a b", "c"), ("a:", "b"), ("", "b")],
)
def test_a_header_cannot_smuggle_another_and_a_key_is_not_told(name: str, value: str) -> None:
    with pytest.raises(BadHeader) as caught:
        write_head("POST", "/", {name: value})

    assert value not in str(caught.value) or len(value) == 1


def test_interim_replies_are_passed_over() -> None:
    reader = read(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: x\r\n\r\nHTTP/1.1 204 No\r\n\r\n")

    assert reader.reply == HttpReply(status=204, body=b"", headers={})


def test_a_length_said_twice_is_a_length() -> None:
    reader = read(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\ncontent-length:2\r\n\r\nab")

    assert reader.reply == HttpReply(status=200, body=b"ab", headers={"content-length": "2, 2"})


def test_trailers_and_extensions_of_chunks_are_passed_over() -> None:
    reader = read(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2;a=b\r\nab\r\n0\r\nx: y\r\n\r\n")

    assert reader.reply is not None
    assert (reader.reply.body, reader.reusable) == (b"ab", True)


@pytest.mark.parametrize(
    "message",
    [
        b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nconnection: keep-alive, Close\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ],
    ids=["old", "close", "more than was asked"],
)
def test_a_connection_is_not_used_again_when_it_should_not(message: bytes) -> None:
    reader = read(message)

    assert reader.reply is not None
    assert not reader.reusable


@pytest.mark.parametrize(
    "message",
    [
        b"<html>\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 20\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 2\r\n\r\n",
        b"HTTP/1.1 200 OK\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.2 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\na: b\r\n folded: c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nname : value\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1, 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1e3\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: \xb2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: " + b"9" * 5000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabcd\r\n",
        b"HTTP/1.1 200 OK\r\na: " + b"b" * (MAX_HEAD + 10),
        b"HTTP/1.1 200 OK\r\na: " + b"b" * (MAX_HEAD + 10) + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;" + b"a" * 5000,
    ],
)
def test_what_is_not_http_is_refused(message: bytes) -> None:
    with pytest.raises(MalformedReply):
        read(message)


@pytest.mark.parametrize(
    "message",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\nabcdef\r\n5\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffff\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n01234567890",
    ],
    ids=["length", "chunks", "one chunk", "until close"],
)
def test_a_reply_longer_than_its_limit_is_refused_before_it_is_there(message: bytes) -> None:
    with pytest.raises(ReplyTooLarge):
        read(message, limit=10)


@given(st.integers(min_value=0, max_value=57))
def test_a_reply_cut_short_is_not_taken_for_whole(cut: int) -> None:
    message = b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n0123456789abcdefghij"
    reader = ReplyReader(100)
    if cut:
        feed(reader, message[:cut])

    with pytest.raises(ConnectionEnded) as caught:
        reader.end()

    assert reader.reply is None
    assert type(caught.value) is (ConnectionEnded if cut else Unanswered)


def test_a_reply_without_a_length_is_whole_only_if_its_connection_ended_in_order() -> None:
    in_order, broken = (read(b"HTTP/1.1 200 OK\r\n\r\nall there is") for _ in range(2))

    in_order.end()
    with pytest.raises(ConnectionEnded):
        broken.end(broken=True)

    assert in_order.reply is not None
    assert in_order.reply.body == b"all there is"
    assert broken.reply is None


def test_what_follows_a_long_reply_is_told_from_it() -> None:
    reader = read(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n" + b"a" * 100_000 + b"HTTP/1.1 200", 100_000)

    assert reader.reply is not None
    assert reader.reply.body == b"a" * 100_000
    assert not reader.reusable


def test_it_can_be_read_without_anything_else_of_ours() -> None:
    """Providers and stores both import it, and must not meet through it."""
    script = (
        "import sys; sys.path.insert(0, 'functions'); import gateway.http1; "
        "print([name for name in sys.modules if name.startswith('gateway.')])"
    )

    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert printed == "['gateway.http1']\n"
