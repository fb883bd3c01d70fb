"""The programs that the local stack starts: each in a process group of its own, which ends as a whole.

It also ends when the local stack itself is killed.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

from infra.local.failures import NotStarted

GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL, unless the caller says otherwise."""

# Standard input is a pipe whose other end this process alone has open: it ends with this process, however that ends.
# (PR_SET_PDEATHSIG would do the same, on Linux, to the program itself but not to what that has started.)
_GUARD = 'exec 3<&0 </dev/null; (cat <&3 >/dev/null; kill -KILL 0) & exec "$@" 3<&-'


@contextlib.asynccontextmanager
async def running(
    *command: str, environment: Mapping[str, str], log: Path, grace: float = GRACE
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A program that runs while the context lasts, and writes to that log; then it has `grace` seconds to end."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with _sign_of_life() as sign:
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *("/bin/sh", "-c", _GUARD, "sh", *command),
                env=environment,
                stdin=sign,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            await asyncio.shield(_stop(process, grace))


@contextlib.contextmanager
def _sign_of_life() -> Iterator[int]:
    """A descriptor whose end of file says that this process, or the context, has ended."""
    theirs, ours = os.pipe()
    try:
        yield theirs
    finally:
        os.close(theirs)
        os.close(ours)


async def finish(*command: str, environment: Mapping[str, str], log: Path, trouble: str) -> None:
    """Runs a program to its end; raises `NotStarted`, with `trouble` and its last words, if it fails."""
    async with running(*command, environment=environment, log=log) as process:
        failed = await process.wait()
    if failed:
        raise NotStarted(f"{trouble}: {last_words(log)} (all of it: {log})")


async def read(*command: str, environment: Mapping[str, str], log: Path, trouble: str) -> str:
    """What a program prints on standard output; raises `NotStarted` if it fails."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=errors
        )
        try:
            printed, _ = await process.communicate()
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
    if process.returncode:
        raise NotStarted(f"{trouble}: {last_words(log)} (all of it: {log})")
    return printed.decode().strip()


def last_words(log: Path, lines: int = 4) -> str:
    """The last meaningful lines of a log, joined into one."""
    said = [line.strip() for line in log.read_text(errors="replace").splitlines() if not _says_nothing(line)]
    return " / ".join(said[-lines:]) or "it said nothing"


def _says_nothing(line: str) -> bool:
    return not line.strip() or line.startswith(("WARNING:", "make:"))


async def _stop(process: asyncio.subprocess.Process, grace: float) -> None:
    """Ends the program, then the rest of its group, such as the emulator's functions."""
    if process.returncode is None and grace:
        _signal_group(process.pid, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), grace)
    _signal_group(process.pid, signal.SIGKILL)
    await process.wait()


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)
