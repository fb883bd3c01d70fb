"""How far a minute can pass its limit of tokens, when many functions are fooled by what they are asked.

    python -m benchmarks.allowances [--functions 16] [--tokens 100000] [--factor 2.0]

So many processes, each a warm function of its own, use up four minutes in a row against the local emulator, as fast as
it goes and without the fallback. Each request reserves 1 to 200 tokens and uses so many times that. One workspace is
counted in one item, the other in three shards. A minute may pass its limit by what is in flight, which the minutes
after it pay back. The emulator's speed decides how long this takes, and nothing else of what is measured.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boto3
import msgspec

from benchmarks.processes import ROOT, python_environment
from benchmarks.targets import Summary, Target
from gateway.core.caller import Limits
from gateway.core.rate_limit import REQUESTS_PER_SHARD
from infra.local.emulator import running_emulator
from infra.local.places import Home
from tests.contract.hammer import Admitted, Load, Play
from tests.fakes.aws import REGION, ROOT_IDENTITY

TABLE = "usage"
LARGEST = 200
"""Tokens that a request reserves at most."""
WINDOWS = tuple(range(1_000, 1_004))
MAX_RATIO = 1.02
"""Of what four minutes used, to four times the limit."""


def play(tokens: int, factor: float) -> Play:
    """The same load for one item and for three shards."""
    return Play(
        loads=tuple(
            Load(
                workspace=workspace,
                limits=Limits(requests=shards * REQUESTS_PER_SHARD, tokens=tokens),
                smallest=1,
                largest=LARGEST,
                factor=factor,
            )
            for workspace, shards in (("one item", 1), ("three shards", 3))
        ),
        windows=WINDOWS,
    )


def run(functions: int, everything: Play) -> list[Admitted]:
    """What all functions were admitted."""
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        stack = running_emulator(Home(Path(folder)))
        emulator = runner.run(stack.__aenter__())
        try:
            _make_table(emulator)
            return _hammer(emulator, functions, everything)
        finally:
            runner.run(stack.__aexit__(None, None, None))


def summarise(admitted: Sequence[Admitted], everything: Play, functions: int) -> Summary:
    """Used tokens by minute, and all minutes together."""
    used = Counter[tuple[str, int]]()
    for workspace, window, _, tokens in admitted:
        used[workspace, window] += tokens
    targets, besides = [], []
    for load in everything.loads:
        limit, name = load.limits.tokens, load.workspace
        in_flight = functions * round(load.factor * LARGEST)
        minutes = [used[name, window] for window in WINDOWS]
        ratio = sum(minutes) / len(minutes) / limit
        targets += [
            Target(name=f"{name}: four minutes / four limits", value=ratio, at_most=MAX_RATIO),
            Target(name=f"{name}: most over a limit", value=max(minutes) - limit, at_most=in_flight, unit=" tokens"),
        ]
        besides.append(f"{name}: {', '.join(map(str, minutes))} of {limit}")
    return Summary(measurement="allowances", targets=targets, besides=besides)


def _hammer(emulator: str, functions: int, everything: Play) -> list[Admitted]:
    document = msgspec.json.encode(everything).decode()
    command = [sys.executable, "-m", "tests.contract.hammer", emulator, *ROOT_IDENTITY.values(), TABLE]
    processes = [
        subprocess.Popen([*command, str(seed), document], cwd=ROOT, env=python_environment(), stdout=subprocess.PIPE)
        for seed in range(functions)
    ]
    admitted: list[Admitted] = []
    for process in processes:
        said, _ = process.communicate()
        if process.returncode:
            raise RuntimeError("A function failed, or had to count for itself.")
        admitted += msgspec.json.decode(said, type=list[Admitted])
    return admitted


def _make_table(emulator: str) -> None:
    session: Any = boto3.Session(
        ROOT_IDENTITY["AWS_ACCESS_KEY_ID"], ROOT_IDENTITY["AWS_SECRET_ACCESS_KEY"], region_name=REGION
    )
    dynamodb = session.client("dynamodb", endpoint_url=emulator)
    keys = {"account": "HASH", "minute": "RANGE"}
    dynamodb.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
        KeySchema=[{"AttributeName": name, "KeyType": role} for name, role in keys.items()],
    )
    dynamodb.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--functions", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=100_000, help="of each workspace, per minute")
    parser.add_argument("--factor", type=float, default=2.0, help="what a request uses of what it reserved")
    asked = parser.parse_args()
    everything, begun = play(asked.tokens, asked.factor), time.perf_counter()
    admitted = run(asked.functions, everything)
    print(f"{len(admitted)} requests of {asked.functions} functions in {time.perf_counter() - begun:.0f} s")
    print(summarise(admitted, everything, asked.functions))


if __name__ == "__main__":
    main()
