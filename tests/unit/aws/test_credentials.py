"""Whose rights a call uses."""

import traceback

import pytest

from gateway.aws.credentials import RENEW_BEFORE, FunctionCredentials
from gateway.aws.errors import AwsUnavailable
from gateway.aws.signing import Credentials
from tests.fakes.aws import Request, ScriptedAws, reply

ENDS = 1_795_132_800.0  # 2026-11-20T00:00:00Z


def test_credentials_are_read_again_when_the_environment_changes() -> None:
    environment = {"AWS_ACCESS_KEY_ID": "one", "AWS_SECRET_ACCESS_KEY": "first", "AWS_SESSION_TOKEN": "t1"}
    credentials = FunctionCredentials(environment, lambda: 0.0)
    before = credentials()

    environment |= {"AWS_ACCESS_KEY_ID": "two", "AWS_SECRET_ACCESS_KEY": "second", "AWS_SESSION_TOKEN": ""}

    assert before == Credentials("one", "first", "t1")
    assert credentials() == Credentials("two", "second", None)


def grant(request: Request) -> bytes:
    assert (request.target, request.headers["authorization"]) == ("/v1/credentials", "token")
    return reply({"AccessKeyId": "ASIA", "SecretAccessKey": "s", "Token": "t", "Expiration": "2026-11-20T00:00:00Z"})


def snapshot_environment(server: ScriptedAws) -> dict[str, str]:
    return {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{server.address}/v1/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "token",
    }


def test_a_function_started_from_a_snapshot_fetches_its_credentials_once() -> None:
    with ScriptedAws(grant) as server:
        credentials = FunctionCredentials(snapshot_environment(server), lambda: ENDS - RENEW_BEFORE)

        fetched = [credentials(), credentials()]

    assert fetched == [Credentials("ASIA", "s", "t")] * 2
    assert len(server.requests) == 1


def test_fetched_credentials_are_renewed_before_they_end() -> None:
    now = [ENDS - RENEW_BEFORE]
    with ScriptedAws(grant) as server:
        credentials = FunctionCredentials(snapshot_environment(server), lambda: now[0])
        credentials()
        now[0] += 1

        credentials()

    assert len(server.requests) == 2


WITHOUT_END = {"AccessKeyId": "ASIA", "SecretAccessKey": "s", "Token": "t", "Expiration": "soon"}


@pytest.mark.parametrize("answer", [None, reply(b"no"), reply({}), reply(WITHOUT_END), b"SMTP ready\r\n\r\n"])
def test_credentials_that_cannot_be_fetched_make_aws_unavailable(answer: bytes | None) -> None:
    with ScriptedAws(lambda _: answer) as server:
        credentials = FunctionCredentials(snapshot_environment(server), lambda: ENDS)

        with pytest.raises(AwsUnavailable):
            credentials()


def test_a_token_that_no_header_can_hold_is_neither_sent_nor_shown() -> None:
    with ScriptedAws(grant) as server:
        environment = {**snapshot_environment(server), "AWS_CONTAINER_AUTHORIZATION_TOKEN": "hushed\nhost: two"}

        with pytest.raises(AwsUnavailable) as caught:
            FunctionCredentials(environment, lambda: 0.0)()

    assert "hushed" not in "".join(traceback.format_exception(caught.value))
    assert server.requests == []


def test_an_environment_without_credentials_makes_aws_unavailable() -> None:
    credentials = FunctionCredentials({}, lambda: 0.0)

    with pytest.raises(AwsUnavailable):
        credentials()
