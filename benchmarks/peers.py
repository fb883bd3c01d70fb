"""The gateway beside LiteLLM's proxy: own CPU for the same requests, with the same fake vendor behind both.

    python -m benchmarks.peers [--rounds 9]

Nothing is answered from a cache. Ours is the Lambda handler, as in `warm`; the line also says what the ratios are with
what Lambda's runtime does in the same process: it reads the event's JSON and writes the answer's. The HTTP in front of
that is API Gateway's and Lambda's; LiteLLM's own server does it for itself, as it does where it is deployed.
benchmarks/litellm_proxy says how that is configured. One case follows the other, ours and theirs in turn; the medians
are printed.
"""

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction

from benchmarks import litellm_proxy
from benchmarks.aws_controls import AwsControls
from benchmarks.cases import BASE64_64_MISS, FLOAT_64_MISS, MISS, Case, Cost
from benchmarks.options import read_rounds
from benchmarks.processes import fakes
from benchmarks.subjects import Server, warm_function
from benchmarks.targets import Summary, Target

ROUNDS_TO_WARM_UP = 2
MAX_RATIOS = {MISS: Fraction(1, 3), BASE64_64_MISS: Fraction(1, 3), FLOAT_64_MISS: Fraction(1, 15)}
"""Own CPU / LiteLLM's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What the same request cost here and there."""

    ours: Cost
    litellm: Cost

    @property
    def ratio(self) -> float:
        """Own CPU of the handler to LiteLLM's."""
        return self.ours.cpu_ms / self.litellm.cpu_ms

    @property
    def ratio_with_runtime(self) -> float:
        """The same, with what Lambda's runtime does."""
        return (self.ours.cpu_ms + self.ours.runtime_cpu_ms) / self.litellm.cpu_ms


def measure(rounds: int) -> Summary:
    return summarise(run(rounds))


def run(rounds: int) -> dict[Case, list[Pair]]:
    """Costs by case, interleaved."""
    results: dict[Case, list[Pair]] = defaultdict(list)
    with (
        fakes() as addresses,
        litellm_proxy.proxy(f"{addresses.vendor}/v1") as (pid, url),
        closing(Server(pid, url, litellm_proxy.KEY)) as server,
        warm_function(addresses) as function,
    ):
        aws = AwsControls(addresses.aws)
        for number in range(ROUNDS_TO_WARM_UP + rounds):
            for case in MAX_RATIOS:
                pair = Pair(ours=function.carry_out(case), litellm=server.carry_out(case))
                if number >= ROUNDS_TO_WARM_UP:
                    results[case].append(pair)
            aws.take_calls()
    return dict(results)


def summarise(results: Mapping[Case, Sequence[Pair]]) -> Summary:
    """Ratios to LiteLLM first."""
    return Summary(
        measurement="peers",
        targets=[
            # Neighbours are compared: what slows the machine down for a while slows both.
            Target(
                name=f"{case.request} / LiteLLM",
                value=statistics.median(pair.ratio for pair in pairs),
                at_most=MAX_RATIOS[case],
            )
            for case, pairs in results.items()
        ],
        besides=[_ratios_with_runtime(results), *map(_cpu, results, results.values()), _peaks(results)],
    )


def _ratios_with_runtime(results: Mapping[Case, Sequence[Pair]]) -> str:
    ratios = {
        case.request: statistics.median(pair.ratio_with_runtime for pair in pairs) for case, pairs in results.items()
    }
    return f"with Lambda's runtime: {', '.join(f'{request} {ratio:.4g}' for request, ratio in ratios.items())}"


def _cpu(case: Case, pairs: Sequence[Pair]) -> str:
    ours = statistics.median(pair.ours.cpu_ms for pair in pairs)
    theirs = statistics.median(pair.litellm.cpu_ms for pair in pairs)
    return f"own CPU, {case.request}: {ours:.2f} and {theirs:.2f} ms"


def _peaks(results: Mapping[Case, Sequence[Pair]]) -> str:
    pairs = [pair for pairs in results.values() for pair in pairs]
    ours, theirs = max(pair.ours.peak_mb for pair in pairs), max(pair.litellm.peak_mb for pair in pairs)
    return f"peak {ours:.0f} and {theirs:.0f} MB"


if __name__ == "__main__":
    print(measure(read_rounds(__doc__)))
