"""The embedded model's function as it ships: cold start, memory, size, and texts per second.

    python -m benchmarks.embedded_model [--rounds 9]

The artefact is built for this machine and run by the base interpreter with nothing else in reach. The mixed batch has
texts of 4 to 256 tokens in random order; beside it stands the time it would take in batches of 32 in input order, as
sent, each padded to its longest.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
BATCHES = {16: 128, 64: 32, 256: 8}  # texts, by tokens of each
MIXED = 96
PADDED_BATCH = 32
REPEATS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="cold starts; their median counts")
    print(f"embedded_model: {measure(parser.parse_args().rounds)}")


def measure(rounds: int) -> str:
    """Everything, in one line."""
    with tempfile.TemporaryDirectory() as folder:
        built = build(Path(folder))
        starts = [run_function(folder, "cold") for _ in range(rounds)]
        warm = run_function(folder, "warm")
    cold = {name: statistics.median(start[name] for start in starts) for name in starts[0]}
    rates = ", ".join(f"{rate:.0f}/s of {tokens} tokens" for tokens, rate in warm["rates"].items())
    return (
        f"{built}; cold start {cold['started']:.0f} ms, of it init {cold['init']:.0f}, first answer "
        f"{cold['answer']:.1f}; {cold['rss']:.0f} MB, at most {warm['rss']:.0f}; texts {rates}; {MIXED} mixed texts "
        f"{warm['mixed']:.2f} s, padded as sent {warm['padded']:.2f} s ({warm['padded'] / warm['mixed']:.2f} x)"
    )


def build(folder: Path) -> str:
    program = ROOT / "functions/embedded_model/build.py"
    command: list[str | Path] = [sys.executable, program, folder, "--cache", cache()]
    subprocess.run(command, check=True, capture_output=True)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return f"{size / 1e6:.0f} MB unzipped"


def cache() -> Path:
    return Path(os.environ.get("EMBEDDED_MODEL_CACHE") or ROOT / ".local/embedded_model")


def run_function(folder: str, what: str) -> dict[str, Any]:  # JSON
    """Runs this very file in a fresh process that sees the artefact and the standard library only."""
    command = [getattr(sys, "_base_executable", sys.executable), "-P", "-S", __file__, what]
    begun = time.time()
    printed = subprocess.check_output(command, env={"PYTHONPATH": folder}, text=True)
    measured: dict[str, Any] = json.loads(printed)
    return measured | {"started": (measured.get("answered", begun) - begun) * 1e3}


def cold() -> dict[str, Any]:
    begun = time.perf_counter()
    import app  # type: ignore[import-not-found]  # noqa: PLC0415 - what is measured, and at the artefact's root

    loaded = time.perf_counter()
    app.handler({"texts": ["How do I renew a passport?"]}, None)
    answered = time.perf_counter()
    milliseconds = {"init": (loaded - begun) * 1e3, "answer": (answered - loaded) * 1e3}
    return milliseconds | {"answered": time.time(), "rss": peak_mb()}


def warm() -> dict[str, Any]:
    rates = {tokens: count / seconds(texts_of([tokens] * count)) for tokens, count in BATCHES.items()}
    lengths = random.Random(1).choices(range(4, 257), k=MIXED)
    measured = {"rates": rates, "mixed": seconds(texts_of(lengths))}
    batches = [lengths[start : start + PADDED_BATCH] for start in range(0, MIXED, PADDED_BATCH)]
    measured["padded"] = sum(seconds(texts_of([max(batch)] * len(batch))) for batch in batches)
    return measured | {"rss": peak_mb()}


def texts_of(lengths: list[int]) -> list[str]:
    """Texts of so many tokens each, of which two are not words."""
    return ["a " * (length - 2) for length in lengths]


def seconds(texts: list[str]) -> float:
    """The least time of a few tries: the machine is shared."""
    import app  # noqa: PLC0415 - only in the artefact

    return min(timed(lambda: app.handler({"texts": texts}, None)) for _ in range(REPEATS))


def timed(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def peak_mb() -> float:
    (peak,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(peak.split()[1]) / 1024


if __name__ == "__main__":
    if sys.argv[1:] in (["cold"], ["warm"]):
        print(json.dumps({"cold": cold, "warm": warm}[sys.argv[1]]()))
    else:
        main()
