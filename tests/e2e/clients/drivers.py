"""Starts a client's driver, tells it what to embed, and reads what its user would have got."""

import json
import os
import subprocess
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.e2e.clients.environments import ROOT, Environments
from tests.e2e.clients.relay import Exchange, Relay


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A driver: its environment (`established`, `newest` or `javascript`), its file, and the words it starts with."""

    environment: str
    name: str
    words: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """A short name for files and test reports."""
        return "-".join((self.name, self.environment, *self.words))

    def command(self, environments: Environments) -> Sequence[str | Path]:
        """What to run, from the root of the repository."""
        if self.environment == "javascript":
            return (environments.node, environments.javascript / f"{self.name}.mjs", *self.words)
        module = f"tests.e2e.clients.python.{self.name}"
        return (environments.python(self.environment), "-m", module, *self.words)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientError:
    """An error in the client's own words."""

    kind: str
    """Its class."""
    status: int | None
    message: str
    code: str | None
    type: str | None
    param: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one call of a client came to: vectors, names or an error, and the exchanges it took."""

    # Any: what a client hands out, numbers or (with an explicit encoding) text.
    vectors: list[Any]
    usage: int | None
    names: Sequence[str]
    error: ClientError | None
    elapsed: float
    """Seconds."""
    exchanges: tuple[Exchange, ...]


class Driver:
    """A running client that reaches the stack through a relay of its own."""

    def __init__(self, program: Program, environments: Environments, upstream: str, log: Path) -> None:
        self._relay = Relay(upstream)
        self._command = program.command(environments)
        self._environment = os.environ | {"TIKTOKEN_CACHE_DIR": str(environments.tiktoken_vocabularies)}
        self._log = log

    def __enter__(self) -> Self:
        self._relay.__enter__()
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.version: str = self._read()["version"]
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()
        self._process.wait()
        assert self._process.stdout
        self._process.stdout.close()
        self._relay.__exit__()

    def finish(self) -> None:
        """Tell the client that nothing more will come."""
        assert self._process.stdin
        self._process.stdin.close()

    def embed(self, **command: Any) -> Outcome:
        """Embed `input` with `model` and `key`; more fields as in `python/protocol.py`.

        `path`, if given, stands between the gateway's address and what the client adds to it.
        """
        return self._do("embed", **command)

    def models(self, **command: Any) -> Outcome:
        """Ask which models there are, and for `model`, with `key`: their names."""
        return self._do("models", **command)

    def _do(self, operation: str, *, path: str = "", retry: bool = True, **command: Any) -> Outcome:
        self._relay.take()
        self._write({"do": operation, "origin": self._relay.origin + path, "retry": retry, **command})
        result = self._read()
        return Outcome(
            vectors=result.get("vectors", []),
            usage=result.get("usage"),
            names=result.get("names", ()),
            error=_client_error(result.get("error")),
            elapsed=result["elapsed"],
            exchanges=self._relay.take(),
        )

    def _write(self, message: dict[str, Any]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"The client's driver ended:\n{self._log.read_text()}")
        message: dict[str, Any] = json.loads(line)
        return message


class Drivers:
    """Clients that run until the tests end, each started when it is first needed."""

    def __init__(self, environments: Environments, upstream: str, logs: Path) -> None:
        self._environments, self._upstream, self._logs = environments, upstream, logs
        self._running: dict[Program, Driver] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for driver in self._running.values():
            driver.finish()
        for driver in self._running.values():
            driver.__exit__()

    def __getitem__(self, program: Program) -> Driver:
        self.start([program])
        return self._running[program]

    def start(self, programs: Iterable[Program], *, at_once: int = 1) -> None:
        """Start those that do not run yet."""
        missing = [program for program in programs if program not in self._running]
        with ThreadPoolExecutor(max_workers=at_once) as pool:
            self._running |= dict(zip(missing, pool.map(self._start, missing), strict=True))

    def _start(self, program: Program) -> Driver:
        log = self._logs / f"{program.id}.log"
        return Driver(program, self._environments, self._upstream, log).__enter__()


def _client_error(error: dict[str, Any] | None) -> ClientError | None:
    if error is None:
        return None
    return ClientError(kind=error.pop("class"), **error)
