"""One cold start under AWS's Lambda Runtime Interface Emulator, which SAM's command carries.

The emulator starts the runtime (`awslambdaric`, as Lambda does) when the first event comes, and writes down how long
it took until the runtime asked for the event, and how long until it had answered it.
https://github.com/aws/aws-lambda-runtime-interface-emulator
"""

import json
import platform
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.processes import children, cpu_ms, free_port, peak_mb, wait_until_listening

INIT = re.compile(r"INIT REPORT\(durationMs: ([\d.]+)\)")
ANSWER = re.compile(r"INVOKE RTDONE\(status: success.*duration: ([\d.]+)ms\)")
OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Artefact:
    """What would be at /var/task: a folder and the handler in it."""

    folder: Path
    handler: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ColdStart:
    """What one cold start took. CPU is the runtime process' own; peak is its most resident memory."""

    init_ms: float
    answer_ms: float
    cpu_ms: float
    peak_mb: float

    @property
    def total_ms(self) -> float:
        """Process start to first answer."""
        return self.init_ms + self.answer_ms


def measure(
    artefact: Artefact, runtime: Path, environment: Mapping[str, str], event: object
) -> tuple[ColdStart, dict[str, Any]]:
    """A cold start, and its answer's JSON; raises `RuntimeError` unless it is a 200."""
    with tempfile.TemporaryFile() as log, _emulator(artefact, runtime, environment, log.fileno()) as (pid, url):
        answer = _invoke(url, event)
        log.seek(0)
        text = log.read().decode()
        if answer.get("statusCode") != OK:
            raise RuntimeError(f"The first answer of {artefact.folder.name} is {answer}; its log:\n{text}")
        (process,) = children(pid)
        cpu, peak = cpu_ms(process), peak_mb(process)
    init, first = (float(_only(pattern, text)) for pattern in (INIT, ANSWER))
    return ColdStart(init_ms=init, answer_ms=first, cpu_ms=cpu, peak_mb=peak), answer


def base_python() -> str:
    """The interpreter behind the virtual environment."""
    base: str = getattr(sys, "_base_executable", sys.executable)
    return base


@contextmanager
def _emulator(artefact: Artefact, runtime: Path, environment: Mapping[str, str], log: int) -> Iterator[tuple[int, str]]:
    port = free_port()
    process = subprocess.Popen(
        [
            *(str(_emulator_path()), "--log-level", "debug"),
            *("--runtime-interface-emulator-address", f"127.0.0.1:{port}"),
            *("--runtime-api-address", f"127.0.0.1:{free_port()}"),
            # Lambda's Python knows /var/runtime and /var/task, and nothing of this checkout: hence -S.
            *(base_python(), "-S", "-m", "awslambdaric", artefact.handler),
        ],
        cwd=artefact.folder,
        env={
            **environment,
            "PYTHONPATH": str(runtime),
            "LAMBDA_TASK_ROOT": str(artefact.folder),
            "LANG": "en_US.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",  # /var/task is read-only
        },
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
    )
    try:
        wait_until_listening(process, port)
        yield process.pid, f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations"
    finally:
        process.terminate()
        process.wait()


def _invoke(url: str, event: object) -> dict[str, Any]:
    request = urllib.request.Request(url, data=json.dumps(event).encode(), method="POST")
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            answer: dict[str, Any] = json.loads(reply.read())
            return answer
    except urllib.error.HTTPError as error:  # the runtime did not start
        return {"statusCode": error.code}


def _emulator_path() -> Path:
    package = find_spec("samcli")
    assert package is not None
    assert package.origin is not None
    machine = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"
    return Path(package.origin).parent / "local" / "rapid" / f"aws-lambda-rie-{machine}"


def _only(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    if match is None:
        raise RuntimeError(f"The emulator did not say {pattern.pattern!r}:\n{text}")
    return match[1]
