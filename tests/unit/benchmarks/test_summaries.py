"""What a measurement says in its one line."""

from collections.abc import Sequence
from fractions import Fraction

from benchmarks import allowances, cold_start, estimates, peers, round_trips, sizes, warm
from benchmarks.aws_controls import Call
from benchmarks.cases import HIT, MISS, Cost
from benchmarks.peers import Pair
from benchmarks.round_trips import Wait
from benchmarks.runtime import ColdStart
from benchmarks.sizes import Function, Size
from benchmarks.targets import Summary, Target, verdict
from benchmarks.trace import Trace


def starts(*totals: float, peak: float = 50) -> Sequence[ColdStart]:
    return [ColdStart(init_ms=total - 10, answer_ms=10, cpu_ms=total / 2, peak_mb=peak) for total in totals]


def cost(cpu: float, runtime: float = 0) -> Cost:
    return Cost(cpu_ms=cpu, wall_ms=cpu, runtime_cpu_ms=runtime, peak_mb=60)


def call(operation: str, begun: float, ended: float) -> Call:
    return Call(operation=operation, begun=begun, ended=ended)


def test_a_target_that_is_met_says_by_how_much() -> None:
    assert str(Target(name="hit / bare", value=0.96123, at_most=1.02)) == "met: hit / bare 0.9612 <= 1.02"


def test_a_target_that_is_missed_stands_out() -> None:
    assert str(Target(name="peak", value=80.25, at_most=80, unit=" MB")) == "MISSED: peak 80.25 > 80 MB"


def test_a_target_is_met_at_its_very_limit() -> None:
    assert Target(name="64 float / LiteLLM", value=1 / 16, at_most=Fraction(1, 16)).is_met


def test_the_verdict_names_what_is_missed() -> None:
    hit = Target(name="hit", value=1, at_most=1.02)
    miss = Target(name="miss", value=1.3, at_most=1.2)

    line = verdict([Summary(measurement="cold_start", targets=[hit, miss]), Summary(measurement="warm", targets=[hit])])

    assert line == "targets: 2 of 3 met; MISSED: cold_start, miss"


def test_the_verdict_is_short_when_all_is_well() -> None:
    hit = Target(name="hit", value=1, at_most=1.02)

    assert verdict([Summary(measurement="cold_start", targets=[hit])]) == "targets: 1 of 1 met"


def test_a_cold_start_is_compared_with_its_neighbour_in_time() -> None:
    results = {"bare": starts(100, 400, 100), "hit": starts(110, 400, 90), "miss": starts(130, 520, 110, peak=81)}

    line = str(cold_start.summarise(results, ["hit", "miss"]))

    assert line == (
        "cold_start: met: hit / bare 1 <= 1.02; MISSED: miss / bare 1.3 > 1.2; MISSED: peak 81 > 80 MB; "
        "CPU / bare: hit 1.00, miss 1.30; bare 100 ms, hit 110 ms, miss 130 ms"
    )


def test_without_bare_only_times_are_reported() -> None:
    assert str(cold_start.summarise({"empty": starts(30)}, [])) == "cold_start: empty 30 ms"


def test_warm_requests_are_compared_with_plain_for_the_same_request() -> None:
    results = {case.name: [cost(1), cost(2)] for case in warm.CASES}
    results |= {warm.plain_name(case): [cost(2), cost(2)] for case in warm.CASES}

    summary = warm.summarise(results, single_peak=55)

    assert list(map(str, summary.targets)) == [
        "met: 1 base64, vendor / plain 0.75 <= 1.75",
        "met: 1 base64, dynamodb / plain 0.75 <= 0.85",
        "MISSED: 64 float, vendor / plain 0.75 > 0.4",
        "MISSED: 64 base64, dynamodb / plain 0.75 > 0.65",
        "met: peak after single requests 55 <= 80 MB",
    ]
    assert summary.besides[0].startswith("own CPU: 1 base64, vendor 1.50 ms, 1 base64, plain 2.00 ms, ")


def test_beside_a_peer_the_handler_is_compared_and_the_runtime_s_json_is_stated() -> None:
    results = {MISS: [Pair(ours=cost(2, runtime=1), litellm=cost(8)), Pair(ours=cost(1, runtime=1), litellm=cost(8))]}

    line = str(peers.summarise(results))

    assert line == (
        "peers: met: 1 base64 / LiteLLM 0.1875 <= 1/3; with Lambda's runtime: 1 base64 0.3125; "
        "own CPU, 1 base64: 1.50 and 8.00 ms; peak 60 and 60 MB"
    )


def test_calls_that_overlap_share_a_round_trip() -> None:
    get, update, put = call("Get", 0, 5), call("Update", 1, 6), call("Put", 5.5, 10)

    assert round_trips.in_series([put, update, get]) == [[get, update], [put]]


def test_each_call_after_another_is_a_round_trip() -> None:
    get, update = call("Get", 0, 5), call("Update", 5, 10)

    assert round_trips.in_series([get, update]) == [[get], [update]]


def test_the_usual_round_trips_are_reported() -> None:
    usual = Wait(at_once_ms=1, late_ms=6, calls=[call("Update", 0, 5), call("Get", 0.1, 5.1)])
    refreshing = Wait(at_once_ms=1, late_ms=12, calls=[call("Query", 0, 5), call("Update", 5, 10)])

    line = str(round_trips.summarise({HIT: [usual, refreshing, usual]}))

    assert line == (
        "round_trips: 5 ms for every call to AWS: 1 base64, dynamodb 6.0 ms (1.0 without), 1 in series (Get + Update)"
    )


def test_sizes_are_median_p90_and_maximum() -> None:
    functions = [Function(file="a.py", name=f"f{lines}", lines=lines) for lines in range(1, 12)]
    size = Size(file_lines=[0, 1, 100, 300, 200], functions=functions)

    summary = sizes.summarise(size, size, Trace(functions=3, calls_by_file={"a.py": 4, "b.py": 2}))

    assert summary.besides == [
        "product 601 lines; 3 files of 200 / 300 / 300 lines; 11 functions of 6 / 10 / 11 lines",
        "tests 601 lines; 3 files of 200 / 300 / 300 lines; 11 functions of 6 / 10 / 11 lines",
        "one miss runs 2 files, 3 functions, 6 calls of ours",
    ]


def test_limits_are_held_to_what_is_in_flight_and_to_all_minutes_together() -> None:
    minutes = zip(allowances.WINDOWS, (104, 100, 98, 101), strict=True)
    admitted = [(name, window, 50, used) for window, used in minutes for name in ("one item", "three shards")]

    summary = str(allowances.summarise(admitted, allowances.play(tokens=100, factor=2.0), functions=1))

    assert "met: one item: four minutes / four limits 1.008 <= 1.02" in summary
    assert "met: three shards: most over a limit 4 <= 400 tokens" in summary
    assert "one item: 104, 100, 98, 101 of 100" in summary


def test_estimates_are_a_line_for_each_kind_of_text() -> None:
    table = estimates.render({"hex": {"gemma": [1.0, 1.2, 1.1]}, "English": {}}, ["gemma"])

    assert table.splitlines() == [
        "| texts | gemma |",
        "| --- | --- |",
        "| hex | 1.00 **1.10** 1.20 |",
        "| English |  |",
    ]
