"""How far estimates of tokens are from the truth, in the words of docs/estimates.md, which it writes.

    python -m benchmarks.estimates [FAMILY=TOKENIZER.json ...] > docs/estimates.md

`cl100k_base` is measured with the vocabulary that this repository ships, others with the `tokenizer.json` they name,
such as the one that the embedded model's build leaves, or one out of a package of a registry. Each cell is the estimate
divided by the true count: the least, the mean and the most of all samples of 50 tokens or more.
"""

import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tokenizers import Tokenizer

from benchmarks.text_samples import Sample, samples
from benchmarks.tokenizers import cl100k_base, read_tokenizer
from gateway.core.estimates import MARKERS, estimate_tokens
from gateway.core.token_weights import HIGHEST, WEIGHTS, Weights

ENOUGH = 50
"""Tokens of a sample from which an estimate is held to its promise."""

Ratios = Mapping[str, Mapping[str, Sequence[float]]]
"""Estimates divided by the truth, by kind of text and family."""


def measure(tokenizers: Mapping[str, Tokenizer]) -> Ratios:
    """Of every kind of text with every tokenizer; `highest` is compared with the highest of them."""
    drawn = list(samples())
    texts = [sample.text for sample in drawn]
    truth = {family: _counts(tokenizer, texts) for family, tokenizer in tokenizers.items()}
    truth["highest"] = [max(counts) for counts in zip(*truth.values(), strict=True)]
    ratios: defaultdict[str, dict[str, list[float]]] = defaultdict(dict)
    for family, counts in truth.items():
        for kind, ratio in _ratios(drawn, counts, WEIGHTS.get(family, HIGHEST)):
            ratios[kind].setdefault(family, []).append(ratio)
    return ratios


def _counts(tokenizer: Tokenizer, texts: Sequence[str]) -> list[int]:
    return [len(encoding.ids) for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]


def _ratios(drawn: Sequence[Sample], counts: Sequence[int], weights: Weights) -> Iterator[tuple[str, float]]:
    for sample, count in zip(drawn, counts, strict=True):
        if count >= ENOUGH:
            yield sample.kind, (estimate_tokens(sample.text, weights) - MARKERS) / count


def render(ratios: Ratios, families: Sequence[str]) -> str:
    """A table with a line for each kind of text."""
    lines = [f"| texts | {' | '.join(families)} |", f"| --- | {' | '.join('---' for _ in families)} |"]
    for kind, by_family in ratios.items():
        cells = [_cell(by_family.get(family, ())) for family in families]
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(ratios: Sequence[float]) -> str:
    if not ratios:
        return ""
    return f"{min(ratios):.2f} **{statistics.mean(ratios):.2f}** {max(ratios):.2f}"


def main() -> None:
    named = dict(argument.split("=", 1) for argument in sys.argv[1:])
    tokenizers = {"cl100k_base": cl100k_base()} | {name: read_tokenizer(Path(file)) for name, file in named.items()}
    if unknown := named.keys() - WEIGHTS.keys():
        sys.exit(f"There are no weights for {', '.join(sorted(unknown))}: {', '.join(WEIGHTS)} have some.")
    table = render(measure(tokenizers), [*tokenizers, "highest"])
    document = Path(__file__).with_name("estimates.template.md").read_text(encoding="utf-8")
    print(document.replace("TABLE", table), end="")


if __name__ == "__main__":
    main()
