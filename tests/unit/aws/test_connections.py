"""What a connection promises beyond http.client: deadlines, sizes, and no reply that belongs to another call."""

import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException, IncompleteRead
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.aws.connections import AwsReply, Connection, Endpoint, Unanswered
from tests.fakes.aws import ScriptedAws, reply
from tests.unit.aws.servers import BODY, Script, answers, drips, scripted, server_side, then_resets

TIMEOUT = 5.0


@contextmanager
def connected(address: str, tls: ssl.SSLContext | None = None) -> Iterator[Connection]:
    parts = urlsplit(address)
    connection = Connection(Endpoint(tls is not None, str(parts.hostname), parts.port or 0), TIMEOUT, tls)
    yield connection
    connection.close()


def ask(connection: Connection, *, timeout: float = TIMEOUT, max_bytes: int = 1000) -> AwsReply:
    connection.send("POST", "/", {"host": "aws"}, BODY, TIMEOUT)
    return connection.receive(timeout, max_bytes=max_bytes)


def test_a_reply_has_its_status_its_headers_in_any_case_and_its_body() -> None:
    with scripted(answers(reply(b"all", 201, X_Amz_Id="7"))) as address, connected(address) as connection:
        answer = ask(connection)

    assert (answer.status, answer.body) == (201, b"all")
    assert [answer.headers.get(name) for name in ("x-amz-id", "X-Amz-Id", "x-amz-other")] == ["7", "7", None]


def test_a_request_is_what_was_given_and_what_its_length_needs() -> None:
    with ScriptedAws(lambda _: reply()) as server, connected(server.address) as connection:
        ask(connection)

    (request,) = server.requests
    assert (request.method, request.target, request.body) == ("POST", "/", BODY)
    assert request.headers == {"host": "aws", "accept-encoding": "identity", "content-length": str(len(BODY))}


CHUNKS = b"4\r\nWiki\r\n6;note=x\r\npedia \r\n0\r\ntrailer: 1\r\n\r\n"


def test_a_reply_in_chunks_is_put_together_and_another_call_may_follow() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS
    with scripted(answers(chunked, chunked)) as address, connected(address) as connection:
        bodies = [ask(connection).body for _ in range(2)]

        assert connection.is_reusable

    assert bodies == [b"Wikipedia ", b"Wikipedia "]


def test_the_last_reply_of_a_connection_is_read_and_no_call_may_follow() -> None:
    with scripted(answers(reply(b"bye", connection="close"))) as address, connected(address) as connection:
        answer = ask(connection)

        assert answer.body == b"bye"
        assert not connection.is_reusable


NO_REPLY = {"closed": answers(b""), "reset": then_resets(answers(b""))}


@pytest.mark.parametrize("script", NO_REPLY.values(), ids=NO_REPLY)
def test_a_connection_that_ends_before_a_reply_left_the_call_unanswered(script: Script) -> None:
    with scripted(script) as address, connected(address) as connection, pytest.raises(Unanswered):
        ask(connection)


BROKEN = {
    "in the first line": b"HTTP/1.1 2",
    "after the first line": b"HTTP/1.1 200 OK\r\n",
    "in a header": b"HTTP/1.1 200 OK\r\ncontent-le",
    "before the last line of the head": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n",
    "after an interim reply": b"HTTP/1.1 100 Continue\r\n\r\n",
    "before the body": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n",
    "in the body": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n.",
    "in the size of a chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4",
    "in a chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nWi",
    "after a chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nWiki\r\n",
}


@pytest.mark.parametrize("ending", [answers, lambda part: then_resets(answers(part))], ids=["closed", "reset"])
@pytest.mark.parametrize("part", BROKEN.values(), ids=BROKEN)
def test_a_connection_that_ends_within_a_reply_broke_it_off(part: bytes, ending: Callable[[bytes], Script]) -> None:
    """Half a head says that AWS has seen the call: it is not one that went unanswered."""
    with (
        scripted(ending(part)) as address,
        connected(address) as connection,
        pytest.raises((OSError, HTTPException)) as caught,
    ):
        ask(connection)

    assert not isinstance(caught.value, Unanswered | TimeoutError)


@pytest.mark.parametrize(
    "nonsense",
    [
        b"SMTP ready\r\n\r\n",
        b"HTTP/1.1 two OK\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\nall",
        b"HTTP/1.1 200 OK\r\n\r\na reply without a length looks the same when it breaks off",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 1000 + b"\r\n",
    ],
)
def test_what_is_no_reply_that_says_where_it_ends_is_refused(nonsense: bytes) -> None:
    with (
        scripted(answers(nonsense)) as address,
        connected(address) as connection,
        pytest.raises((HTTPException, ValueError)),
    ):
        ask(connection)


LARGE = {
    "a length": b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n",
    "a chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nB\r\nhello world\r\n",
    "chunks": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\nhello \r\n5\r\nworld\r\n",
}


@pytest.mark.parametrize("large", LARGE.values(), ids=LARGE)
def test_a_reply_beyond_the_limit_is_refused_before_it_is_complete(large: bytes) -> None:
    with (
        scripted(answers(large, pause=0.3)) as address,
        connected(address) as connection,
        pytest.raises(HTTPException, match="more than 10 bytes"),
    ):
        ask(connection, max_bytes=10)


def test_a_reply_as_large_as_the_limit_is_read() -> None:
    with scripted(answers(reply(b"0123456789"))) as address, connected(address) as connection:
        answer = ask(connection, max_bytes=10)

    assert answer.body == b"0123456789"


DRIPS = {
    "nothing": (b"", b""),
    "a body": (b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n", b"."),
    "chunks": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\n.\r\n"),
}


@pytest.mark.parametrize(("begin", "drop"), DRIPS.values(), ids=DRIPS)
def test_the_time_is_that_of_the_whole_reply(begin: bytes, drop: bytes) -> None:
    with scripted(drips(begin, drop, pause=0.02, count=40)) as address, connected(address) as connection:
        started = time.monotonic()

        with pytest.raises(TimeoutError):
            ask(connection, timeout=0.2)

        assert 0.15 < time.monotonic() - started < 0.6


def test_a_reply_that_is_there_already_is_read_however_late_it_is_asked_for() -> None:
    with scripted(answers(reply(b"there"))) as address, connected(address) as connection:
        connection.send("POST", "/", {"host": "aws"}, BODY, TIMEOUT)
        time.sleep(0.05)

        answer = connection.receive(0, max_bytes=10)

    assert answer.body == b"there"


def test_more_than_the_reply_is_dropped_and_no_call_may_follow() -> None:
    with scripted(answers(reply(b"mine") + reply(b"of another"))) as address, connected(address) as connection:
        answer = ask(connection)

        assert answer.body == b"mine"
        assert not connection.is_reusable


@pytest.mark.parametrize("size", [0, 12_000, 1_000_000], ids=["empty", "longer than a buffer", "long"])
def test_more_than_a_reply_that_is_still_to_be_read_shows(size: int) -> None:
    more = reply(b"of another" * 2_000)
    with scripted(answers(reply(b"x" * size) + more)) as address, connected(address) as connection:
        answer = ask(connection, max_bytes=size)
        time.sleep(0.05)

        assert answer.body == b"x" * size
        assert not (connection.is_reusable and connection.is_quiet())


def test_an_idle_connection_that_was_closed_is_not_quiet() -> None:
    with scripted(answers(reply())) as address, connected(address) as connection:
        ask(connection)
        time.sleep(0.05)

        assert not connection.is_quiet()


def test_tls_is_spoken(certificate: Path) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate))
    with (
        ScriptedAws(lambda _: reply(b"secret" * 50_000), tls=server_side(certificate)) as server,
        connected(server.address, trusting) as connection,
    ):
        bodies = [ask(connection, max_bytes=300_000).body for _ in range(2)]

        assert connection.is_quiet()

    assert bodies == [b"secret" * 50_000] * 2


def test_more_than_the_reply_shows_over_tls(certificate: Path) -> None:
    """What came in the same record is decrypted, and the socket does not show it any more."""
    trusting = ssl.create_default_context(cafile=str(certificate))
    both = reply(b"x" * 12_000) + reply(b"of another")
    with (
        ScriptedAws(lambda _: both, tls=server_side(certificate)) as server,
        connected(server.address, trusting) as connection,
    ):
        answer = ask(connection, max_bytes=12_000)

        assert answer.body == b"x" * 12_000
        assert connection.is_reusable
        assert not connection.is_quiet()


def test_a_connection_that_failed_is_closed() -> None:
    with (
        scripted(answers(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n.")) as address,
        connected(address) as connection,
    ):
        with pytest.raises(IncompleteRead):
            ask(connection)

        with pytest.raises(OSError, match="Bad file descriptor"):
            connection.send("POST", "/", {"host": "aws"}, BODY, TIMEOUT)
