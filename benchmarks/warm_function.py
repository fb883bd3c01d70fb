"""A warm API function in a process of its own: `python -m benchmarks.warm_function`, told what to do line by line.

Each line of standard input is a `Task`; each answer is a line with what it cost, `Cost`. The handler is called as
Lambda's runtime calls it, with the event as JSON outside of it; its log goes to /dev/null.
"""

import itertools
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from types import SimpleNamespace
from typing import Any, TextIO

from awslambdaric.lambda_runtime_marshaller import to_json

from benchmarks import stage
from benchmarks.processes import peak_mb

OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """So many requests, one after the other. `fresh` says that no text was ever asked for before."""

    requests: int
    inputs: int
    encoding: str
    fresh: bool
    hits: int | None
    """How many inputs of each request must be answered from the cache; `None` for any number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Milliseconds per request: of the handler (this process' CPU, and by the clock), and of the runtime's JSON."""

    cpu_ms: float
    wall_ms: float
    runtime_cpu_ms: float
    peak_mb: float


def main() -> None:
    """Carry out tasks until there are none."""
    report = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    _serve(report)


def _serve(report: TextIO) -> None:
    from api import handler  # noqa: PLC0415  (it is built for the environment it finds when it is imported)

    numbers = itertools.count()
    for line in sys.stdin:
        cost = _carry_out(handler, Task(**json.loads(line)), numbers)
        print(json.dumps(asdict(cost)), file=report, flush=True)


def _carry_out(handler: Any, task: Task, numbers: Iterator[int]) -> Cost:
    events = [json.dumps(stage.event(_body(task, numbers))) for _ in range(task.requests)]
    context = SimpleNamespace(aws_request_id="c6af9ac6-7b61-11e6-9a41-93e8deadbeef")
    cpu = wall = runtime = 0.0
    for text in events:
        at_start = time.process_time()
        event = json.loads(text)
        before, clock = time.process_time(), time.perf_counter()
        answer = handler(event, context)
        after, wall = time.process_time(), wall + time.perf_counter() - clock
        to_json(answer)
        runtime += time.process_time() - after + before - at_start
        cpu += after - before
        _check(task, answer)
    cpu, wall, runtime = (seconds * 1000 / task.requests for seconds in (cpu, wall, runtime))
    return Cost(cpu_ms=cpu, wall_ms=wall, runtime_cpu_ms=runtime, peak_mb=peak_mb(os.getpid()))


def _body(task: Task, numbers: Iterator[int]) -> str:
    return stage.body(texts(task.inputs, next(numbers) if task.fresh else 0, task.encoding), task.encoding)


def texts(inputs: int, number: int, kind: str) -> list[str]:
    """Sentences that no other number and kind has."""
    return [f"Sentence {place} of request {number} for {inputs} {kind} vectors." for place in range(inputs)]


def _check(task: Task, answer: dict[str, Any]) -> None:
    """Raises unless the answer is good, and came from where the task says."""
    hits = answer["headers"].get("x-gateway-cache-hits")
    if answer["statusCode"] != OK or task.hits not in {None, int(hits)}:
        raise RuntimeError(f"{task} was answered {answer['statusCode']} {answer['headers']} {answer['body'][:300]}")


if __name__ == "__main__":
    main()
