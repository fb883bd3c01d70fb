"""The emulator's temporary files: it copies every function once per process, which can make gigabytes.

They are out of the way at once, and deleted by a program that outlives the local stack if that takes long.
"""

import asyncio
import contextlib
import secrets
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

from infra.local.places import Home

PATIENCE = 3.0
"""Seconds that stopping waits for the disk."""

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
    """Takes the folder away, and has it deleted with all that was taken away but not yet deleted."""
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
    for _ in range(int(PATIENCE / _PAUSE)):
        if not _rubbish_of(scratch):
            return
        await asyncio.sleep(_PAUSE)


def _rubbish_of(scratch: Path) -> list[Path]:
    return list(scratch.parent.glob(f"{scratch.name}-*{_RUBBISH}"))
