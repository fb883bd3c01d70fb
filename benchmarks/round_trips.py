"""How long a warm request waits for AWS: by the clock, with 5 ms of latency added to every call to AWS.

    python -m benchmarks.round_trips [--rounds 9]

What can be asked at the same time costs the latency once. So the line says how many round trips stand one behind
another, and which calls share one; the fake AWS notes when each began and ended. The vendor answers at once.
"""

import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.aws_controls import AwsControls, Call
from benchmarks.cases import HIT, MISS, Case
from benchmarks.options import read_rounds
from benchmarks.processes import fakes
from benchmarks.subjects import Function, warm_function
from benchmarks.targets import Summary

LATENCY = 0.005
"""Seconds."""
REQUESTS = 10
"""Per case and round, each with and without latency."""
CASES = (MISS, HIT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """One request: milliseconds by the clock without latency and with it, and the calls of the latter."""

    at_once_ms: float
    late_ms: float
    calls: Sequence[Call]


def measure(rounds: int) -> Summary:
    return summarise(run(rounds))


def run(rounds: int) -> dict[Case, list[Wait]]:
    """Requests by case, interleaved, with and without latency in turn."""
    results: dict[Case, list[Wait]] = defaultdict(list)
    with fakes() as addresses, warm_function(addresses) as function:
        aws = AwsControls(addresses.aws)
        for case in CASES:
            function.carry_out(case)
        for case in CASES * REQUESTS * rounds:
            results[case].append(_wait(function, aws, case))
    return dict(results)


def summarise(results: Mapping[Case, Sequence[Wait]]) -> Summary:
    """Milliseconds and round trips of each case."""
    return Summary(
        measurement=f"round_trips: {LATENCY * 1000:g} ms for every call to AWS",
        besides=[_describe(case, waits) for case, waits in results.items()],
    )


def in_series(calls: Sequence[Call]) -> list[list[Call]]:
    """Calls by the round trip that they share; a round trip begins when one of those before has ended."""
    trips: list[list[Call]] = []
    for call in sorted(calls, key=lambda call: call.begun):
        if not trips or call.begun >= min(before.ended for before in trips[-1]):
            trips.append([])
        trips[-1].append(call)
    return trips


def _wait(function: Function, aws: AwsControls, case: Case) -> Wait:
    at_once = function.carry_out(case, requests=1)
    aws.set_latency(LATENCY)
    aws.take_calls()
    late = function.carry_out(case, requests=1)
    calls = aws.take_calls()
    aws.set_latency(0)
    return Wait(at_once_ms=at_once.wall_ms, late_ms=late.wall_ms, calls=calls)


def _describe(case: Case, waits: Sequence[Wait]) -> str:
    at_once, late = (statistics.median(getattr(wait, field) for wait in waits) for field in ("at_once_ms", "late_ms"))
    # A few requests also refresh caches; the most common sequence counts.
    ((usual, _),) = Counter(_sequence(wait.calls) for wait in waits).most_common(1)
    return f"{case.name} {late:.1f} ms ({at_once:.1f} without), {len(usual)} in series ({', then '.join(usual)})"


def _sequence(calls: Sequence[Call]) -> tuple[str, ...]:
    """The operations of each round trip, such as `("BatchGetItem + UpdateItem", "BatchWriteItem")`."""
    return tuple(" + ".join(sorted(call.operation for call in trip)) for trip in in_series(calls))


if __name__ == "__main__":
    print(measure(read_rounds(__doc__)))
