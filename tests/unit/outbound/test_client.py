"""Connections: to checked addresses only, kept, looked at before they are used again, over TLS to the right name."""

import asyncio
import datetime
import socket
import ssl
import struct
import threading
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.http1 import BadHeader, ConnectionEnded, MalformedReply, ReplyTooLarge
from gateway.outbound import client
from gateway.outbound.addresses import AddressRefused
from gateway.outbound.client import Connections, HttpCall, shared_ssl_context
from tests.fakes.openai_vendor import KEY
from tests.unit.outbound.servers import Answer, RunningVendor, listening

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
LIMIT = 100_000
PATIENCE = 5.0


def saying(*answers: bytes) -> tuple[Answer, list[int]]:
    """A server that gives these answers, in turn, on one connection, then closes it; and how many it gave on each."""
    given: list[int] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        given.append(0)
        for message in answers:
            await reader.readuntil(b"\r\n\r\n{}")
            given[-1] += 1
            writer.write(message)
            await writer.drain()

    return answer, given


def call_to(port: int, scheme: str = "http", host: str = "127.0.0.1") -> HttpCall:
    return HttpCall(url=f"{scheme}://{host}:{port}/v1/embeddings?a=b", body=b"{}")


async def test_a_call_reaches_the_vendor_and_its_reply_us(vendor: RunningVendor, connections: Connections) -> None:
    call = HttpCall(url=f"{vendor.url}/embeddings", body=b"{}", headers={"authorization": "Bearer wrong"})

    reply = await connections.send(call, limit=LIMIT, timeout=PATIENCE)

    assert reply.status == 401
    assert reply.headers["x-request-id"] == "req_fake"
    assert b"invalid_api_key" in reply.body


async def test_one_connection_carries_calls_that_follow_each_other(
    vendor: RunningVendor, connections: Connections
) -> None:
    for _ in range(5):
        await connections.send(HttpCall(url=f"{vendor.url}/embeddings", body=b"{}"), limit=LIMIT, timeout=PATIENCE)

    assert (vendor.vendor.seen["requests"], vendor.vendor.seen["connections"]) == (5, 1)


async def test_calls_side_by_side_have_a_connection_each_and_leave_them_for_the_next(
    vendor: RunningVendor, connections: Connections
) -> None:
    for _ in range(3):
        calls = [
            connections.send(HttpCall(url=f"{vendor.url}/embeddings", body=b"{}"), limit=LIMIT, timeout=PATIENCE)
            for _ in "abcd"
        ]
        await asyncio.gather(*calls)

    assert (vendor.vendor.seen["requests"], vendor.vendor.seen["connections"]) == (12, 4)


async def test_a_call_that_dies_with_a_kept_connection_is_sent_once_more(connections: Connections) -> None:
    async def hang_up_on_the_second(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append("connection")
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(OK)
        await reader.readuntil(b"\r\n\r\n{}")

    seen: list[str] = []
    async with listening(hang_up_on_the_second) as port:
        replies = [await connections.send(call_to(port), limit=LIMIT, timeout=PATIENCE) for _ in range(2)]

    assert [reply.body for reply in replies] == [b"ok", b"ok"]
    assert len(seen) == 2


async def test_a_call_that_dies_with_a_new_connection_is_not(connections: Connections) -> None:
    answer, given = saying(b"")
    async with listening(answer) as port:
        with pytest.raises(ConnectionEnded):
            await connections.send(call_to(port), limit=LIMIT, timeout=PATIENCE)

    assert given == [1]


async def test_a_call_whose_reply_had_begun_is_not_sent_again(connections: Connections) -> None:
    answer, given = saying(OK, b"HTTP/1.1 200")
    async with listening(answer) as port:
        await connections.send(call_to(port), limit=LIMIT, timeout=PATIENCE)

        with pytest.raises(ConnectionEnded, match="within"):
            await connections.send(call_to(port), limit=LIMIT, timeout=PATIENCE)

    assert given == [2]


async def test_a_connection_that_ended_while_nobody_looked_is_not_used(connections: Connections) -> None:
    """As after a freeze: the vendor closed, and the event loop has not run since."""
    received: list[bytes] = []

    def answer_each_connection_once() -> None:
        for _ in range(2):
            connection, _ = listener.accept()
            received.append(connection.recv(4096))
            connection.sendall(OK)
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=answer_each_connection_once)
        server.start()
        port = listener.getsockname()[1]
        await connections.send(call_to(port), limit=LIMIT, timeout=PATIENCE)
        time.sleep(0.1)  # noqa: ASYNC251  (a freeze)

        reply = await connections.send(call_to(port), limit=LIMIT, timeout=PATIENCE)
        server.join()

    assert reply.body == b"ok"
    assert len(received) == 2
    assert all(received)


@pytest.mark.parametrize("more", [OK, b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n"])
async def test_an_answer_to_no_question_is_never_taken_for_one(connections: Connections, more: bytes) -> None:
    answer, given = saying(OK + more, OK)
    async with listening(answer) as port:
        replies = [await connections.send(call_to(port), limit=LIMIT, timeout=PATIENCE) for _ in range(2)]

    assert [reply.status for reply in replies] == [200, 200]
    assert given == [1, 1]


async def test_a_vendor_that_closes_after_each_reply_is_followed(connections: Connections) -> None:
    answer, given = saying(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok")
    async with listening(answer) as port:
        replies = [await connections.send(call_to(port), limit=LIMIT, timeout=PATIENCE) for _ in range(2)]

    assert [reply.body for reply in replies] == [b"ok", b"ok"]
    assert given == [1, 1]


async def test_an_old_connection_is_not_used(
    connections: Connections, vendor: RunningVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "MAX_IDLE_TIME", 0.0)

    for _ in range(2):
        await connections.send(HttpCall(url=f"{vendor.url}/embeddings", body=b"{}"), limit=LIMIT, timeout=PATIENCE)

    assert vendor.vendor.seen["connections"] == 2


async def test_a_call_that_takes_too_long_leaves_no_connection_behind(
    vendor: RunningVendor, connections: Connections
) -> None:
    slow = HttpCall(
        url=f"{vendor.url}/embeddings",
        body=b'{"model":"slow-0.2s","input":"a"}',
        headers={"authorization": f"Bearer {KEY}"},
    )
    with pytest.raises(TimeoutError):
        await connections.send(slow, limit=LIMIT, timeout=0.05)

    reply = await connections.send(HttpCall(url=f"{vendor.url}/embeddings", body=b"{}"), limit=LIMIT, timeout=PATIENCE)

    assert reply.status == 401
    assert vendor.vendor.seen["connections"] == 2


def test_a_call_that_is_alone_needs_no_event_loop_and_no_thread() -> None:
    def answer_twice() -> None:
        connection, _ = listener.accept()
        with connection:
            for _ in range(2):
                connection.recv(4096)
                connection.sendall(OK)

    connections = Connections(allow_loopback=True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=answer_twice)
        server.start()
        call = call_to(listener.getsockname()[1])

        for _ in range(2):
            with pytest.raises(StopIteration) as ended:
                connections.send(call, limit=LIMIT, timeout=PATIENCE, alone=True).send(None)
            assert ended.value.value.body == b"ok"
        connections.close()
        server.join()
    assert not {"_threads", "_names"} & vars(connections).keys()


async def test_who_hangs_up_on_a_long_call_may_have_said_why(connections: Connections) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Long\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno")
        await writer.drain()
        await asyncio.sleep(0.1)

    async with listening(refuse) as port:
        call = HttpCall(url=f"http://127.0.0.1:{port}/", body=bytes(8 * 1024 * 1024))
        reply = await connections.send(call, limit=LIMIT, timeout=PATIENCE)

    assert (reply.status, reply.body) == (413, b"no")


async def test_a_redirect_is_not_followed(connections: Connections) -> None:
    answer, given = saying(
        b"HTTP/1.1 307 Elsewhere\r\nlocation: https://elsewhere.example/\r\ncontent-length: 0\r\n\r\n"
    )
    async with listening(answer) as port:
        reply = await connections.send(call_to(port), limit=LIMIT, timeout=PATIENCE)

    assert reply.status == 307
    assert given == [1]


async def test_a_reply_without_end_is_given_up(connections: Connections) -> None:
    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"a" * 10_000)
            await writer.drain()

    async with listening(pour) as port:
        with pytest.raises(ReplyTooLarge):
            await connections.send(call_to(port), limit=LIMIT, timeout=PATIENCE)


async def test_a_reply_without_a_length_whose_connection_breaks_is_not_taken_for_whole(
    connections: Connections,
) -> None:
    async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        await asyncio.sleep(0.05)
        # Closed in this way, a connection is reset.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async with listening(break_off) as port:
        with pytest.raises(ConnectionEnded, match="within"):
            await connections.send(call_to(port), limit=LIMIT, timeout=PATIENCE)


async def test_what_is_not_http_is_told(connections: Connections) -> None:
    answer, _ = saying(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
    async with listening(answer) as port:
        with pytest.raises(MalformedReply):
            await connections.send(call_to(port), limit=LIMIT, timeout=PATIENCE)


async def test_a_header_that_http_does_not_allow_is_not_sent(connections: Connections) -> None:
    answer, given = saying(OK)
    async with listening(answer) as port:
        with pytest.raises(BadHeader):
            await connections.send(
                HttpCall(url=f"http://127.0.0.1:{port}/", headers={"a": "b\r\nc: d"}, body=b""),
                limit=LIMIT,
                timeout=PATIENCE,
            )

    assert given == []


@pytest.mark.parametrize("name", ["content-length", "Transfer-Encoding"])
async def test_a_row_cannot_tell_another_length(connections: Connections, name: str) -> None:
    with pytest.raises(BadHeader, match="length"):
        await connections.send(
            HttpCall(url="http://127.0.0.1:9/", headers={name: "9"}, body=b""), limit=LIMIT, timeout=PATIENCE
        )


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/", "https://127.0.0.1:9/", "https://localhost:9/", "https://169.254.169.254/"]
)
async def test_this_machine_is_no_vendor_unless_permitted(url: str) -> None:
    with pytest.raises(AddressRefused):
        await Connections().send(HttpCall(url=url, body=b""), limit=LIMIT, timeout=PATIENCE)


@pytest.mark.parametrize("allow_loopback", [True, False])
@pytest.mark.parametrize("inside", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1"])
async def test_a_public_name_that_leads_inside_is_refused_when_connecting(inside: str, *, allow_loopback: bool) -> None:
    def resolve(host: str, port: int) -> list[str]:
        return [inside]

    connections = Connections(allow_loopback=allow_loopback, resolve=resolve)

    with pytest.raises(AddressRefused, match=r"vendor\.example"):
        await connections.send(HttpCall(url="https://vendor.example/v1", body=b""), limit=LIMIT, timeout=PATIENCE)


async def test_nothing_travels_in_the_open_to_a_localhost_that_is_elsewhere() -> None:
    def resolve(host: str, port: int) -> list[str]:
        return ["8.8.8.8"]

    connections = Connections(allow_loopback=True, resolve=resolve)

    with pytest.raises(AddressRefused, match="not this machine"):
        await connections.send(HttpCall(url="http://localhost/v1", body=b""), limit=LIMIT, timeout=PATIENCE)


async def test_a_name_that_changes_its_mind_is_resolved_once_per_connection() -> None:
    """No second look-up, in which a rebinding name would lead inside, lies between check and connection."""
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])

    def resolve(host: str, port: int) -> list[str]:
        return next(answers)

    answer, given = saying(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok")
    connections = Connections(allow_loopback=True, resolve=resolve)
    async with listening(answer) as port:
        await connections.send(call_to(port, host="localhost"), limit=LIMIT, timeout=PATIENCE)

        with pytest.raises(AddressRefused):
            await connections.send(call_to(port, host="localhost"), limit=LIMIT, timeout=PATIENCE)

    assert given == [1]


async def test_the_next_address_is_tried_where_one_takes_no_connection() -> None:
    def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    answer, given = saying(OK)
    connections = Connections(allow_loopback=True, resolve=resolve)
    async with listening(answer) as port:
        reply = await connections.send(call_to(port, host="localhost"), limit=LIMIT, timeout=PATIENCE)
    connections.close()

    assert reply.body == b"ok"
    assert given == [1]


@pytest.mark.parametrize("found", [["127.0.0.2"], []])
async def test_a_vendor_that_takes_no_connection_is_an_os_error(found: list[str]) -> None:
    def resolve(host: str, port: int) -> list[str]:
        return found

    with pytest.raises(OSError, match=r"refused|no address"):
        await Connections(allow_loopback=True, resolve=resolve).send(
            call_to(9, host="localhost"), limit=LIMIT, timeout=PATIENCE
        )


async def test_connecting_may_not_take_long() -> None:
    def resolve(host: str, port: int) -> list[str]:
        time.sleep(1)
        return []

    connections = Connections(resolve=resolve, connect_timeout=0.01)

    with pytest.raises(TimeoutError):
        await connections.send(HttpCall(url="https://vendor.example", body=b""), limit=LIMIT, timeout=PATIENCE)


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
    server, client = issue(tmp_path, "localhost")
    names: list[str] = []
    server.sni_callback = lambda _socket, name, _context: names.append(name)
    answer, given = saying(OK, OK)
    connections = Connections(allow_loopback=True, ssl_context=lambda: client)

    async with listening(answer, server) as port:
        replies = [
            await connections.send(call_to(port, "https", "localhost"), limit=LIMIT, timeout=PATIENCE) for _ in range(2)
        ]
        connections.close()

    assert [reply.body for reply in replies] == [b"ok", b"ok"]
    assert names == ["localhost"]
    assert given == [2]


async def test_a_certificate_of_another_name_is_refused(tmp_path: Path) -> None:
    server, client = issue(tmp_path, "other.example")
    answer, given = saying(OK)

    async with listening(answer, server) as port:
        with pytest.raises(ssl.SSLCertVerificationError):
            await Connections(allow_loopback=True, ssl_context=lambda: client).send(
                call_to(port, "https", "localhost"), limit=LIMIT, timeout=PATIENCE
            )

    assert given == []


async def test_a_certificate_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    server, _ = issue(tmp_path, "localhost")
    answer, given = saying(OK)

    async with listening(answer, server) as port:
        with pytest.raises(ssl.SSLCertVerificationError):
            await Connections(allow_loopback=True).send(
                call_to(port, "https", "localhost"), limit=LIMIT, timeout=PATIENCE
            )

    assert given == []


def test_the_authorities_are_loaded_once_and_checked() -> None:
    context = shared_ssl_context()

    assert context is shared_ssl_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.cert_store_stats()["x509_ca"] > 0


def test_a_system_without_authorities_has_those_of_certifi(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssl, "create_default_context", lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))

    context = shared_ssl_context.__wrapped__()

    assert context.cert_store_stats()["x509_ca"] > 0
