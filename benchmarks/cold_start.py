"""Process start to the first authenticated answer, under the real Lambda Runtime Interface Emulator.

    python -m benchmarks.cold_start [--rounds 9] [--without-byte-code] [--variants hit miss ...]

Beside the gateway: an empty handler, and bare FastAPI + Mangum with an equal route. One cold start of each follows
the other, round after round; the medians are printed. The gateway's first answer is made of everything a request
needs: the key's look-up, the catalogue, the rate limit, the cache, each over TLS as on AWS. A miss also asks the
vendor, over plain HTTP, and writes what it answered into the cache.
"""

import argparse
import base64
import gzip
import json
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks import artefacts, options, stage
from benchmarks.aws_controls import AwsControls
from benchmarks.certificate import make_certificate
from benchmarks.fake_aws import OWN_DIMENSIONS
from benchmarks.fake_vendor import DIMENSIONS
from benchmarks.processes import fakes
from benchmarks.runtime import Artefact, ColdStart, measure
from benchmarks.targets import Summary, Target

MAX_RATIOS = {"hit": 1.02, "miss": 1.20}
"""Total time to bare FastAPI + Mangum's, by variant."""
MAX_PEAK = 80
"""Megabytes."""
TEXT = "The first answer of a function that was cold."


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """What is measured, and what its first event asks in which round."""

    name: str
    artefact: Artefact
    event: Callable[[int], Mapping[str, object]]
    dimensions: int | None = None
    """Length of the vector that must come back."""
    hits: int | None = None
    """How many vectors the gateway must have found in its cache; `None` where there is no gateway."""


def report(chosen: Sequence[Variant], rounds: int) -> Summary:
    """Measure, and print a table."""
    results = run(chosen, rounds)
    for name, starts in results.items():
        print(_row(name, starts))
    return summarise(results, [variant.name for variant in chosen if variant.hits is not None])


def run(chosen: Sequence[Variant], rounds: int) -> dict[str, list[ColdStart]]:
    """Cold starts by variant, interleaved."""
    runtime = artefacts.runtime()
    results: dict[str, list[ColdStart]] = {variant.name: [] for variant in chosen}
    with _stage_with_filled_cache(chosen) as (environment, aws):
        for number in range(1, rounds + 1):
            for variant in chosen:
                start, answer = measure(variant.artefact, runtime, environment, variant.event(number))
                _check(variant, answer)
                results[variant.name].append(start)
            aws.take_calls()
    return results


def summarise(results: Mapping[str, Sequence[ColdStart]], gateways: Sequence[str]) -> Summary:
    """Ratios to bare FastAPI + Mangum first; without it, times alone."""
    targets = [
        Target(name=f"{name} / bare", value=_ratio(results, name), at_most=most)
        for name, most in MAX_RATIOS.items()
        if name in results and "bare" in results
    ]
    if gateways:
        peak = max(_median(results[name], _peak) for name in gateways)
        targets.append(Target(name="peak", value=peak, at_most=MAX_PEAK, unit=" MB"))
    times = ", ".join(f"{name} {_median(starts, _total):.0f} ms" for name, starts in results.items())
    return Summary(measurement="cold_start", targets=targets, besides=[*_cpu_ratios(results, gateways), times])


def variants(names: Sequence[str] = (), *, without_byte_code: bool = False) -> list[Variant]:
    """Those of these names, or all; built first, if they are not."""
    makers = {"empty": _empty, "bare": _bare, "hit": _hit, "hit-float": _float_hit, "miss": _miss, "own-model": _own}
    chosen = [makers[name]() for name in names or makers]
    for name, artefact in {variant.artefact.folder.name: variant.artefact for variant in chosen}.items():
        print(f"{name}: {artefacts.size_mb(artefact.folder):.1f} MB unzipped")
    return [*chosen, *(map(_without_byte_code, chosen) if without_byte_code else ())]


def _empty() -> Variant:
    return Variant(name="empty", artefact=artefacts.empty(), event=_known_text("base64"))


def _bare() -> Variant:
    return Variant(name="bare", artefact=artefacts.bare(), event=_known_text("base64"), dimensions=DIMENSIONS)


def _hit() -> Variant:
    """From the cache in DynamoDB."""
    event = _known_text("base64")
    return Variant(name="hit", artefact=artefacts.gateway(), event=event, dimensions=DIMENSIONS, hits=1)


def _float_hit() -> Variant:
    event = _known_text("float")
    return Variant(name="hit-float", artefact=artefacts.gateway(), event=event, dimensions=DIMENSIONS, hits=1)


def _miss() -> Variant:
    """From the vendor."""
    event = _new_text(stage.VENDOR_MODEL)
    return Variant(name="miss", artefact=artefacts.gateway(), event=event, dimensions=DIMENSIONS, hits=0)


def _own() -> Variant:
    """From the fake function of our own model."""
    event = _new_text(stage.OWN_MODEL)
    return Variant(name="own-model", artefact=artefacts.gateway(), event=event, dimensions=OWN_DIMENSIONS, hits=0)


def _without_byte_code(variant: Variant) -> Variant:
    name = f"{variant.name}, no byte code"
    return replace(variant, name=name, artefact=artefacts.without_byte_code(variant.artefact))


def _known_text(encoding: str) -> Callable[[int], Mapping[str, object]]:
    """The same request in every round."""
    return lambda _: stage.event(stage.body([TEXT], encoding))


def _new_text(model: str) -> Callable[[int], Mapping[str, object]]:
    """A request that was in no other round."""
    return lambda number: stage.event(stage.body([f"{TEXT} Number {number}."], "base64", model))


@contextmanager
def _stage_with_filled_cache(chosen: Sequence[Variant]) -> Iterator[tuple[dict[str, str], AwsControls]]:
    """The function's environment, after each variant was asked once: the text of hits is in the cache by then."""
    with tempfile.TemporaryDirectory() as folder:
        certificate = make_certificate(Path(folder))
        with fakes(certificate.server) as addresses:
            environment = stage.environment(addresses) | {"SSL_CERT_FILE": str(certificate.authorities)}
            for variant in chosen:
                measure(variant.artefact, artefacts.runtime(), environment, variant.event(0))
            yield environment, AwsControls(addresses.aws)


def _check(variant: Variant, answer: Mapping[str, Any]) -> None:
    """Raises unless the answer holds one vector of the right length, from where it should come."""
    if variant.dimensions is None:
        return
    (item,) = json.loads(_body(answer))["data"]
    vector = item["embedding"]
    dimensions = len(base64.b64decode(vector)) // 4 if isinstance(vector, str) else len(vector)
    hits = answer["headers"].get("x-gateway-cache-hits")
    if dimensions != variant.dimensions or (variant.hits is not None and hits != str(variant.hits)):
        raise RuntimeError(f"{variant.name} answered {dimensions} dimensions with {hits} hits from the cache.")


def _body(answer: Mapping[str, Any]) -> bytes:
    body: str = answer["body"]
    raw = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
    return gzip.decompress(raw) if answer["headers"].get("content-encoding") == "gzip" else raw


def _row(name: str, starts: Sequence[ColdStart]) -> str:
    columns: dict[str, Callable[[ColdStart], float]] = {
        "init": lambda start: start.init_ms,
        "first answer": lambda start: start.answer_ms,
        "total": _total,
        "cpu": _cpu,
    }
    times = ", ".join(f"{column} {_median(starts, value):.1f} ms" for column, value in columns.items())
    spread = f"{min(map(_total, starts)):.0f} to {max(map(_total, starts)):.0f}"
    return f"{name}: {times}, peak {_median(starts, _peak):.1f} MB (total from {spread} in {len(starts)} rounds)"


def _cpu_ratios(results: Mapping[str, Sequence[ColdStart]], gateways: Sequence[str]) -> list[str]:
    if "bare" not in results or not gateways:
        return []
    return [f"CPU / bare: {', '.join(f'{name} {_ratio(results, name, _cpu):.2f}' for name in gateways)}"]


def _total(start: ColdStart) -> float:
    return start.total_ms


def _cpu(start: ColdStart) -> float:
    return start.cpu_ms


def _peak(start: ColdStart) -> float:
    return start.peak_mb


def _median(starts: Sequence[ColdStart], value: Callable[[ColdStart], float]) -> float:
    return statistics.median(map(value, starts))


def _ratio(
    results: Mapping[str, Sequence[ColdStart]], name: str, value: Callable[[ColdStart], float] = _total
) -> float:
    """Median of the ratios of neighbours: what slows the machine down for a while slows both."""
    pairs = zip(results[name], results["bare"], strict=True)
    return statistics.median(value(ours) / value(bare) for ours, bare in pairs)


def _read_options() -> argparse.Namespace:
    parser = options.parser(__doc__)
    parser.add_argument("--without-byte-code", action="store_true", help="also each variant as `sam build` leaves it")
    parser.add_argument("--variants", nargs="*", default=[], help="only these, by name")
    return parser.parse_args()


if __name__ == "__main__":
    asked = _read_options()
    print(report(variants(asked.variants, without_byte_code=asked.without_byte_code), asked.rounds))
