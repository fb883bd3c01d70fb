"""Every measurement, one summary line each at the end: `python -m benchmarks [--rounds 9] [--peers]`."""

from benchmarks import cold_start, embedded_model, options, peers, round_trips, warm
from benchmarks.targets import Summary, verdict


def main() -> None:
    parser = options.parser(__doc__)
    parser.add_argument("--peers", action="store_true", help="also LiteLLM's proxy, which is installed for it")
    asked = parser.parse_args()
    summaries = [
        cold_start.report(cold_start.variants(), asked.rounds),
        warm.measure(asked.rounds),
        round_trips.measure(asked.rounds),
        Summary(measurement="embedded_model", besides=[embedded_model.measure(asked.rounds)]),
    ]
    if asked.peers:
        summaries.append(peers.measure(asked.rounds))
    print(*summaries, verdict(summaries), sep="\n")


if __name__ == "__main__":
    main()
