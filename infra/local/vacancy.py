"""Whether there is room for a local stack: `python -m infra.local.vacancy [--port N]` says why not, if not.

It uses nothing but Python itself, so that `make run` can ask before it installs anything.
"""

import argparse
import contextlib
import errno
import fcntl
import socket
import sys
from collections.abc import Iterator

from infra.local.failures import NotStarted
from infra.local.places import LOOPBACK, ROOT, Home

HIGHEST_PORT = 65535


@contextlib.contextmanager
def alone(home: Home) -> Iterator[None]:
    """Reserves a folder for one stack while the context lasts; raises `NotStarted` if another uses it."""
    home.path.mkdir(parents=True, exist_ok=True)
    with home.lock.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise NotStarted(_say_who_is_there(home)) from error
        yield


def _say_who_is_there(home: Home) -> str:
    if home.gateway_env.exists():
        return f"The local stack of {home.path} is running already: {home.gateway_env} says where."
    return f"Another local stack is just starting or stopping in {home.path}: try again in a few seconds."


def read_port(text: str) -> int:
    """The port that a developer named; raises `NotStarted` if that is not a port number."""
    if text.isdecimal() and text.isascii() and 1 <= int(text) <= HIGHEST_PORT:
        return int(text)
    raise NotStarted(f"{text!r} is no port: choose one from 1 to {HIGHEST_PORT}, such as `make run PORT=8080`.")


def check_port(port: int) -> None:
    """Raises `NotStarted` if another program has the port of the front door."""
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((LOOPBACK, port))
        except OSError as error:
            why = (
                "is taken by another program"
                if error.errno == errno.EADDRINUSE
                else f"cannot be had ({error.strerror})"
            )
            raise NotStarted(f"Port {port} {why}: choose another with `make run PORT={_neighbour(port)}`.") from error


def _neighbour(port: int) -> int:
    return port + 1 if port < HIGHEST_PORT else port - 1


def main() -> int:
    """0 if a stack can be started in .local, at that port; else 1."""
    parser = argparse.ArgumentParser(prog="python -m infra.local.vacancy", description="Is there room for a stack?")
    parser.add_argument("--port", default="8080", help="where the front door would be (default: %(default)s)")
    try:
        port = read_port(parser.parse_args().port)
        with alone(Home(ROOT / ".local")):
            check_port(port)
    except NotStarted as trouble:
        print(trouble, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
