"""`python -m infra.local [--port N] [--home FOLDER]`: runs the local stack in the foreground."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from infra.local.failures import NotStarted
from infra.local.places import ROOT, Home
from infra.local.screen import say_trouble
from infra.local.stack import serve
from infra.local.vacancy import read_port


def main() -> int:
    """Runs the stack until Ctrl-C or SIGTERM; 0 if it ran, 1 if it could not start."""
    options = _parse()
    try:
        asyncio.run(_serve_until_stopped(Home(options.home.resolve()), read_port(options.port)))
    except NotStarted as trouble:
        say_trouble(str(trouble))
        return 1
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.local", description="Runs the gateway on this machine.")
    parser.add_argument("--port", default="8080", help="where the front door is (default: %(default)s)")
    parser.add_argument("--home", type=Path, default=ROOT / ".local", help="the folder for its files (default: .local)")
    return parser.parse_args()


async def _serve_until_stopped(home: Home, port: int) -> None:
    serving = asyncio.create_task(serve(home, port))

    def stop() -> None:
        if not serving.cancelling():  # a second Ctrl-C must not interrupt the cleaning up
            serving.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        await serving
    except asyncio.CancelledError:
        return


if __name__ == "__main__":
    sys.exit(main())
