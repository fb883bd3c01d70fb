"""The emulator's temporary files: it copies every function once per process, which can make gigabytes.

They are moved aside at once, and deleted by a program of their own. Stopping waits for it and says so; if the disk is
very slow, the program goes on after the local stack has ended.
"""

import asyncio
import contextlib
import secrets
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

from infra.local.places import Home
from infra.local.screen import say

QUIET = 0.5
"""Seconds that stopping waits for the disk without saying so."""
PATIENCE = 30.0
"""Seconds that stopping waits for the disk after that."""

_PAUSE = 0.05
_RUBBISH = ".rubbish"


@contextlib.asynccontextmanager
async def scratch_folder(home: Home) -> AsyncIterator[None]:
    """`home.scratch`, empty, for as long as the context lasts."""
    _discard(home.scratch)  # what a stack that was killed left behind
    home.scratch.mkdir(parents=True)
    try:
        yield
    finally:
        _discard(home.scratch)
        await _wait_for_the_disk(home.scratch)


def _discard(scratch: Path) -> None:
    """Renames the folder, and starts a program that deletes it and any that an earlier stop left behind."""
    if scratch.exists():
        scratch.rename(scratch.with_name(f"{scratch.name}-{secrets.token_hex(4)}{_RUBBISH}"))
    subprocess.run(
        ["/bin/sh", "-c", 'rm -rf "$@" &', "sh", *_rubbish_of(scratch)],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for the stack alone
    )


async def _wait_for_the_disk(scratch: Path) -> None:
    if await _is_deleted(scratch, QUIET):
        return
    say("Deleting temporary files ...")
    if not await _is_deleted(scratch, PATIENCE):
        say(f"The disk is slow: {scratch}-*{_RUBBISH} is deleted in the background, which needs nothing from you.")


async def _is_deleted(scratch: Path, patience: float) -> bool:
    """Whether nothing is left of the temporary files, at once or within `patience` seconds."""
    for _ in range(int(patience / _PAUSE)):
        if not _rubbish_of(scratch):
            return True
        await asyncio.sleep(_PAUSE)
    return not _rubbish_of(scratch)


def _rubbish_of(scratch: Path) -> list[Path]:
    return list(scratch.parent.glob(f"{scratch.name}-*{_RUBBISH}"))
