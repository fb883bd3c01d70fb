"""Cut inputs into calls a vendor accepts."""

from collections.abc import Iterator, Sequence


def slices(weights: Sequence[int], *, max_inputs: int, max_tokens: int | None) -> Iterator[range]:
    """Consecutive ranges of positions that cover all inputs: at most `max_inputs` each, and `max_tokens` together.

    `weights` are tokens per input. An input heavier than `max_tokens` goes alone: the vendor decides.
    """
    start, load = 0, 0
    for position, weight in enumerate(weights):
        full = position - start == max_inputs
        heavy = max_tokens is not None and position > start and load + weight > max_tokens
        if full or heavy:
            yield range(start, position)
            start, load = position, 0
        load += weight
    if start < len(weights):
        yield range(start, len(weights))
