"""Process start to the first authenticated answer, under the real Lambda Runtime Interface Emulator.

    python -m benchmarks.cold_start [--rounds 9] [--without-byte-code] [--variants gateway-base64 ...]

Beside the gateway: an empty handler, and bare FastAPI + Mangum with an equal route. One cold start of each follows
the other, round after round; the medians are printed. The gateway's first answer is made of everything a request
needs: the key's look-up, the catalogue, the allowance, the cache, each over TLS as on AWS.
"""

import argparse
import base64
import gzip
import json
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import artefacts, stage
from benchmarks.certificate import make_certificate
from benchmarks.fake_aws import OWN_DIMENSIONS
from benchmarks.fake_vendor import DIMENSIONS
from benchmarks.processes import fakes
from benchmarks.runtime import Artefact, ColdStart, measure

TARGET, GOAL, PEAK = 1.25, 1.0, 80
"""Total time to bare FastAPI + Mangum's: now, and wanted; megabytes."""
TEXT = "The first answer of a function that was cold."


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """What is measured, and what its first event asks."""

    name: str
    artefact: Artefact
    event: Mapping[str, object]
    dimensions: int | None = None
    """Length of the vector that must come back."""


def main() -> None:
    """Measure, and print a table and one line that sums it up."""
    options = _read_options()
    results = run(_variants(options.variants, without_byte_code=options.without_byte_code), options.rounds)
    for name, starts in results.items():
        print(_row(name, starts))
    print(summary(results))


def run(variants: Sequence[Variant], rounds: int) -> dict[str, list[ColdStart]]:
    """Cold starts by variant, interleaved."""
    runtime = artefacts.runtime()
    results: dict[str, list[ColdStart]] = {variant.name: [] for variant in variants}
    with _stage_with_filled_cache(variants) as environment:
        for _ in range(rounds):
            for variant in variants:
                start, answer = measure(variant.artefact, runtime, environment, variant.event)
                _check(variant, answer)
                results[variant.name].append(start)
    return results


def summary(results: Mapping[str, Sequence[ColdStart]]) -> str:
    """One line, ratios first."""
    parts = []
    if "bare" in results:
        ratios = [f"{name} {_ratio(results, name):.2f}" for name in results if name.startswith("gateway")]
        parts.append(f"total / bare FastAPI + Mangum: {', '.join(ratios)} (target {TARGET}, goal {GOAL})")
        cpus = [f"{name} {_ratio(results, name, _cpu):.2f}" for name in results if name.startswith("gateway")]
        parts.append(f"CPU / bare: {', '.join(cpus)}")
    parts += [f"{name} {_median(starts, _total):.0f} ms" for name, starts in results.items()]
    peak = max((_median(starts, _peak) for name, starts in results.items() if name.startswith("gateway")), default=0)
    return f"cold_start: {'; '.join([*parts, f'peak {peak:.0f} MB (target {PEAK})'])}"


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


def _variants(names: Sequence[str], *, without_byte_code: bool) -> list[Variant]:
    makers: dict[str, Callable[[], Variant]] = {
        "empty": lambda: Variant(name="empty", artefact=artefacts.empty(), event=_event("base64")),
        "bare": lambda: Variant(name="bare", artefact=artefacts.bare(), event=_event("base64"), dimensions=DIMENSIONS),
        "gateway-base64": lambda: _gateway("gateway-base64", "base64"),
        "gateway-float": lambda: _gateway("gateway-float", "float"),
        "gateway-own-model": _gateway_asking_own_model,
    }
    chosen = [makers[name]() for name in names or makers]
    for name, artefact in {variant.artefact.folder.name: variant.artefact for variant in chosen}.items():
        print(f"{name}: {artefacts.size_mb(artefact.folder):.1f} MB unzipped")
    return [*chosen, *(map(_without_byte_code, chosen) if without_byte_code else ())]


def _gateway(name: str, encoding: str) -> Variant:
    """From the cache in DynamoDB."""
    return Variant(name=name, artefact=artefacts.gateway(), event=_event(encoding), dimensions=DIMENSIONS)


def _gateway_asking_own_model() -> Variant:
    """Not from the cache, but from the fake function of our own model."""
    event = stage.event(stage.body([TEXT], "base64", stage.OWN_MODEL), **{"cache-control": "no-cache"})
    return Variant(name="gateway-own-model", artefact=artefacts.gateway(), event=event, dimensions=OWN_DIMENSIONS)


def _without_byte_code(variant: Variant) -> Variant:
    return Variant(
        name=f"{variant.name}, no byte code",
        artefact=artefacts.without_byte_code(variant.artefact),
        event=variant.event,
        dimensions=variant.dimensions,
    )


def _event(encoding: str) -> dict[str, object]:
    return stage.event(stage.body([TEXT], encoding))


@contextmanager
def _stage_with_filled_cache(variants: Sequence[Variant]) -> Iterator[dict[str, str]]:
    """The function's environment, after each event was answered once: from now on its vector is in the cache."""
    with tempfile.TemporaryDirectory() as folder:
        certificate = make_certificate(Path(folder))
        with fakes(certificate.server) as addresses:
            environment = stage.environment(addresses) | {"SSL_CERT_FILE": str(certificate.authorities)}
            for variant in variants:
                measure(variant.artefact, artefacts.runtime(), environment, variant.event)
            yield environment


def _check(variant: Variant, answer: Mapping[str, Any]) -> None:
    """Raises unless the answer holds one vector of the right length."""
    if variant.dimensions is None:
        return
    vector = json.loads(_body(answer))["data"][0]["embedding"]
    length = variant.dimensions * 16 // 3 if isinstance(vector, str) else variant.dimensions
    if len(vector) != length:
        raise RuntimeError(f"{variant.name} answered a vector of length {len(vector)} instead of {length}.")


def _body(answer: Mapping[str, Any]) -> bytes | str:
    if not answer["isBase64Encoded"]:
        text: str = answer["body"]
        return text
    return gzip.decompress(base64.b64decode(answer["body"]))


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
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--without-byte-code", action="store_true", help="also each variant as `sam build` leaves it")
    parser.add_argument("--variants", nargs="*", default=[], help="only these, by name")
    return parser.parse_args()


if __name__ == "__main__":
    main()
