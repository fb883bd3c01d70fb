"""Several look-ups at once, in one task."""

import asyncio

import pytest

from gateway.operations.together import together


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
