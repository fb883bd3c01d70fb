"""Mixed load on the local stack that `make run` deployed: is any vector wrong, does any request fail for no reason?

    python -m benchmarks.load [--seconds 60] [--concurrency 4 16]

All dialects, sizes and encodings, texts known and new, several workspaces, our own model and a fake vendor; one
request in twelve is wrong and must be refused. Every answer is compared with what `load_asks.py` knew beforehand.
Nothing is timed against a target: the emulator copies the function for each request under way.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from benchmarks.load_asks import Ask, Asks
from benchmarks.targets import Summary, Target
from gateway.stores.catalogue import FRESH
from tests.e2e.clients.stage import PLENTY, Operator, Workspace, vendor_in_catalogue
from tests.e2e.stack import deployed_stack

WORKSPACES = 3
PATIENCE = 60.0
"""Seconds for one answer: the front door itself gives up sooner."""
OK = 200


@dataclass(slots=True)
class Tally:
    """What came back. `faults` says of each answer that was not the right one what was asked and what came."""

    concurrency: int
    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    inputs: int = 0
    hits: int = 0
    wrong: int = 0
    """Answers with vectors that are not those of the inputs."""
    unexplained: int = 0
    """Answers with another status than the request deserves, and requests without an answer."""
    faults: list[str] = field(default_factory=list)

    def note(self, ask: Ask, reply: httpx.Response, seconds: float) -> None:
        """Count an answer."""
        self.seconds.append(seconds)
        self.statuses[reply.status_code] += 1
        self.hits += int(reply.headers.get("x-gateway-cache-hits", 0))
        self.inputs += 0 if ask.vectors is None else len(ask.vectors)
        if not ask.is_answered_by(reply.status_code, reply.content):
            self.note_fault(ask, f"{reply.status_code} {reply.text[:200]}", is_wrong=reply.status_code == ask.status)

    def note_fault(self, ask: Ask, came: str, *, is_wrong: bool = False) -> None:
        """Count what should not have come."""
        self.wrong += is_wrong
        self.unexplained += not is_wrong
        self.faults.append(f"{ask.name}: expected {ask.status}, came {came}")


async def run(base_url: str, asks: Iterator[Ask], *, seconds: float, concurrency: int) -> Tally:
    """Ask for so many seconds, so many at the same time."""
    tally = Tally(concurrency)
    async with httpx.AsyncClient(base_url=base_url, timeout=PATIENCE, limits=httpx.Limits()) as client:
        end = time.monotonic() + seconds

        async def ask_on() -> None:
            while time.monotonic() < end:
                await _ask(client, next(asks), tally)

        await asyncio.gather(*(ask_on() for _ in range(concurrency)))
    return tally


async def _ask(client: httpx.AsyncClient, ask: Ask, tally: Tally) -> None:
    started = time.monotonic()
    try:
        reply = await client.request(ask.method, ask.path, headers=ask.headers, content=ask.content)
    except httpx.HTTPError as error:
        tally.note_fault(ask, repr(error))
    else:
        tally.note(ask, reply, time.monotonic() - started)


def summarise(tallies: Sequence[Tally], seconds: float) -> Summary:
    """Faults first."""
    targets = [
        Target(name=f"{name} at {tally.concurrency}", value=value, at_most=0)
        for tally in tallies
        for name, value in (("wrong", tally.wrong), ("unexplained errors", tally.unexplained))
    ]
    return Summary(measurement=f"load: {seconds:g} s", targets=targets, besides=[_describe(tally) for tally in tallies])


def _describe(tally: Tally) -> str:
    refused = sum(count for status, count in tally.statuses.items() if status != OK)
    usual, slow = statistics.median(tally.seconds), sorted(tally.seconds)[len(tally.seconds) * 99 // 100]
    return (
        f"at {tally.concurrency}: {len(tally.seconds):,} requests ({refused} refused) for {tally.inputs:,} vectors, "
        f"{tally.hits:,} from the cache, median {usual * 1000:.0f} ms, p99 {slow * 1000:.0f} ms"
    )


def make_asks(workspaces: Sequence[Workspace], seed: int) -> Iterator[Ask]:
    """Requests of these workspaces, without end."""
    return iter(Asks([workspace.key for workspace in workspaces], workspaces[0].wrong_key, seed))


def measure(seconds: float, concurrencies: Sequence[int], seed: int) -> Summary:
    """Measure on a stack with a vendor and workspaces of its own; prints what went wrong."""
    with deployed_stack() as stack, tempfile.TemporaryDirectory() as folder:
        operator = Operator(stack.endpoint)
        with vendor_in_catalogue(operator, Path(folder)):
            asks = make_asks([operator.make_workspace(*PLENTY) for _ in range(WORKSPACES)], seed)
            time.sleep(FRESH)  # warm functions believe the old catalogue for so long
            tallies = [
                asyncio.run(run(stack.base_url, asks, seconds=seconds, concurrency=concurrency))
                for concurrency in concurrencies
            ]
    for fault in [fault for tally in tallies for fault in tally.faults]:
        print(fault, file=sys.stderr)
    return summarise(tallies, seconds)


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="of load, for each concurrency")
    parser.add_argument("--concurrency", type=int, nargs="+", default=[4, 16], help="requests at the same time")
    parser.add_argument("--seed", type=int, default=1, help="of the dice: another one asks other questions")
    return parser.parse_args()


if __name__ == "__main__":
    options = _read_options()
    print(measure(options.seconds, options.concurrency, options.seed))
