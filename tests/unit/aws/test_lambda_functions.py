"""Invocations wait in threads, so that others go on; and never longer than they may."""

import asyncio
import threading
import time

import pytest

from gateway.aws.errors import AwsTimeout, FunctionFailed
from gateway.aws.lambda_functions import Functions
from tests.fakes.aws import Request, ScriptedAws, reply


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


async def test_invocations_go_side_by_side() -> None:
    all_are_here = threading.Barrier(8, timeout=5)

    def answer_when_all_are_here(request: Request) -> bytes:
        all_are_here.wait()
        return reply(request.body)

    with ScriptedAws(answer_when_all_are_here) as server:
        functions = Functions(server.client())

        bodies = [b"%d" % number for number in range(8)]
        answers = await asyncio.gather(*(functions.invoke("model", body, timeout=5) for body in bodies))

    assert answers == bodies


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


async def test_the_wait_for_a_thread_counts_and_what_was_given_up_is_never_sent() -> None:
    has_begun, is_over = threading.Event(), threading.Event()

    def work(_: Request) -> bytes:
        has_begun.set()
        is_over.wait(5)
        return reply(b"1")

    with ScriptedAws(work) as server:
        functions = Functions(server.client(), max_threads=1)
        working = asyncio.ensure_future(functions.invoke("model", b"first", timeout=5))
        await asyncio.to_thread(has_begun.wait, 5)
        started = time.monotonic()

        with pytest.raises(AwsTimeout, match=r"model did not answer within 0\.050 s"):
            await functions.invoke("model", b"second", timeout=0.05)

        assert time.monotonic() - started < 2
        is_over.set()
        await working
        await functions.invoke("model", b"third", timeout=5)

    assert [request.body for request in server.requests] == [b"first", b"third"]


def test_an_invocation_that_gets_its_thread_too_late_is_not_sent() -> None:
    with ScriptedAws(lambda _: reply(b"1")) as server:
        functions = Functions(server.client())

        with pytest.raises(AwsTimeout):
            functions._wait(functions._call("model", b"{}"), deadline=time.monotonic() - 1)

    assert server.requests == []


async def test_a_function_that_takes_too_long_is_given_up_and_its_connection_with_it() -> None:
    is_over = threading.Event()

    def work(request: Request) -> bytes:
        if request.body == b"slow":
            is_over.wait(5)
        return reply(request.body)

    with ScriptedAws(work) as server:
        functions = Functions(server.client())

        with pytest.raises(AwsTimeout):
            await functions.invoke("model", b"slow", timeout=0.1)
        answer = await functions.invoke("model", b"quick", timeout=5)
        is_over.set()

    assert answer == b"quick"
    assert [request.connection for request in server.requests] == [0, 1]


async def test_what_a_failed_function_says_is_kept() -> None:
    payload = b'{"errorType":"ValueError","errorMessage":"no"}'
    with ScriptedAws(lambda _: reply(payload, X_Amz_Function_Error="Unhandled")) as server:
        functions = Functions(server.client())

        with pytest.raises(FunctionFailed) as caught:
            await functions.invoke("model", b"{}", timeout=5)

    assert caught.value.payload == payload
