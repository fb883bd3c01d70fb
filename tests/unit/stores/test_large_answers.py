"""Answers too large for the front door."""

import re

import pytest

from gateway.aws.client import Endpoints
from gateway.aws.s3 import Bucket
from gateway.core.errors import InternalError
from gateway.stores.large_answers import BucketLargeAnswers, random_name
from tests.fakes.aws import ScriptedAws, make_aws, reply


async def test_an_answer_is_put_under_a_name_that_nobody_guesses() -> None:
    with ScriptedAws(lambda _: reply()) as server:
        answers = BucketLargeAnswers(Bucket(server.client(), "files"))

        address = await answers.keep(b"{}", "application/json")
        path = address.removeprefix(server.address)

    put = server.requests[0]
    assert (put.method, put.headers["content-type"], put.body) == ("PUT", "application/json", b"{}")
    assert re.fullmatch(r"/files/answers/[0-9a-f]{32}", put.target)
    assert path.startswith(f"{put.target}?")
    assert "X-Amz-Expires=900" in path


async def test_an_answer_that_cannot_be_kept_is_a_fault_of_ours() -> None:
    with ScriptedAws(lambda _: reply(b"<Error><Code>NoSuchBucket</Code></Error>", 404)) as server:
        answers = BucketLargeAnswers(Bucket(server.client(), "files"))

        with pytest.raises(InternalError):
            await answers.keep(b"{}", "application/json")


def test_on_aws_the_bucket_is_part_of_the_host() -> None:
    aws = make_aws("", endpoints=Endpoints({}, "eu-central-1"))

    address = Bucket(aws, "files").address("answers/1", expires=60)

    assert address.startswith("https://files.s3.eu-central-1.amazonaws.com/answers/1?X-Amz-Algorithm=")


def test_names_are_not_given_twice() -> None:
    names = {random_name() for _ in range(1000)}

    assert len(names) == 1000
