"""A warm API function in a process of its own: `python -m benchmarks.warm_function`.

Each line of standard input is a `Task`; each answer is a line with what it cost, `Cost`. The handler is called as
Lambda's runtime calls it, with the event as JSON outside of it; its log goes to /dev/null.
"""

import itertools
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any, TextIO

from awslambdaric.lambda_runtime_marshaller import to_json

from benchmarks import stage
from benchmarks.cases import Cost, Task
from benchmarks.processes import peak_mb

OK = 200


def main() -> None:
    """Carry out tasks until there are none."""
    report = silence()
    from api import handler  # noqa: PLC0415  (it is built for the environment it finds when it is imported)

    numbers = itertools.count()
    for line in sys.stdin:
        cost = _carry_out(handler, Task(**json.loads(line)), numbers)
        print(json.dumps(asdict(cost)), file=report, flush=True)


def silence() -> TextIO:
    """The original standard output; from now on the handler's log goes to /dev/null."""
    report = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return report


def invoke(handler: Any, event: object) -> dict[str, Any]:  # Any: whatever API Gateway is answered
    """Call the handler as Lambda does."""
    context = SimpleNamespace(aws_request_id="c6af9ac6-7b61-11e6-9a41-93e8deadbeef")
    answer: dict[str, Any] = handler(event, context)
    return answer


def _carry_out(handler: Any, task: Task, numbers: Iterator[int]) -> Cost:
    events = [json.dumps(stage.event(_body(task, numbers))) for _ in range(task.requests)]
    cpu = wall = runtime = 0.0
    for text in events:
        at_start = time.process_time()
        event = json.loads(text)
        before, clock = time.process_time(), time.perf_counter()
        answer = invoke(handler, event)
        after, wall = time.process_time(), wall + time.perf_counter() - clock
        to_json(answer)
        runtime += time.process_time() - after + before - at_start
        cpu += after - before
        _check(task, answer)
    cpu, wall, runtime = (seconds * 1000 / task.requests for seconds in (cpu, wall, runtime))
    return Cost(cpu_ms=cpu, wall_ms=wall, runtime_cpu_ms=runtime, peak_mb=peak_mb(os.getpid()))


def _body(task: Task, numbers: Iterator[int]) -> str:
    return stage.body(stage.texts(task.inputs, next(numbers) if task.fresh else 0, task.encoding), task.encoding)


def _check(task: Task, answer: dict[str, Any]) -> None:
    """Raises unless the answer is good, and came from where the task says."""
    hits = answer["headers"].get("x-gateway-cache-hits")
    if answer["statusCode"] != OK or task.hits not in {None, int(hits)}:
        raise RuntimeError(f"{task} was answered {answer['statusCode']} {answer['headers']} {answer['body'][:300]}")


if __name__ == "__main__":
    main()
