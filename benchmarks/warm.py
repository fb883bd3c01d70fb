"""What a warm request costs: own CPU, time and memory, beside plain FastAPI + httpx on the same upstream.

    python -m benchmarks.warm [--rounds 9]

The gateway's handler is called with API Gateway's events; plain FastAPI + httpx stands under uvicorn and is asked over
HTTP. AWS and the vendor are fakes in other processes on loopback and answer at once. CPU is that of the process
itself. One case follows the other, round after round; the medians are printed.
"""

import argparse
import http.client
import json
import statistics
import subprocess
import sys
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

from benchmarks import stage
from benchmarks.processes import ROOT, cpu_ms, fakes, peak_mb, python_environment, server
from benchmarks.warm_function import Cost, Task, texts

REQUESTS = {1: 50, 64: 8}
"""In one go, by the inputs of each."""
ROUNDS_TO_WARM_UP = 3
OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One kind of request. `answered_by` is "memory", "dynamodb" or "vendor" (a miss)."""

    inputs: int
    encoding: str
    answered_by: str

    @property
    def name(self) -> str:
        """Such as `64 float, vendor`."""
        return f"{self.inputs} {self.encoding}, {self.answered_by}"

    @property
    def like_plain(self) -> str:
        """The same request's name where nothing is cached."""
        return f"{self.inputs} {self.encoding}, plain"

    def task(self) -> Task:
        """For the function's process."""
        return Task(
            requests=REQUESTS[self.inputs],
            inputs=self.inputs,
            encoding=self.encoding,
            fresh=self.answered_by != "memory",
            hits=0 if self.answered_by == "vendor" else self.inputs,
        )

    def remember(self) -> Task:
        """Puts into memory what memory is to answer, if it is not there any more."""
        return Task(requests=1, inputs=self.inputs, encoding=self.encoding, fresh=False, hits=None)


CASES = [
    Case(inputs=inputs, encoding=encoding, answered_by=answered_by)
    for inputs in REQUESTS
    for encoding in ("base64", "float")
    for answered_by in ("vendor", "dynamodb", "memory")
]
TARGETS = {
    # case, and its share of plain's CPU
    Case(inputs=1, encoding="base64", answered_by="vendor"): 0.54,
    Case(inputs=64, encoding="float", answered_by="vendor"): 0.40,
    Case(inputs=64, encoding="base64", answered_by="dynamodb"): 0.58,
}
KNOWN = {"memory": "none", "dynamodb": "every", "vendor": "none"}
"""What the fake DynamoDB knows, by who answers."""

Results = dict[str, list[Cost]]


def main() -> None:
    """Measure, and print a table and one line that sums it up."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=9)
    results, single_peak = run(parser.parse_args().rounds)
    for name, costs in results.items():
        print(_row(name, costs))
    print(summary(results, single_peak))


def run(rounds: int) -> tuple[Results, float]:
    """Costs by case, interleaved, and the function's peak memory in MB after single requests alone."""
    results: Results = defaultdict(list)
    with (
        fakes() as addresses,
        server("benchmarks.plain", f"{addresses.vendor}/v1") as (pid, url),
        _function(addresses) as function,
    ):
        plain = Plain(pid, url)
        single_peak = _warm_up(function, addresses, plain)
        for _ in range(rounds):
            _run_round(function, addresses, plain, results)
    return dict(results), single_peak


def summary(results: Mapping[str, Sequence[Cost]], single_peak: float) -> str:
    """One line, ratios first."""
    ratios = [f"{case.name} {_ratio(results, case):.2f} (target {target})" for case, target in TARGETS.items()]
    costs = [
        f"{name} {_median([cost.cpu_ms for cost in results[name]]):.2f} ms"
        for case in TARGETS
        for name in (case.name, case.like_plain)
    ]
    peak = max(cost.peak_mb for case in CASES for cost in results[case.name])
    memory = f"peak {single_peak:.0f} MB after single requests (target 80), {peak:.0f} MB after all"
    return f"warm: own CPU / plain FastAPI + httpx: {', '.join(ratios)}; {', '.join(costs)}; {memory}"


class Function:
    """The warm function's process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def carry_out(self, task: Task) -> Cost:
        """What it cost."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(asdict(task)), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"The function's process ended at {task}.")
        return Cost(**json.loads(line))


class Plain:
    """The plain server, asked over one connection."""

    def __init__(self, pid: int, url: str) -> None:
        self._pid = pid
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc)

    def carry_out(self, case: Case) -> Cost:
        """What it cost: its own CPU, and the time between question and answer."""
        requests = REQUESTS[case.inputs]
        body = stage.body(texts(case.inputs, 0, case.encoding), case.encoding).encode()
        cpu, clock = cpu_ms(self._pid), time.perf_counter()
        for _ in range(requests):
            self._ask(body)
        wall, cpu = (time.perf_counter() - clock) * 1000, cpu_ms(self._pid) - cpu
        return Cost(cpu_ms=cpu / requests, wall_ms=wall / requests, runtime_cpu_ms=0, peak_mb=peak_mb(self._pid))

    def _ask(self, body: bytes) -> None:
        self._connection.request("POST", "/v1/embeddings", body, {"content-type": "application/json"})
        reply = self._connection.getresponse()
        text = reply.read()
        if reply.status != OK:
            raise RuntimeError(f"Plain answered {reply.status} {text[:300]!r}")


def _run_round(function: Function, addresses: stage.Addresses, plain: Plain, results: Results) -> None:
    for case in CASES:
        results[case.name].append(_carry_out(case, function, addresses))
        if case.answered_by == "vendor":
            results[case.like_plain].append(plain.carry_out(case))


def _carry_out(case: Case, function: Function, addresses: stage.Addresses) -> Cost:
    _let_cache_know(addresses, KNOWN[case.answered_by])
    if case.answered_by == "memory":
        function.carry_out(case.remember())
    return function.carry_out(case.task())


def _warm_up(function: Function, addresses: stage.Addresses, plain: Plain) -> float:
    """Every case a few times, single requests first: the function's peak memory after these."""
    for case in CASES:
        plain.carry_out(case)
    peaks = {
        inputs: [
            _carry_out(case, function, addresses).peak_mb for case in CASES * ROUNDS_TO_WARM_UP if case.inputs == inputs
        ]
        for inputs in REQUESTS
    }
    return max(peaks[1])


def _let_cache_know(addresses: stage.Addresses, what: str) -> None:
    with urllib.request.urlopen(f"{addresses.aws}/_cache?knows={what}", data=b"") as reply:
        reply.read()


@contextmanager
def _function(addresses: stage.Addresses) -> Iterator[Function]:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.warm_function"],
        env={**python_environment(), **stage.environment(addresses)},
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Function(process)
    finally:
        process.terminate()
        process.wait()


def _row(name: str, costs: Sequence[Cost]) -> str:
    cpu, wall, runtime = (
        _median([getattr(cost, field) for cost in costs]) for field in ("cpu_ms", "wall_ms", "runtime_cpu_ms")
    )
    besides = f", and {runtime:.2f} ms of the runtime's JSON" if runtime else ""
    return f"{name}: own CPU {cpu:.2f} ms, {wall:.2f} ms by the clock{besides}"


def _ratio(results: Mapping[str, Sequence[Cost]], case: Case) -> float:
    """Median of the ratios of neighbours: what slows the machine down for a while slows both."""
    pairs = zip(results[case.name], results[case.like_plain], strict=True)
    return _median([ours.cpu_ms / plain.cpu_ms for ours, plain in pairs])


def _median(values: Sequence[float]) -> float:
    return statistics.median(values)


if __name__ == "__main__":
    main()
