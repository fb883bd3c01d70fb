"""What a warm request costs: own CPU, time and memory, beside plain FastAPI + httpx on the same upstream.

    python -m benchmarks.warm [--rounds 9]

The gateway's handler is called with API Gateway's events; plain FastAPI + httpx stands under uvicorn and is asked over
HTTP. AWS and the vendor are fakes in other processes on loopback and answer at once. CPU is that of the process
itself. One case follows the other, round after round; the medians are printed.
"""

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing

from benchmarks.aws_controls import AwsControls
from benchmarks.cases import BASE64_64_HITS, FLOAT_64_MISS, HIT, MISS, REQUESTS, Case, Cost
from benchmarks.options import read_rounds
from benchmarks.processes import fakes, server
from benchmarks.subjects import Function, Server, warm_function
from benchmarks.targets import Summary, Target

ROUNDS_TO_WARM_UP = 3
CASES = [
    Case(inputs=inputs, encoding=encoding, answered_by=answered_by)
    for inputs in REQUESTS
    for encoding in ("base64", "float")
    for answered_by in ("vendor", "dynamodb", "memory")
]
MAX_RATIOS = {MISS: 1.75, HIT: 0.85, FLOAT_64_MISS: 0.40, BASE64_64_HITS: 0.65}
"""Own CPU / plain's for the same request; plain always asks the vendor."""
MAX_PEAK = 80
"""Megabytes after single requests."""

Results = dict[str, list[Cost]]


def measure(rounds: int) -> Summary:
    """Measure, and print a table."""
    results, single_peak = run(rounds)
    for name, costs in results.items():
        print(_row(name, costs))
    return summarise(results, single_peak)


def run(rounds: int) -> tuple[Results, float]:
    """Costs by case, interleaved, and the function's peak memory in MB after single requests alone."""
    results: Results = defaultdict(list)
    with (
        fakes() as addresses,
        server("benchmarks.plain", f"{addresses.vendor}/v1") as (pid, url),
        closing(Server(pid, url)) as plain,
        warm_function(addresses) as function,
    ):
        aws = AwsControls(addresses.aws)
        single_peak = _warm_up(function, plain)
        for _ in range(rounds):
            _run_round(function, plain, results)
            aws.take_calls()
    return dict(results), single_peak


def summarise(results: Mapping[str, Sequence[Cost]], single_peak: float) -> Summary:
    """Ratios to plain FastAPI + httpx first."""
    ratios = [
        Target(name=f"{case.name} / plain", value=_ratio(results, case), at_most=most)
        for case, most in MAX_RATIOS.items()
    ]
    peak = Target(name="peak after single requests", value=single_peak, at_most=MAX_PEAK, unit=" MB")
    names = dict.fromkeys(name for case in MAX_RATIOS for name in (case.name, plain_name(case)))
    costs = [f"{name} {_median(results[name], 'cpu_ms'):.2f} ms" for name in names]
    peak_of_all = max(cost.peak_mb for case in CASES for cost in results[case.name])
    return Summary(
        measurement="warm",
        targets=[*ratios, peak],
        besides=[f"own CPU: {', '.join(costs)}", f"peak after all {peak_of_all:.0f} MB"],
    )


def plain_name(case: Case) -> str:
    """The name of the same request's cost at plain FastAPI + httpx."""
    return f"{case.request}, plain"


def _run_round(function: Function, plain: Server, results: Results) -> None:
    for case in CASES:
        results[case.name].append(function.carry_out(case))
        if case.answered_by == "vendor":
            results[plain_name(case)].append(plain.carry_out(case))


def _warm_up(function: Function, plain: Server) -> float:
    """Every case a few times, single requests first: the function's peak memory after these."""
    for case in CASES:
        plain.carry_out(case)
    peaks = {
        inputs: [function.carry_out(case).peak_mb for case in CASES * ROUNDS_TO_WARM_UP if case.inputs == inputs]
        for inputs in REQUESTS
    }
    return max(peaks[1])


def _row(name: str, costs: Sequence[Cost]) -> str:
    runtime = _median(costs, "runtime_cpu_ms")
    besides = f", and {runtime:.2f} ms of the runtime's JSON" if runtime else ""
    return (
        f"{name}: own CPU {_median(costs, 'cpu_ms'):.2f} ms, {_median(costs, 'wall_ms'):.2f} ms by the clock{besides}"
    )


def _ratio(results: Mapping[str, Sequence[Cost]], case: Case) -> float:
    """Median of the ratios of neighbours: what slows the machine down for a while slows both."""
    pairs = zip(results[case.name], results[plain_name(case)], strict=True)
    return statistics.median(ours.cpu_ms / plain.cpu_ms for ours, plain in pairs)


def _median(costs: Sequence[Cost], field: str) -> float:
    median: float = statistics.median(getattr(cost, field) for cost in costs)
    return median


if __name__ == "__main__":
    print(measure(read_rounds(__doc__)))
