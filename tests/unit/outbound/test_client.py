"""Calls: to checked addresses only, on connections that are kept and looked at before they are used again, whole within
one deadline, over TLS to the right name.
"""

import asyncio
import datetime
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.outbound import client as client_module
from gateway.outbound.addresses import AddressRefused
from gateway.outbound.client import HttpClient
from gateway.outbound.messages import BadHeader, ConnectionEnded, HttpCall, HttpReply, MalformedReply, ReplyTooLarge
from tests.fakes.openai_vendor import KEY
from tests.unit.outbound.servers import Answer, RunningVendor, listening

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
LIMIT = 100_000
PATIENCE = 5.0


def saying(*answers: bytes) -> tuple[Answer, list[int]]:
    """A server that gives these answers, in turn, on one connection, then closes it; and how many it gave on each."""
    given: list[int] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        place = len(given)
        given.append(0)
        for message in answers:
            await reader.readuntil(b"\r\n\r\n{}")
            given[place] += 1
            writer.write(message)
            await writer.drain()

    return answer, given


def receive_call(connection: socket.socket) -> bytes:
    """What a server that blocks does with a call's head and body."""
    received = b""
    while not received.endswith(b"\r\n\r\n{}"):
        received += connection.recv(4096)
    return received


def call_to(port: int, scheme: str = "http", host: str = "127.0.0.1") -> HttpCall:
    return HttpCall(url=f"{scheme}://{host}:{port}/v1/embeddings?a=b", body=b"{}")


async def send(client: HttpClient, call: HttpCall, timeout: float = PATIENCE) -> HttpReply:  # noqa: ASYNC109
    return await client.send(call, limit=LIMIT, timeout=timeout)


async def test_a_call_reaches_the_vendor_and_its_reply_us(vendor: RunningVendor, client: HttpClient) -> None:
    call = HttpCall(url=f"{vendor.url}/embeddings", body=b"{}", headers={"authorization": "Bearer wrong"})

    reply = await send(client, call)

    assert reply.status == 401
    assert reply.headers["x-request-id"] == "req_fake"
    assert b"invalid_api_key" in reply.body


async def test_a_call_says_what_it_must_and_nothing_else(client: HttpClient) -> None:
    heads: list[bytes] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        await reader.readexactly(2)
        writer.write(OK)

    async with listening(note) as port:
        await send(client, HttpCall(url=f"http://127.0.0.1:{port}/a?b=c", body=b"{}", headers={"X-Own": " \xe9 "}))

    line, *headers = heads[0].decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    assert line == "POST /a?b=c HTTP/1.1"
    assert {name.lower(): value for name, _, value in (header.partition(": ") for header in headers)} == {
        "host": f"127.0.0.1:{port}",
        "accept": "*/*",
        "accept-encoding": "identity",
        "user-agent": "embeddings-gateway",
        "content-length": "2",
        "x-own": "\xe9",
    }


async def test_names_of_headers_are_in_lower_case_and_repeated_ones_are_joined(client: HttpClient) -> None:
    answer, _ = saying(b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 0\r\n\r\n")
    async with listening(answer) as port:
        reply = await send(client, call_to(port))

    assert dict(reply.headers) == {"x-a": "1, 2", "content-length": "0"}


# Connections.


async def test_one_connection_carries_calls_that_follow_each_other(vendor: RunningVendor, client: HttpClient) -> None:
    for _ in range(5):
        await send(client, HttpCall(url=f"{vendor.url}/embeddings", body=b"{}"))

    assert (vendor.vendor.seen["requests"], vendor.vendor.seen["connections"]) == (5, 1)


async def test_calls_side_by_side_have_a_connection_each_and_leave_them_for_the_next(
    vendor: RunningVendor, client: HttpClient
) -> None:
    for _ in range(3):
        await asyncio.gather(*(send(client, HttpCall(url=f"{vendor.url}/embeddings", body=b"{}")) for _ in "abcd"))

    assert (vendor.vendor.seen["requests"], vendor.vendor.seen["connections"]) == (12, 4)


def test_a_connection_outlives_the_event_loop_it_was_made_in() -> None:
    """A worker may run each of its invocations in a loop of its own."""

    def answer_twice() -> None:
        connection, _ = listener.accept()
        with connection:
            for _ in range(2):
                receive_call(connection)
                connection.sendall(OK)

    client = HttpClient(allow_loopback=True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=answer_twice)
        server.start()
        call = call_to(listener.getsockname()[1])

        replies = [asyncio.run(send(client, call)) for _ in range(2)]

        asyncio.run(client.aclose())
        server.join()
    assert [reply.body for reply in replies] == [b"ok", b"ok"]


async def test_a_call_that_dies_with_a_kept_connection_is_sent_once_more(client: HttpClient) -> None:
    async def hang_up_on_the_second(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append("connection")
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(OK)
        await reader.readuntil(b"\r\n\r\n{}")

    seen: list[str] = []
    async with listening(hang_up_on_the_second) as port:
        replies = [await send(client, call_to(port)) for _ in range(2)]

    assert [reply.body for reply in replies] == [b"ok", b"ok"]
    assert len(seen) == 2


async def test_a_call_is_sent_once_more_on_a_new_connection_however_many_are_kept(client: HttpClient) -> None:
    seen: list[int] = []

    async def hang_up_on_the_second(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        place = len(seen)
        seen.append(0)
        for message in (OK, b""):
            await reader.readuntil(b"\r\n\r\n{}")
            seen[place] += 1
            await asyncio.sleep(0.01)  # so that all three are under way
            writer.write(message)

    async with listening(hang_up_on_the_second) as port:
        await asyncio.gather(*(send(client, call_to(port)) for _ in "abc"))

        await send(client, call_to(port))

    assert sorted(seen) == [1, 1, 1, 2]


async def test_a_call_that_dies_with_a_new_connection_is_not_sent_again(client: HttpClient) -> None:
    answer, given = saying(b"")
    async with listening(answer) as port:
        with pytest.raises(ConnectionEnded, match="before"):
            await send(client, call_to(port))

    assert given == [1]


@pytest.mark.parametrize("begun", [b"H", b"HTTP/1.1 200", b"HTTP/1.1 100 Continue\r\n\r\n", OK[:-1]])
async def test_a_call_whose_reply_had_begun_is_not_sent_again(client: HttpClient, begun: bytes) -> None:
    answer, given = saying(OK, begun)
    async with listening(answer) as port:
        await send(client, call_to(port))

        with pytest.raises(ConnectionEnded, match="within"):
            await send(client, call_to(port))

    assert given == [2]


async def test_a_connection_that_ended_while_nobody_looked_is_not_used(client: HttpClient) -> None:
    """As after a freeze: the vendor closed, and the event loop has not run since."""
    received: list[bytes] = []

    def answer_each_connection_once() -> None:
        for _ in range(2):
            connection, _ = listener.accept()
            received.append(receive_call(connection))
            connection.sendall(OK)
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=answer_each_connection_once)
        server.start()
        port = listener.getsockname()[1]
        await send(client, call_to(port))
        time.sleep(0.1)  # noqa: ASYNC251  (a freeze)

        reply = await send(client, call_to(port))
        server.join()

    assert reply.body == b"ok"
    assert len(received) == 2
    assert all(received)


BEYOND = [OK, b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n", b"H", b"\r\n"]


@pytest.mark.parametrize("beyond", BEYOND)
async def test_what_arrives_with_a_reply_is_never_the_reply_to_the_next_call(client: HttpClient, beyond: bytes) -> None:
    """Fails, too, when httpcore changes where `client.py` looks for such bytes."""
    answer, given = saying(OK + beyond, OK)
    async with listening(answer) as port:
        replies = [await send(client, call_to(port)) for _ in range(2)]

    assert [(reply.status, reply.body) for reply in replies] == [(200, b"ok")] * 2
    assert given == [1, 1]


@pytest.mark.parametrize("beyond", BEYOND)
async def test_what_arrives_after_a_reply_is_never_the_reply_to_the_next_call(
    client: HttpClient, beyond: bytes
) -> None:
    async def say_more(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append("connection")
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(OK)
        await asyncio.sleep(0.02)
        writer.write(beyond)
        await asyncio.sleep(1)

    seen: list[str] = []
    async with listening(say_more) as port:
        await send(client, call_to(port))
        await asyncio.sleep(0.05)

        reply = await send(client, call_to(port))

    assert (reply.status, reply.body) == (200, b"ok")
    assert len(seen) == 2


async def test_a_vendor_that_closes_after_each_reply_is_followed(client: HttpClient) -> None:
    answer, given = saying(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok")
    async with listening(answer) as port:
        replies = [await send(client, call_to(port)) for _ in range(2)]

    assert [reply.body for reply in replies] == [b"ok", b"ok"]
    assert given == [1, 1]


async def test_an_old_connection_is_not_used(vendor: RunningVendor, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client_module.MAX_IDLE_TIME <= 240
    monkeypatch.setattr(client_module, "MAX_IDLE_TIME", 0.02)
    client = HttpClient(allow_loopback=True)

    for pause in (0.0, 0.1, 0.0):
        await send(client, HttpCall(url=f"{vendor.url}/embeddings", body=b"{}"))
        await asyncio.sleep(pause)
    await client.aclose()

    assert vendor.vendor.seen["connections"] == 2


async def test_who_hangs_up_on_a_long_call_may_have_said_why(client: HttpClient) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Long\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno")
        await writer.drain()
        await asyncio.sleep(0.1)

    async with listening(refuse) as port:
        reply = await send(client, HttpCall(url=f"http://127.0.0.1:{port}/", body=bytes(8 * 1024 * 1024)))

    assert (reply.status, reply.body) == (413, b"no")


# What is not heeded.


async def test_a_vendor_that_never_answers_holds_up_calls_to_itself_only(
    vendor: RunningVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "MAX_CONNECTIONS", 2)
    client = HttpClient(allow_loopback=True)
    asked = asyncio.Semaphore(0)

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        asked.release()
        await reader.read()

    async with listening(never) as port:
        waiting = [asyncio.create_task(send(client, call_to(port))) for _ in range(5)]
        await asyncio.gather(asked.acquire(), asked.acquire())

        reply = await send(client, HttpCall(url=f"{vendor.url}/embeddings", body=b"{}"))

        assert reply.status == 401
        assert not any(call.done() for call in waiting)
        for call in waiting:
            call.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    await client.aclose()


async def test_a_call_that_waits_for_a_connection_ends_with_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "MAX_CONNECTIONS", 1)
    client = HttpClient(allow_loopback=True)

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with listening(never) as port:
        calls = [send(client, call_to(port), timeout=0.2) for _ in range(3)]
        ended = await asyncio.gather(*calls, return_exceptions=True)

    assert [type(error) for error in ended] == [TimeoutError] * 3
    await client.aclose()


async def test_a_redirect_is_not_followed(client: HttpClient) -> None:
    answer, given = saying(
        b"HTTP/1.1 307 Elsewhere\r\nlocation: https://elsewhere.example/\r\ncontent-length: 0\r\n\r\n"
    )
    async with listening(answer) as port:
        reply = await send(client, call_to(port))

    assert reply.status == 307
    assert given == [1]


async def test_a_cookie_is_not_kept(client: HttpClient) -> None:
    heads: list[bytes] = []

    async def bake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            heads.append(await reader.readuntil(b"\r\n\r\n{}"))
            writer.write(b"HTTP/1.1 200 OK\r\nset-cookie: a=b; path=/\r\ncontent-length: 0\r\n\r\n")

    async with listening(bake) as port:
        for _ in range(2):
            await send(client, call_to(port))

    assert [b"cookie" in head.lower() for head in heads] == [False, False]


async def test_the_environment_names_no_proxy(vendor: RunningVendor, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    client = HttpClient(allow_loopback=True)

    reply = await send(client, HttpCall(url=f"{vendor.url}/embeddings", body=b"{}"))
    await client.aclose()

    assert reply.status == 401


# What cannot be read.


async def test_a_reply_without_end_is_given_up(client: HttpClient) -> None:
    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"a" * 10_000)
            await writer.drain()

    async with listening(pour) as port:
        with pytest.raises(ReplyTooLarge):
            await send(client, call_to(port))


async def test_a_reply_may_be_as_long_as_the_limit_and_no_longer(client: HttpClient) -> None:
    answer, _ = saying(OK, OK)
    async with listening(answer) as port:
        reply = await client.send(call_to(port), limit=2, timeout=PATIENCE)
        with pytest.raises(ReplyTooLarge):
            await client.send(call_to(port), limit=1, timeout=PATIENCE)

    assert reply.body == b"ok"


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "identity, gzip"])
async def test_a_compressed_reply_that_cannot_be_expanded_is_not_read(client: HttpClient, encoding: str) -> None:
    answer, _ = saying(f"HTTP/1.1 200 OK\r\ncontent-encoding: {encoding}\r\ncontent-length: 2\r\n\r\nok".encode())
    async with listening(answer) as port:
        with pytest.raises(MalformedReply, match="compress"):
            await send(client, call_to(port))


async def test_a_reply_without_a_length_whose_connection_breaks_is_not_taken_for_whole(client: HttpClient) -> None:
    async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        await asyncio.sleep(0.05)
        # Closed in this way, a connection is reset.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async with listening(break_off) as port:
        with pytest.raises(ConnectionEnded, match="reset"):
            await send(client, call_to(port))


@pytest.mark.parametrize(
    "message",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\n" + b"x-long: " + b"a" * 200_000,
    ],
)
async def test_what_is_not_http_is_told_without_its_words(client: HttpClient, message: bytes) -> None:
    answer, _ = saying(message)
    async with listening(answer) as port:
        with pytest.raises(MalformedReply, match=r"^it is not HTTP/1\.1$"):
            await send(client, call_to(port))


# One deadline over everything.


async def accept_only(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(PATIENCE)


def dripping(head: bytes, drop: bytes) -> Answer:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(head)
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(0.01)

    return answer


INTERIM = b"HTTP/1.1 102 Processing\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
TOO_SLOW: dict[str, Answer] = {
    "no reply": accept_only,
    "interim replies": dripping(b"", INTERIM),
    "a head that drips": dripping(b"HTTP/1.1 200 OK\r\nx-a: ", b"a"),
    "a body that drips": dripping(b"HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n", b"a"),
    "chunks that drip": dripping(CHUNKED, b"1\r\na\r\n"),
    "trailers that drip": dripping(CHUNKED + b"0\r\nx-a: ", b"a"),
}


@pytest.mark.parametrize("answer", TOO_SLOW.values(), ids=TOO_SLOW)
async def test_whatever_is_waited_for_ends_with_the_deadline(client: HttpClient, answer: Answer) -> None:
    started = time.monotonic()
    async with listening(answer) as port:
        with pytest.raises(TimeoutError):
            await send(client, call_to(port), timeout=0.3)

    assert 0.3 <= time.monotonic() - started < 1


async def test_a_flood_of_interim_replies_ends_with_the_deadline(client: HttpClient) -> None:
    """Where the next is always there, nothing waits, and only what waits can be cancelled."""
    ended, given_up = threading.Event(), threading.Event()

    def flood() -> None:
        connection, _ = listener.accept()
        end = time.monotonic() + PATIENCE
        with connection, suppress(OSError):
            while not ended.is_set() and time.monotonic() < end:
                connection.sendall(INTERIM * 1000)
            if not ended.is_set():
                given_up.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=flood)
        server.start()
        with pytest.raises(TimeoutError):
            await send(client, call_to(listener.getsockname()[1]), timeout=0.3)
        ended.set()
        server.join()

    assert not given_up.is_set()


async def test_a_vendor_that_reads_slowly_cannot_stretch_the_deadline(client: HttpClient) -> None:
    async def sip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        async for _ in reader:
            await asyncio.sleep(0.01)

    async with listening(sip) as port:
        with pytest.raises(TimeoutError):
            await send(client, HttpCall(url=f"http://127.0.0.1:{port}/", body=b"sip\n" * 4_000_000), timeout=0.3)


async def test_a_call_without_time_is_not_sent(client: HttpClient) -> None:
    answer, given = saying(OK, OK)
    async with listening(answer) as port:
        await send(client, call_to(port))

        with pytest.raises(TimeoutError):
            await send(client, call_to(port), timeout=0)

    assert given == [1]


async def test_a_call_that_takes_too_long_leaves_no_connection_behind(
    vendor: RunningVendor, client: HttpClient
) -> None:
    slow = HttpCall(
        url=f"{vendor.url}/embeddings",
        body=b'{"model":"slow-0.2s","input":"a"}',
        headers={"authorization": f"Bearer {KEY}"},
    )
    with pytest.raises(TimeoutError):
        await send(client, slow, timeout=0.05)

    reply = await send(client, HttpCall(url=f"{vendor.url}/embeddings", body=b"{}"))

    assert reply.status == 401
    assert vendor.vendor.seen["connections"] == 2


# Headers.


@pytest.mark.parametrize(
    "header", [{"a": "secret\r\nc: d"}, {"a": "secret\x00"}, {"a": "secret\u2014"}, {"a b": "secret"}]
)
async def test_a_header_that_http_does_not_allow_is_not_sent_nor_repeated(
    client: HttpClient, header: dict[str, str]
) -> None:
    with pytest.raises(BadHeader) as caught:
        await send(client, HttpCall(url="http://127.0.0.1:9/", headers=header, body=b""))

    assert "secret" not in repr(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("name", ["content-length", "Transfer-Encoding", "Connection", "upgrade", "Expect"])
async def test_a_row_cannot_say_where_a_call_ends(client: HttpClient, name: str) -> None:
    with pytest.raises(BadHeader, match=name):
        await send(client, HttpCall(url="http://127.0.0.1:9/", headers={name: "9"}, body=b""))


# Addresses.


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/", "https://127.0.0.1:9/", "https://localhost:9/", "https://169.254.169.254/"]
)
async def test_this_machine_is_no_vendor_unless_permitted(url: str) -> None:
    with pytest.raises(AddressRefused):
        await send(HttpClient(), HttpCall(url=url, body=b""))


def resolving(*addresses: str) -> Callable[[str, int], list[str]]:
    return lambda _host, _port: list(addresses)


@pytest.mark.parametrize("allow_loopback", [True, False])
@pytest.mark.parametrize("inside", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1"])
async def test_a_public_name_that_leads_inside_is_refused_when_connecting(inside: str, *, allow_loopback: bool) -> None:
    client = HttpClient(allow_loopback=allow_loopback, resolve=resolving("8.8.8.8", inside))

    with pytest.raises(AddressRefused, match=r"vendor\.example"):
        await send(client, HttpCall(url="https://vendor.example/v1", body=b""))


@pytest.mark.parametrize("elsewhere", ["8.8.8.8", "10.0.0.1"])
async def test_nothing_travels_in_the_open_to_a_localhost_that_is_elsewhere(elsewhere: str) -> None:
    client = HttpClient(allow_loopback=True, resolve=resolving("127.0.0.1", elsewhere))

    with pytest.raises(AddressRefused, match="not this machine"):
        await send(client, HttpCall(url="http://localhost/v1", body=b""))


async def test_a_name_that_changes_its_mind_is_resolved_once_per_connection() -> None:
    """No second look-up, in which a rebinding name would lead inside, lies between check and connection."""
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])

    def resolve(host: str, port: int) -> list[str]:
        return next(answers)

    answer, given = saying(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok")
    client = HttpClient(allow_loopback=True, resolve=resolve)
    async with listening(answer) as port:
        await send(client, call_to(port, host="localhost"))

        with pytest.raises(AddressRefused):
            await send(client, call_to(port, host="localhost"))

    assert given == [1]


async def test_the_next_address_is_tried_where_one_takes_no_connection() -> None:
    answer, given = saying(OK)
    client = HttpClient(allow_loopback=True, resolve=resolving("::1", "127.0.0.2", "127.0.0.1"))
    async with listening(answer) as port:
        reply = await send(client, call_to(port, host="localhost"))
    await client.aclose()

    assert reply.body == b"ok"
    assert given == [1]


@pytest.mark.parametrize("found", [["127.0.0.2"], []])
async def test_a_vendor_that_takes_no_connection_is_an_os_error(found: list[str]) -> None:
    client = HttpClient(allow_loopback=True, resolve=resolving(*found))

    with pytest.raises(OSError, match=r"refused|no address|Connect call failed"):
        await send(client, call_to(9, host="localhost"))


async def test_an_address_is_not_looked_up() -> None:
    def resolve(host: str, port: int) -> list[str]:
        raise AssertionError(host)

    answer, given = saying(OK)
    client = HttpClient(allow_loopback=True, resolve=resolve)
    async with listening(answer) as port:
        await send(client, call_to(port))
    await client.aclose()

    assert given == [1]


async def test_a_name_that_leads_nowhere_is_an_os_error() -> None:
    def resolve(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(OSError, match="not known"):
        await send(HttpClient(resolve=resolve), HttpCall(url="https://vendor.example", body=b""))


@pytest.mark.parametrize("limits", [{"connect_timeout": 0.05}, {"timeout": 0.05}])
async def test_a_name_server_that_hangs_holds_up_its_own_host_only(limits: dict[str, float]) -> None:
    answered = threading.Event()

    def resolve(host: str, port: int) -> list[str]:
        if host == "a.localhost":
            answered.wait(PATIENCE)
        return ["127.0.0.1"]

    answer, _ = saying(OK)
    client = HttpClient(allow_loopback=True, resolve=resolve, connect_timeout=limits.get("connect_timeout", PATIENCE))
    timeout = limits.get("timeout", PATIENCE)
    async with listening(answer) as port:
        hanging = [asyncio.create_task(send(client, call_to(port, host="a.localhost"), timeout)) for _ in range(50)]
        await asyncio.sleep(0)
        started = time.monotonic()

        reply = await send(client, call_to(port, host="b.localhost"))
        outcomes = await asyncio.gather(*hanging, return_exceptions=True)

    took = time.monotonic() - started
    answered.set()
    await client.aclose()
    assert reply.body == b"ok"
    assert {type(outcome) for outcome in outcomes} == {TimeoutError}
    assert took < 1


# TLS, with an authority made here.


def issue(directory: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for that name, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(minutes=5))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (directory / "server.pem").write_bytes(secret + pem)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(directory / "server.pem")
    return server, ssl.create_default_context(cadata=pem.decode())


async def test_over_tls_the_name_is_kept_although_the_address_is_dialled(tmp_path: Path) -> None:
    server, trusting = issue(tmp_path, "localhost")
    names: list[str] = []
    server.sni_callback = lambda _socket, name, _context: names.append(name)
    answer, given = saying(OK, OK)
    client = HttpClient(allow_loopback=True, ssl_context=trusting)

    async with listening(answer, server) as port:
        replies = [await send(client, call_to(port, "https", "localhost")) for _ in range(2)]
        await client.aclose()

    assert [reply.body for reply in replies] == [b"ok", b"ok"]
    assert names == ["localhost"]
    assert given == [2]


async def test_long_calls_and_long_replies_pass_through_tls_whole(tmp_path: Path) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(3_000_000)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 3000000\r\n\r\n" + body)
        await writer.drain()

    server, trusting = issue(tmp_path, "localhost")
    client = HttpClient(allow_loopback=True, ssl_context=trusting)
    body = bytes(range(256)) * 12_000

    async with listening(echo, server) as port:
        call = HttpCall(url=f"https://localhost:{port}/", body=body[:3_000_000])
        reply = await client.send(call, limit=len(body), timeout=PATIENCE)
        await client.aclose()

    assert reply.body == body[:3_000_000]


async def test_what_was_decrypted_with_a_reply_is_never_the_reply_to_the_next_call(tmp_path: Path) -> None:
    """In a TLS record of its own it is past the socket, and not yet at httpcore."""
    server, trusting = issue(tmp_path, "localhost")
    client = HttpClient(allow_loopback=True, ssl_context=trusting)
    seen: list[str] = []

    async def say_more(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append("connection")
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(OK)  # a record each, and both are there before the client's turn comes
        writer.write(OK.replace(b"ok", b"no"))
        await reader.read()

    async with listening(say_more, server) as port:
        replies = [await send(client, call_to(port, "https", "localhost")) for _ in range(2)]
        await client.aclose()

    assert [reply.body for reply in replies] == [b"ok", b"ok"]
    assert len(seen) == 2


async def test_a_handshake_ends_with_the_time_for_connecting(tmp_path: Path) -> None:
    _, trusting = issue(tmp_path, "localhost")
    client = HttpClient(allow_loopback=True, ssl_context=trusting, connect_timeout=0.1)

    started = time.monotonic()
    async with listening(accept_only) as port:
        with pytest.raises(TimeoutError):
            await send(client, call_to(port, "https", "localhost"))

    assert time.monotonic() - started < 1


async def test_over_tls_a_vendor_that_closes_after_each_reply_is_followed(tmp_path: Path) -> None:
    server, trusting = issue(tmp_path, "localhost")
    client = HttpClient(allow_loopback=True, ssl_context=trusting)
    answer, given = saying(b"HTTP/1.1 200 OK\r\n\r\nok")

    async with listening(answer, server) as port:
        replies = [await send(client, call_to(port, "https", "localhost")) for _ in range(2)]
        await client.aclose()

    assert [reply.body for reply in replies] == [b"ok", b"ok"]
    assert given == [1, 1]


async def test_over_tls_a_vendor_need_not_say_goodbye(tmp_path: Path) -> None:
    def hang_up() -> None:
        connection, _ = listener.accept()
        with server.wrap_socket(connection, server_side=True) as encrypted:
            receive_call(encrypted)
            encrypted.sendall(b"HTTP/1.1 200 OK\r\n\r\nok")
            socket.socket(fileno=encrypted.detach()).close()

    server, trusting = issue(tmp_path, "localhost")
    client = HttpClient(allow_loopback=True, ssl_context=trusting)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=hang_up)
        thread.start()
        reply = await send(client, call_to(listener.getsockname()[1], "https", "localhost"))
        thread.join()
    await client.aclose()

    assert reply.body == b"ok"


async def test_over_tls_a_connection_that_ended_is_not_used(tmp_path: Path) -> None:
    server, trusting = issue(tmp_path, "localhost")
    client = HttpClient(allow_loopback=True, ssl_context=trusting)
    answer, given = saying(OK)

    async with listening(answer, server) as port:
        for _ in range(2):
            await send(client, call_to(port, "https", "localhost"))
            await asyncio.sleep(0.05)
        await client.aclose()

    assert given == [1, 1]


async def test_a_certificate_of_another_name_is_refused(tmp_path: Path) -> None:
    server, trusting = issue(tmp_path, "other.example")
    answer, given = saying(OK)

    async with listening(answer, server) as port:
        with pytest.raises(ssl.SSLCertVerificationError):
            await send(HttpClient(allow_loopback=True, ssl_context=trusting), call_to(port, "https", "localhost"))

    assert given == []


async def test_a_certificate_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    server, _ = issue(tmp_path, "localhost")
    answer, given = saying(OK)

    async with listening(answer, server) as port:
        with pytest.raises(ssl.SSLCertVerificationError):
            await send(HttpClient(allow_loopback=True), call_to(port, "https", "localhost"))

    assert given == []
