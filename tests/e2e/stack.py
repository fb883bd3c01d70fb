"""The stack that `sam build` and `sam deploy` made on this machine: the running one, or one for the tests alone."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import boto3

from infra.local.emulator import free_port
from infra.local.places import REGION, ROOT, ROOT_IDENTITY, Home
from infra.local.programs import last_words
from infra.local.sam import read_outputs, sources_digest

PATIENCE = 900.0
"""Seconds the stack has to be built for the first time, on a slow machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Where the deployed gateway is, for its callers and for its operators."""

    base_url: str
    api_key: str
    model: str
    endpoint: str
    """Where its AWS is."""
    home: Path
    """Where it keeps its files; what its parts say is in `logs`."""
    sources: str
    """The digest of what it was built from."""

    @property
    def outputs(self) -> Mapping[str, str]:
        """The outputs of the deployed stack, by name."""
        return read_outputs(self.endpoint)

    def client(self, service: str) -> Any:
        """A client of boto3 (which has no types) for one AWS service, with the root user's rights."""
        session: Any = boto3.Session(
            ROOT_IDENTITY["AWS_ACCESS_KEY_ID"], ROOT_IDENTITY["AWS_SECRET_ACCESS_KEY"], region_name=REGION
        )
        return session.client(service, endpoint_url=self.endpoint)


@contextlib.contextmanager
def deployed_stack() -> Iterator[Stack]:
    """The stack of `make run`, if it runs what the sources are now; else one that goes when the context ends."""
    if (running := _find(Home(ROOT / ".local"))) and running.sources == sources_digest():
        yield running
        return
    home = Home(ROOT / ".local" / "e2e")
    with _started(home) as process:
        yield _await(home, process)


def read_gateway_env(home: Home) -> dict[str, str]:
    """BASE_URL, API_KEY and MODEL of the stack that runs in that folder."""
    lines = home.gateway_env.read_text(encoding="utf-8").splitlines()
    return dict(line.removeprefix("export ").split("=", 1) for line in lines)


def _find(home: Home) -> Stack | None:
    """The stack that runs in that folder, if one does."""
    try:
        gateway = read_gateway_env(home)
        place = json.loads(home.stack_json.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    stack = Stack(
        base_url=gateway["BASE_URL"],
        api_key=gateway["API_KEY"],
        model=gateway["MODEL"],
        endpoint=place["endpoint"],
        home=home.path,
        sources=place["sources"],
    )
    return stack if _answers(stack) else None


def _answers(stack: Stack) -> bool:
    request = Request(f"{stack.base_url}/v1/models", headers={"Authorization": f"Bearer {stack.api_key}"})
    try:
        with urlopen(request, timeout=30):
            return True
    except URLError:
        return False


@contextlib.contextmanager
def _started(home: Home) -> Iterator[subprocess.Popen[bytes]]:
    log = home.log("stack")
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "infra.local", "--port", str(free_port()), "--home", str(home.path)]
    with (
        log.open("wb") as output,
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()


def _await(home: Home, process: subprocess.Popen[bytes]) -> Stack:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        if home.gateway_env.exists() and (stack := _find(home)):
            return stack
        time.sleep(0.2)
    raise RuntimeError(f"The stack does not start: {last_words(home.log('stack'))}")
