"""Which texts go through the model together: texts of similar length, to avoid padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

# Measured: starting a run costs about as much as this many tokens, and from about a hundred tokens on, a longer run
# is no cheaper per token. So a text joins a run as long as the padding is cheaper than a run of its own.
RUN_COST = 8

# What a run holds in memory grows with its tokens (some 70 MB for these); it is no faster with more.
TOKENS_PER_RUN = 1024


def plan_runs(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Positions of `lengths`, each once, run by run; the longest of a run comes first."""
    run: list[int] = []
    padding = 0
    for position in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        longest = lengths[run[0]] if run else lengths[position]
        padding += longest - lengths[position]
        if padding > RUN_COST or (len(run) + 1) * longest > TOKENS_PER_RUN:
            yield run
            run, padding = [], 0
        run.append(position)
    if run:
        yield run
