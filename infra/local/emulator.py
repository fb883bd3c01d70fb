"""The AWS emulator (MiniStack), on loopback only and with IAM enforced.

https://github.com/ministackorg/ministack
"""

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator

from aiohttp import ClientError, ClientSession

from infra.local.failures import NotStarted
from infra.local.places import LOOPBACK, REGION, Home
from infra.local.programs import last_words, running
from infra.local.scratch import scratch_folder

PATIENCE = 60.0
"""Seconds the emulator has to start."""


@contextlib.asynccontextmanager
async def running_emulator(home: Home) -> AsyncIterator[str]:
    """An emulator that runs while the context lasts; yields its address."""
    port = free_port()
    address = f"http://{LOOPBACK}:{port}"
    log = home.log("emulator")
    async with (
        scratch_folder(home),
        # Without grace: it keeps nothing, and would wait for the requests under way.
        running(sys.executable, "-m", "ministack", environment=_environment(home, port), log=log, grace=0) as process,
    ):
        ready = asyncio.create_task(_become_ready(address))
        gone = asyncio.create_task(process.wait())
        await asyncio.wait({ready, gone}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if not ready.done():
            ready.cancel()
            raise NotStarted(f"The AWS emulator does not start: {last_words(log)} (all of it: {log})")
        yield address


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as candidate:
        candidate.bind((LOOPBACK, 0))
        return int(candidate.getsockname()[1])


def _environment(home: Home, port: int) -> dict[str, str]:
    """Only the emulator's settings and what it cannot do without, because functions inherit it."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home.scratch),
        "TMPDIR": str(home.scratch),
        "LANG": "C.UTF-8",
        "PYTHONUTF8": "1",
        "BIND_HOST": LOOPBACK,
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": REGION,
        "AUTH": "true",
        # These two would listen on every address of the machine.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
    }


async def _become_ready(address: str) -> None:
    async with ClientSession() as client:
        while True:
            with contextlib.suppress(ClientError):
                async with client.get(f"{address}/_ministack/ready") as reply:
                    if reply.ok:
                        return
            await asyncio.sleep(0.1)
