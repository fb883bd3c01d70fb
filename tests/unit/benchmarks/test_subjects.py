"""The gateway's handler and plain FastAPI + httpx carry out every case, between fakes that can answer all they ask."""

import json
from collections.abc import Iterator
from contextlib import closing

import pytest

from benchmarks import stage
from benchmarks.aws_controls import AwsControls
from benchmarks.cases import MISS, Case
from benchmarks.fake_vendor import reply_body
from benchmarks.processes import fakes, server
from benchmarks.subjects import Function, Server, check_answer, warm_function
from benchmarks.warm import CASES


@pytest.fixture(scope="module")
def addresses() -> Iterator[stage.Addresses]:
    with fakes() as addresses:
        yield addresses


@pytest.fixture(scope="module")
def function(addresses: stage.Addresses) -> Iterator[Function]:
    with warm_function(addresses) as function:
        function.carry_out(MISS, requests=1)  # what the fake DynamoDB answers to hits was put there by a miss
        yield function


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_gateway_answers_from_where_the_case_says(
    addresses: stage.Addresses, function: Function, case: Case
) -> None:
    cost = function.carry_out(case, requests=2)

    assert cost.cpu_ms > 0
    AwsControls(addresses.aws).take_calls()  # raises if the fake could not answer one


def test_plain_answers_with_vectors(addresses: stage.Addresses) -> None:
    with server("benchmarks.plain", f"{addresses.vendor}/v1") as (pid, url), closing(Server(pid, url)) as plain:
        cost = plain.carry_out(MISS, requests=2)

    assert cost.cpu_ms > 0


def test_a_server_that_refuses_is_not_measured(addresses: stage.Addresses) -> None:
    with (
        server("benchmarks.plain", f"{addresses.vendor}/v2") as (pid, url),
        closing(Server(pid, url)) as plain,
        pytest.raises(RuntimeError, match="answered 404"),
    ):
        plain.carry_out(MISS, requests=1)


@pytest.mark.parametrize("encoding", ["base64", "float"])
def test_vectors_in_the_encoding_asked_for_pass(encoding: str) -> None:
    check_answer(Case(inputs=2, encoding=encoding, answered_by="vendor"), reply_body(2, encoding))


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(reply_body(1, "base64"), id="one vector too few"),
        pytest.param(reply_body(2, "float"), id="another encoding"),
        pytest.param(json.dumps({"data": [{"embedding": "AAAA"}] * 2}).encode(), id="shortened"),
    ],
)
def test_other_answers_do_not(answer: bytes) -> None:
    with pytest.raises(RuntimeError, match="2 base64 was answered"):
        check_answer(Case(inputs=2, encoding="base64", answered_by="vendor"), answer)
