"""How signed calls travel: kept alive, side by side, impatient, repeated only where that does no harm."""

import ssl
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.aws.client import MAX_REPLY, AwsClient, Call, Endpoints, Operation
from gateway.aws.connections import MAX_IDLE_TIME, Endpoint
from gateway.aws.errors import (
    AwsRefused,
    AwsTimeout,
    AwsUnavailable,
    ConditionFailed,
    ConnectionLost,
    NotFound,
    Throttled,
    reason_of,
)
from gateway.aws.signing import Credentials
from tests.fakes.aws import Request, ScriptedAws, failure, make_aws, reply
from tests.unit.aws.servers import BODY, Script, answers, scripted, server_side, then_resets


def make_call(aws: AwsClient, **changes: object) -> Call:
    return Call(**{"operation": Operation("dynamodb", aws.endpoints("dynamodb")), **changes})  # type: ignore[arg-type]


def test_calls_one_after_another_share_a_connection() -> None:
    with ScriptedAws(lambda _: reply()) as server:
        aws = server.client()

        for _ in range(3):
            aws.call(make_call(aws))

    assert [request.connection for request in server.requests] == [0, 0, 0]


def test_calls_that_are_begun_are_all_sent_before_any_reply_is_read() -> None:
    both_are_here = threading.Barrier(2, timeout=5)

    def answer_when_both_are_here(request: Request) -> bytes:
        both_are_here.wait()
        return reply(request.body)

    with ScriptedAws(answer_when_both_are_here) as server:
        aws = server.client()

        pending = [aws.begin(make_call(aws, body=body)) for body in (b"one", b"two")]
        bodies = [call.finish().body for call in pending]

    assert bodies == [b"one", b"two"]


def test_several_threads_share_a_client_and_never_a_connection() -> None:
    with ScriptedAws(lambda request: reply(request.body)) as server:
        aws = server.client()

        def ask(number: int) -> bytes:
            return aws.call(make_call(aws, body=b"%d" % number)).body

        with ThreadPoolExecutor(8) as threads:
            bodies = list(threads.map(ask, range(400)))

    assert bodies == [b"%d" % number for number in range(400)]
    assert {request.connection for request in server.requests} <= set(range(8))


def test_a_call_that_is_abandoned_leaves_no_reply_to_the_next() -> None:
    is_over = threading.Event()

    def answer_the_first_late(request: Request) -> bytes:
        if request.body == b"first":
            is_over.wait(5)
        return reply(request.body)

    with ScriptedAws(answer_the_first_late) as server:
        aws = server.client()
        aws.call(make_call(aws))

        aws.begin(make_call(aws, body=b"first")).abandon()
        answer = aws.call(make_call(aws, body=b"second"))
        is_over.set()

    assert answer.body == b"second"
    assert [request.connection for request in server.requests if request.body == b"second"] == [1]


def test_a_connection_that_was_closed_while_idle_is_not_used() -> None:
    with ScriptedAws(lambda _: reply()) as server:
        aws = server.client()
        aws.call(make_call(aws))
        server.hang_up()

        answer = aws.call(make_call(aws, repeatable=False))

    assert answer.status == 200
    assert [request.connection for request in server.requests] == [0, 1]


def test_a_connection_that_was_idle_for_long_is_not_used() -> None:
    now = [0.0]
    with ScriptedAws(lambda _: reply()) as server:
        aws = server.client(clock=lambda: now[0])
        aws.call(make_call(aws))
        now[0] += MAX_IDLE_TIME

        aws.call(make_call(aws))

    assert [request.connection for request in server.requests] == [0, 1]


def test_a_connection_that_the_server_will_close_is_not_kept() -> None:
    with ScriptedAws(lambda _: reply(connection="close")) as server:
        aws = server.client()

        for _ in range(2):
            aws.call(make_call(aws))

    assert [request.connection for request in server.requests] == [0, 1]


def test_an_answer_to_no_question_is_never_taken_for_one() -> None:
    with ScriptedAws(lambda request: reply(request.body) + reply(b"of another")) as server:
        aws = server.client()

        bodies = [aws.call(make_call(aws, body=body)).body for body in (b"one", b"two")]

    assert bodies == [b"one", b"two"]
    assert [request.connection for request in server.requests] == [0, 1]


UNANSWERED = {"closed": answers(reply(), b""), "reset": then_resets(answers(reply(), b""))}


@pytest.mark.parametrize("script", UNANSWERED.values(), ids=UNANSWERED)
def test_a_call_that_is_cut_off_on_a_kept_connection_is_sent_once_more(script: Script) -> None:
    with scripted(script, answers(reply(b"again"))) as address:
        aws = make_aws(address)
        aws.call(make_call(aws, body=BODY))

        answer = aws.call(make_call(aws, body=BODY))
        aws.close()

    assert answer.body == b"again"


def test_a_call_that_is_sent_once_more_is_signed_for_that_time() -> None:
    now = [0.0]

    def answer(request: Request) -> bytes | None:
        now[0] += 59
        return None if request.body == b"cut off" and request.connection == 0 else reply()

    with ScriptedAws(answer) as server:
        aws = server.client(clock=lambda: now[0])
        aws.call(make_call(aws))

        aws.call(make_call(aws, body=b"cut off"))

    assert [request.headers["x-amz-date"][-7:] for request in server.requests] == ["000000Z", "000059Z", "000158Z"]


@pytest.mark.parametrize("script", UNANSWERED.values(), ids=UNANSWERED)
def test_a_call_that_must_not_be_repeated_is_not(script: Script) -> None:
    with scripted(script, answers(reply(b"again"))) as address:
        aws = make_aws(address)
        aws.call(make_call(aws, body=BODY))

        with pytest.raises(ConnectionLost):
            aws.call(make_call(aws, body=BODY, repeatable=False))


def test_a_call_that_is_cut_off_on_a_new_connection_is_not_repeated() -> None:
    with ScriptedAws(lambda _: None) as server:
        aws = server.client()

        with pytest.raises(ConnectionLost):
            aws.call(make_call(aws))

    assert len(server.requests) == 1


def test_a_call_is_sent_once_more_and_not_twice() -> None:
    replies = deque([reply(), None, None, reply()])
    with ScriptedAws(lambda _: replies.popleft()) as server:
        aws = server.client()
        aws.call(make_call(aws))

        with pytest.raises(ConnectionLost):
            aws.call(make_call(aws))

    assert len(server.requests) == 3


BEGUN = {"a line": b"HTTP/1.1 2", "a head": b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n"}


@pytest.mark.parametrize("ending", [answers, lambda *pieces: then_resets(answers(*pieces))], ids=["closed", "reset"])
@pytest.mark.parametrize("part", BEGUN.values(), ids=BEGUN)
def test_a_call_whose_reply_had_begun_is_not_repeated(part: bytes, ending: Callable[..., Script]) -> None:
    with scripted(ending(reply(), part), answers(reply(b"again"))) as address:
        aws = make_aws(address)
        aws.call(make_call(aws, body=BODY))

        with pytest.raises(AwsUnavailable, match="broke off its answer"):
            aws.call(make_call(aws, body=BODY))


def test_a_repeated_call_has_the_time_that_is_left() -> None:
    with scripted(answers(reply(), b"", pause=0.15), answers(b"", pause=0.6)) as address:
        aws = make_aws(address)
        aws.call(make_call(aws, body=BODY))
        started = time.monotonic()

        with pytest.raises(AwsTimeout):
            aws.call(make_call(aws, body=BODY, timeout=0.3))

        assert time.monotonic() - started < 0.42


def test_a_slow_reply_is_given_up_and_its_connection_with_it() -> None:
    is_over = threading.Event()

    def answer(request: Request) -> bytes:
        if request.body == b"slow":
            is_over.wait(5)
        return reply(request.body)

    with ScriptedAws(answer) as server:
        aws = server.client()

        with pytest.raises(AwsTimeout):
            aws.call(make_call(aws, body=b"slow", timeout=0.05))
        after = aws.call(make_call(aws, body=b"quick"))
        is_over.set()

    assert after.body == b"quick"
    assert [request.connection for request in server.requests] == [0, 1]


def test_the_wait_for_one_reply_may_be_shorter_than_that_of_the_call() -> None:
    is_over = threading.Event()
    with ScriptedAws(lambda _: reply() if is_over.wait(5) else None) as server:
        aws = server.client()
        pending = aws.begin(make_call(aws, timeout=5))
        started = time.monotonic()

        with pytest.raises(AwsTimeout):
            pending.finish(0.05)

        assert time.monotonic() - started < 2
        is_over.set()


def test_a_reply_that_breaks_off_is_no_reply() -> None:
    with scripted(answers(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")) as address:
        aws = make_aws(address)

        with pytest.raises(AwsUnavailable):
            aws.call(make_call(aws, body=BODY))


def test_a_reply_that_is_longer_than_any_of_aws_is_refused() -> None:
    head = f"HTTP/1.1 200 OK\r\ncontent-length: {MAX_REPLY + 1}\r\n\r\n"
    with ScriptedAws(lambda _: head.encode()) as server:
        aws = server.client()

        with pytest.raises(AwsUnavailable, match="broke off its answer"):
            aws.call(make_call(aws))


SMUGGLED = "one\r\nhost: two"


def test_a_header_that_http_does_not_allow_is_not_sent() -> None:
    with ScriptedAws(lambda _: reply()) as server:
        aws = server.client()
        smuggling = Operation("s3", aws.endpoints("s3"), headers=(("x-amz-target", SMUGGLED),))

        with pytest.raises(AwsUnavailable, match="x-amz-target"):
            aws.call(make_call(aws, operation=smuggling))

    assert server.requests == []


HUSHED = "hushed\r\nhost: two"


@pytest.mark.parametrize(
    "credentials",
    [Credentials("id", "secret", HUSHED), Credentials(HUSHED, "secret"), Credentials("hushed\u2028", "secret")],
    ids=["token", "id", "not latin-1"],
)
def test_credentials_that_no_header_can_hold_are_neither_sent_nor_shown(credentials: Credentials) -> None:
    with ScriptedAws(lambda _: reply()) as server:
        aws = server.client(credentials=lambda: credentials)

        with pytest.raises(AwsUnavailable) as caught:
            aws.call(make_call(aws))

    assert "hushed" not in "".join(traceback.format_exception(caught.value))
    assert server.requests == []


def test_a_path_that_http_does_not_allow_is_not_sent() -> None:
    with ScriptedAws(lambda _: reply()) as server:
        aws = server.client()

        with pytest.raises(AwsUnavailable):
            aws.call(make_call(aws, operation=Operation("s3", aws.endpoints("s3"), path="/a b")))

    assert server.requests == []


def test_a_large_body_arrives_whole_and_so_does_a_large_reply() -> None:
    body = bytes(range(256)) * 20_000
    with ScriptedAws(lambda request: reply(request.body)) as server:
        aws = server.client()

        answer = aws.call(make_call(aws, body=body))

    assert answer.body == body


def test_a_service_that_cannot_be_reached_is_unavailable() -> None:
    with ScriptedAws(lambda _: reply()) as server:
        address = server.address
    aws = make_aws(address)

    with pytest.raises(AwsUnavailable):
        aws.call(make_call(aws))


@pytest.mark.parametrize("host", ["a b", "a" * 64 + ".example"])
def test_a_name_that_is_no_host_is_unavailable(host: str) -> None:
    aws = make_aws(f"http://{host}:80")

    with pytest.raises(AwsUnavailable, match="cannot be reached"):
        aws.call(make_call(aws))


def test_tls_is_spoken_on_connections_that_are_kept(certificate: Path) -> None:
    with ScriptedAws(lambda request: reply(request.body), tls=server_side(certificate)) as server:
        aws = server.client(ssl_context=lambda: ssl.create_default_context(cafile=str(certificate)))

        bodies = [aws.call(make_call(aws, body=b"x" * size)).body for size in (1, 500_000)]

    assert bodies == [b"x", b"x" * 500_000]
    assert [request.connection for request in server.requests] == [0, 0]


def test_an_answer_to_no_question_is_not_taken_for_one_over_tls(certificate: Path) -> None:
    long = b"x" * 12_000
    with ScriptedAws(
        lambda request: reply(request.body) + reply(b"of another"), tls=server_side(certificate)
    ) as server:
        aws = server.client(ssl_context=lambda: ssl.create_default_context(cafile=str(certificate)))

        bodies = [aws.call(make_call(aws, body=body)).body for body in (long, b"two")]

    assert bodies == [long, b"two"]
    assert [request.connection for request in server.requests] == [0, 1]


def test_a_server_whose_certificate_nobody_vouches_for_gets_no_call(certificate: Path) -> None:
    with ScriptedAws(lambda _: reply(), tls=server_side(certificate)) as server:
        aws = server.client()

        with pytest.raises(AwsUnavailable):
            aws.call(make_call(aws))

    assert server.requests == []


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
        (reply(b'{"message": "\xff"}', 503), AwsUnavailable, "unavailable"),
        (reply(b"", 403), AwsRefused, "refused"),
        (b"SMTP ready\r\n\r\n", AwsUnavailable, "unavailable"),
    ],
)
def test_an_error_has_its_kind_and_its_reason(answer: bytes, kind: type[Exception], reason: str) -> None:
    with ScriptedAws(lambda _: answer) as server:
        aws = server.client()

        with pytest.raises(kind) as caught:
            aws.call(make_call(aws))

    assert type(caught.value) is kind
    assert reason_of(caught.value) == reason  # type: ignore[arg-type]


def test_an_error_message_is_short_even_if_aws_repeats_the_request_in_it() -> None:
    with ScriptedAws(lambda _: reply({"__type": "ValidationException", "message": "A" * 100_000}, 400)) as server:
        aws = server.client()

        with pytest.raises(AwsRefused) as caught:
            aws.call(make_call(aws))

    assert len(str(caught.value)) < 400


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
