"""What a measurement says in its one line."""

from collections.abc import Sequence

from benchmarks import cold_start, warm
from benchmarks.runtime import ColdStart
from benchmarks.warm_function import Cost


def starts(*totals: float) -> Sequence[ColdStart]:
    return [ColdStart(init_ms=total - 10, answer_ms=10, cpu_ms=total / 2, peak_mb=50) for total in totals]


def cost(cpu: float) -> Cost:
    return Cost(cpu_ms=cpu, wall_ms=cpu, runtime_cpu_ms=0, peak_mb=60)


def test_a_cold_start_is_told_as_a_ratio_to_its_neighbour_in_time() -> None:
    results = {"bare": starts(100, 400, 100), "gateway-base64": starts(120, 480, 110)}

    line = cold_start.summary(results)

    assert line.startswith("cold_start: total / bare FastAPI + Mangum: gateway-base64 1.20 ")
    assert line.endswith("peak 50 MB (target 80)")
    assert "\n" not in line


def test_without_bare_only_times_are_told() -> None:
    line = cold_start.summary({"empty": starts(30)})

    assert line == "cold_start: empty 30 ms; peak 0 MB (target 80)"


def test_warm_requests_are_told_as_ratios_with_their_targets() -> None:
    results = {case.name: [cost(1), cost(2)] for case in warm.CASES}
    results |= {case.like_plain: [cost(4), cost(4)] for case in warm.CASES}

    line = warm.summary(results, single_peak=55)

    assert line.startswith("warm: own CPU / plain FastAPI + httpx: 1 base64, vendor 0.38 (target 0.54), ")
    assert line.endswith("peak 55 MB after single requests (target 80), 60 MB after all")
    assert "\n" not in line
