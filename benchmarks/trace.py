"""What code of ours one warm miss runs: `python -m benchmarks.trace`, in a process of its own.

The handler is asked for one text that nobody knows, between the fake AWS and the fake vendor, after a few others.
Every call of a Python function under functions/ is counted; lambdas and generator expressions are functions too, and
a coroutine counts once more each time it is resumed. Other comprehensions are not calls, as since Python 3.12.
"""

import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import CodeType, FrameType

from benchmarks import stage
from benchmarks.processes import ROOT, fakes, python_environment
from benchmarks.warm_function import invoke, silence

OURS = str(ROOT / "functions")
REQUESTS = 4
"""The last of them is warm, and is counted."""
INLINED = {"<listcomp>", "<dictcomp>", "<setcomp>"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Counts of what ran; `calls_by_file` are paths below functions/, most called first."""

    functions: int
    calls_by_file: dict[str, int]

    @property
    def files(self) -> int:
        return len(self.calls_by_file)

    @property
    def calls(self) -> int:
        return sum(self.calls_by_file.values())


def trace_miss() -> Trace:
    """Of one warm `POST /v1/embeddings` with one text."""
    with fakes() as addresses:
        environment = {**python_environment(), **stage.environment(addresses)}
        command = [sys.executable, "-m", "benchmarks.trace"]
        done = subprocess.run(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return Trace(**json.loads(done.stdout))


def count_calls(run: Callable[[int], object], runs: int) -> Counter[CodeType]:
    """Calls of our functions in the last of so many runs, numbered from 0, in whatever thread these started."""
    calls: Counter[CodeType] = Counter()

    def note(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(OURS) and code.co_name not in INLINED:
            calls[code] += 1

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        for number in range(runs):
            calls.clear()
            run(number)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return calls


def summarise(calls: Counter[CodeType]) -> Trace:
    """By file."""
    by_file: Counter[str] = Counter()
    for code, count in calls.items():
        by_file[str(Path(code.co_filename).relative_to(OURS))] += count
    return Trace(functions=len(calls), calls_by_file=dict(by_file.most_common()))


def _trace_here() -> Trace:
    from api import handler  # noqa: PLC0415  (it is built for the environment it finds when it is imported)

    def ask(number: int) -> None:
        answer = invoke(handler, stage.event(stage.body(stage.texts(1, number, "base64"), "base64")))
        if answer["headers"].get("x-gateway-cache-misses") != "1":
            raise RuntimeError(f"What was to be a miss was answered {answer}.")

    return summarise(count_calls(ask, REQUESTS))


if __name__ == "__main__":
    report = silence()
    print(json.dumps(asdict(_trace_here())), file=report, flush=True)
