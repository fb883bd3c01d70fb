"""Several look-ups at once, in one task."""

import asyncio

import pytest

from gateway.operations.together import begin, together


async def test_results_come_in_the_order_of_the_coroutines() -> None:
    async def slow() -> str:
        await asyncio.sleep(0.01)
        return "slow"

    async def quick() -> int:
        return 1

    assert await together(slow(), quick()) == ("slow", 1)


async def test_all_are_begun_before_any_is_finished() -> None:
    steps: list[str] = []

    async def ask(name: str) -> None:
        steps.append(f"send {name}")
        await asyncio.sleep(0)
        steps.append(f"receive {name}")

    await together(ask("a"), ask("b"))

    assert steps == ["send a", "send b", "receive a", "receive b"]


async def test_real_waiting_lets_other_tasks_go_on() -> None:
    opened = asyncio.Event()

    async def waits() -> str:
        await opened.wait()
        return "opened"

    async def nothing() -> None:
        return None

    waiting = asyncio.create_task(together(waits(), nothing()))
    await asyncio.sleep(0)
    opened.set()

    assert await waiting == ("opened", None)


async def test_a_failure_ends_the_others_and_is_raised() -> None:
    ended: list[str] = []

    async def goes_on() -> None:
        try:
            await asyncio.sleep(0)
            ended.append("reached")
        finally:
            ended.append("closed")

    async def fails() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await together(goes_on(), fails())

    assert ended == ["closed"]


async def test_cancelling_ends_all() -> None:
    ended: list[str] = []

    async def hangs(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    waiting = asyncio.create_task(together(hangs("a"), hangs("b")))
    await asyncio.sleep(0)
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert "a" in ended


async def test_what_is_begun_runs_until_it_waits_and_ends_when_it_is_awaited() -> None:
    async def write() -> str:
        events.append("sent")
        await asyncio.sleep(0)
        events.append("written")
        return "result"

    events: list[str] = []

    rest = begin(write())
    events.append("meanwhile")

    assert rest is not None
    assert await rest == "result"
    assert events == ["sent", "meanwhile", "written"]


async def test_what_waits_for_the_event_loop_can_be_begun_as_well() -> None:
    async def wait() -> str:
        return await answer

    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    rest = begin(wait())
    answer.set_result("later")

    assert rest is not None
    assert await rest == "later"


async def test_nothing_is_left_of_what_never_waits() -> None:
    async def work() -> None:
        events.append("done")

    events: list[str] = []

    assert begin(work()) is None
    assert events == ["done"]


async def test_a_failure_is_raised_where_it_happens() -> None:
    async def fail(*, late: bool) -> None:
        if late:
            await asyncio.sleep(0)
        raise ZeroDivisionError

    rest = begin(fail(late=True))

    assert rest is not None
    with pytest.raises(ZeroDivisionError):
        await rest
    with pytest.raises(ZeroDivisionError):
        begin(fail(late=False))
