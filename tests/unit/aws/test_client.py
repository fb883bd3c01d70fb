"""How calls travel: kept alive, side by side, impatient, repeated only where that does no harm."""

import asyncio
import ssl
import threading
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.aws.client import MAX_IDLE_TIME, MAX_REPLY, AwsClient, Call, Endpoint, Endpoints, Operation
from gateway.aws.errors import (
    AwsRefused,
    AwsTimeout,
    AwsUnavailable,
    ConditionFailed,
    ConnectionLost,
    FunctionFailed,
    NotFound,
    Throttled,
    reason_of,
)
from gateway.aws.lambda_functions import Functions
from tests.fakes.aws import Request, ScriptedAws, failure, make_aws, reply


def make_call(aws: AwsClient, **changes: object) -> Call:
    return Call(**{"operation": Operation("dynamodb", aws.endpoints("dynamodb")), **changes})  # type: ignore[arg-type]


async def test_calls_one_after_another_share_a_connection() -> None:
    with ScriptedAws(lambda _: reply()) as server:
        aws = server.client()

        for _ in range(3):
            await aws.call(make_call(aws))

    assert [request.connection for request in server.requests] == [0, 0, 0]


async def test_calls_of_one_gather_are_all_sent_before_any_is_answered() -> None:
    both_are_here = threading.Barrier(2, timeout=5)

    def answer_when_both_are_here(request: Request) -> bytes:
        both_are_here.wait()
        return reply(request.body)

    with ScriptedAws(answer_when_both_are_here) as server:
        aws = server.client()

        replies = await asyncio.gather(aws.call(make_call(aws, body=b"one")), aws.call(make_call(aws, body=b"two")))

    assert [answer.body for answer in replies] == [b"one", b"two"]


async def test_a_connection_that_was_closed_while_idle_is_not_used() -> None:
    with ScriptedAws(lambda _: reply()) as server:
        aws = server.client()
        await aws.call(make_call(aws))
        server.hang_up()

        answer = await aws.call(make_call(aws, repeatable=False))

    assert answer.status == 200
    assert [request.connection for request in server.requests] == [0, 1]


async def test_a_connection_that_was_idle_for_long_is_not_used() -> None:
    now = [0.0]
    with ScriptedAws(lambda _: reply()) as server:
        aws = server.client(clock=lambda: now[0])
        await aws.call(make_call(aws))
        now[0] += MAX_IDLE_TIME

        await aws.call(make_call(aws))

    assert [request.connection for request in server.requests] == [0, 1]


def hang_up_on_the_second() -> Callable[[Request], bytes | None]:
    answers = deque([reply(), None, reply(b"again")])
    return lambda _: answers.popleft()


async def test_a_call_that_is_cut_off_on_a_kept_connection_is_sent_once_more() -> None:
    with ScriptedAws(hang_up_on_the_second()) as server:
        aws = server.client()
        await aws.call(make_call(aws))

        answer = await aws.call(make_call(aws))

    assert answer.body == b"again"


async def test_a_call_that_must_not_be_repeated_is_not() -> None:
    with ScriptedAws(hang_up_on_the_second()) as server:
        aws = server.client()
        await aws.call(make_call(aws))

        with pytest.raises(ConnectionLost):
            await aws.call(make_call(aws, repeatable=False))

    assert len(server.requests) == 2


async def test_a_call_that_is_cut_off_on_a_new_connection_is_not_repeated() -> None:
    with ScriptedAws(lambda _: None) as server:
        aws = server.client()

        with pytest.raises(ConnectionLost):
            await aws.call(make_call(aws))

    assert len(server.requests) == 1


async def test_a_slow_reply_is_given_up_and_its_connection_with_it() -> None:
    is_over = threading.Event()

    def answer(request: Request) -> bytes:
        if request.body == b"slow":
            is_over.wait(5)
        return reply(request.body)

    with ScriptedAws(answer) as server:
        aws = server.client()

        with pytest.raises(AwsTimeout):
            await aws.call(make_call(aws, body=b"slow", timeout=0.05))
        after = await aws.call(make_call(aws, body=b"quick"))
        is_over.set()

    assert after.body == b"quick"
    assert [request.connection for request in server.requests] == [0, 1]


async def test_a_reply_that_trickles_in_is_given_up_in_time() -> None:
    """The time is that of the whole reply, not of each part."""
    with ScriptedAws(lambda _: b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegins") as server:
        aws = server.client()

        with pytest.raises(AwsTimeout):
            await aws.call(make_call(aws, timeout=0.05))


async def test_a_reply_that_breaks_off_is_no_reply() -> None:
    answers = deque([b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\nconnection: close\r\n\r\nhalf"])

    def break_off(_: Request) -> bytes | None:
        if answers:
            threading.Timer(0.05, server.hang_up).start()
        return answers.popleft()

    with ScriptedAws(break_off) as server:
        aws = server.client()

        with pytest.raises(AwsUnavailable):
            await aws.call(make_call(aws))


async def test_a_reply_in_chunks_is_put_together() -> None:
    chunks = b"4\r\nWiki\r\n6;note=x\r\npedia \r\n0\r\ntrailer: 1\r\n\r\n"
    with ScriptedAws(lambda _: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks) as server:
        aws = server.client()

        bodies = [(await aws.call(make_call(aws))).body for _ in range(2)]

    assert bodies == [b"Wikipedia ", b"Wikipedia "]
    assert [request.connection for request in server.requests] == [0, 0]


async def test_a_reply_without_a_length_ends_with_its_connection() -> None:
    def answer(_: Request) -> bytes:
        threading.Timer(0.05, server.hang_up).start()
        return b"HTTP/1.1 200 OK\r\n\r\nall there is"

    with ScriptedAws(answer) as server:
        aws = server.client()

        body = (await aws.call(make_call(aws))).body

    assert body == b"all there is"


async def test_a_connection_that_the_server_will_close_is_not_kept() -> None:
    with ScriptedAws(lambda _: reply(connection="close")) as server:
        aws = server.client()

        for _ in range(2):
            await aws.call(make_call(aws))

    assert [request.connection for request in server.requests] == [0, 1]


async def test_an_answer_to_no_question_is_never_taken_for_one() -> None:
    with ScriptedAws(lambda request: reply(request.body) + reply(b"of another")) as server:
        aws = server.client()

        bodies = [(await aws.call(make_call(aws, body=body))).body for body in (b"one", b"two")]

    assert bodies == [b"one", b"two"]
    assert [request.connection for request in server.requests] == [0, 1]


async def test_a_reply_that_is_longer_than_any_of_aws_is_refused() -> None:
    with ScriptedAws(lambda _: f"HTTP/1.1 200 OK\r\ncontent-length: {MAX_REPLY + 1}\r\n\r\n".encode()) as server:
        aws = server.client()

        with pytest.raises(AwsUnavailable):
            await aws.call(make_call(aws))


async def test_a_header_that_http_does_not_allow_is_not_sent() -> None:
    with ScriptedAws(lambda _: reply()) as server:
        aws = server.client()
        smuggling = Operation("s3", aws.endpoints("s3"), headers=(("x-amz-target", "one\r\nhost: two"),))

        with pytest.raises(AwsUnavailable, match="x-amz-target"):
            await aws.call(make_call(aws, operation=smuggling))

    assert server.requests == []


async def test_a_large_body_arrives_whole_and_so_does_a_large_reply() -> None:
    body = bytes(range(256)) * 20_000
    with ScriptedAws(lambda request: reply(request.body)) as server:
        aws = server.client()

        answer = await aws.call(make_call(aws, body=body))

    assert answer.body == body


async def test_a_service_that_cannot_be_reached_is_unavailable() -> None:
    with ScriptedAws(lambda _: reply()) as server:
        address = server.address
    aws = make_aws(address)

    with pytest.raises(AwsUnavailable):
        await aws.call(make_call(aws))


async def test_a_call_that_is_cancelled_leaves_no_reply_to_the_next() -> None:
    with ScriptedAws(lambda request: reply(request.body)) as server:
        aws = server.client()
        given_up = asyncio.ensure_future(aws.call(make_call(aws, body=b"first")))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.wait([given_up])

        answer = await aws.call(make_call(aws, body=b"second"))

    assert given_up.cancelled()
    assert answer.body == b"second"


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        (failure("ResourceNotFoundException"), NotFound, "refused"),
        (failure("ConditionalCheckFailedException"), ConditionFailed, "refused"),
        (failure("ValidationException"), AwsRefused, "refused"),
        (failure("ProvisionedThroughputExceededException"), Throttled, "throttled"),
        (failure("ThrottlingException"), Throttled, "throttled"),
        (failure("InternalServerError", 500), AwsUnavailable, "unavailable"),
        (
            reply({"message": "Rate Exceeded."}, 429, x_amzn_ErrorType="TooManyRequestsException:"),
            Throttled,
            "throttled",
        ),
        (reply({"Message": "no"}, 404, x_amzn_ErrorType="ResourceNotFoundException"), NotFound, "refused"),
        (reply(b"<?xml version='1.0'?><Error><Code>NoSuchBucket</Code></Error>", 404), NotFound, "refused"),
        (reply(b"<Error><Code>SlowDown</Code><Message>Reduce</Message></Error>", 503), Throttled, "throttled"),
        (reply(b"<html>Bad Gateway</html>", 502), AwsUnavailable, "unavailable"),
        (reply(b"\xff\xfe", 503), AwsUnavailable, "unavailable"),
        (reply(b"", 403), AwsRefused, "refused"),
        (b"SMTP ready\r\n\r\n", AwsUnavailable, "unavailable"),
    ],
)
async def test_an_error_is_told_by_its_kind(answer: bytes, kind: type[Exception], reason: str) -> None:
    with ScriptedAws(lambda _: answer) as server:
        aws = server.client()

        with pytest.raises(kind) as caught:
            await aws.call(make_call(aws))

    assert type(caught.value) is kind
    assert reason_of(caught.value) == reason  # type: ignore[arg-type]


async def test_an_error_message_is_short_even_if_aws_repeats_the_request_in_it() -> None:
    with ScriptedAws(lambda _: reply({"__type": "ValidationException", "message": "A" * 100_000}, 400)) as server:
        aws = server.client()

        with pytest.raises(AwsRefused) as caught:
            await aws.call(make_call(aws))

    assert len(str(caught.value)) < 400


async def test_others_go_on_while_a_function_works() -> None:
    has_begun, may_end = threading.Event(), threading.Event()

    def work(_: Request) -> bytes:
        has_begun.set()
        return reply(b'"done"' if may_end.wait(5) else b'"nobody went on"')

    with ScriptedAws(work) as server:
        functions = Functions(server.client())
        working = asyncio.ensure_future(functions.invoke("model", b"{}", timeout=5))

        await asyncio.to_thread(has_begun.wait, 5)
        may_end.set()
        answer = await working

    assert answer == b'"done"'


async def test_an_invocation_that_is_cancelled_is_not_sent_again() -> None:
    has_begun, is_over = threading.Event(), threading.Event()

    def work(request: Request) -> bytes:
        if request.body == b"long":
            has_begun.set()
            is_over.wait(5)
        return reply(b"1")

    with ScriptedAws(work) as server:
        functions = Functions(server.client())
        await functions.invoke("model", b"short", timeout=5)
        working = asyncio.ensure_future(functions.invoke("model", b"long", timeout=5))
        await asyncio.to_thread(has_begun.wait, 5)

        working.cancel()
        await asyncio.wait([working])
        is_over.set()
        await functions.invoke("model", b"short", timeout=5)

    assert [request.body for request in server.requests] == [b"short", b"long", b"short"]


async def test_what_a_failed_function_says_is_kept() -> None:
    payload = b'{"errorType":"ValueError","errorMessage":"no"}'
    with ScriptedAws(lambda _: reply(payload, X_Amz_Function_Error="Unhandled")) as server:
        functions = Functions(server.client())

        with pytest.raises(FunctionFailed) as caught:
            await functions.invoke("model", b"{}", timeout=5)

    assert caught.value.payload == payload


def test_a_service_is_found_by_its_own_variable_first() -> None:
    environment = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": "https://secrets.example",
    }

    endpoints = Endpoints(environment, "eu-central-1")

    assert endpoints("dynamodb") == Endpoint(secure=False, host="127.0.0.1", port=4566)
    assert endpoints("secretsmanager") == Endpoint(secure=True, host="secrets.example", port=443)


def test_without_variables_a_service_is_on_aws() -> None:
    endpoints = Endpoints({}, "eu-central-1")

    assert endpoints("dynamodb").authority == "dynamodb.eu-central-1.amazonaws.com"
    assert endpoints("s3", host_prefix="files.").authority == "files.s3.eu-central-1.amazonaws.com"


async def test_tls_is_spoken_on_connections_that_are_kept(certificate: Path) -> None:
    with ScriptedAws(lambda request: reply(request.body), tls=server_side(certificate)) as server:
        aws = server.client(ssl_context=lambda: ssl.create_default_context(cafile=str(certificate)))

        bodies = [(await aws.call(make_call(aws, body=b"x" * size))).body for size in (1, 500_000)]

    assert bodies == [b"x", b"x" * 500_000]
    assert [request.connection for request in server.requests] == [0, 0]


async def test_an_answer_to_no_question_is_not_taken_for_one_over_tls(certificate: Path) -> None:
    """What came in the same record is deciphered, and the socket does not show it any more."""
    long = b"x" * 12_000
    with ScriptedAws(
        lambda request: reply(request.body) + reply(b"of another"), tls=server_side(certificate)
    ) as server:
        aws = server.client(ssl_context=lambda: ssl.create_default_context(cafile=str(certificate)))

        bodies = [(await aws.call(make_call(aws, body=body))).body for body in (long, b"two")]

    assert bodies == [long, b"two"]
    assert [request.connection for request in server.requests] == [0, 1]


async def test_a_server_whose_certificate_nobody_vouches_for_is_not_talked_to(certificate: Path) -> None:
    with ScriptedAws(lambda _: reply(), tls=server_side(certificate)) as server:
        aws = server.client()

        with pytest.raises(AwsUnavailable):
            await aws.call(make_call(aws))

    assert server.requests == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the certificate of 127.0.0.1, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    signed = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = tmp_path_factory.mktemp("tls") / "certificate.pem"
    file.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + secret)
    return file


def server_side(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
