"""How texts are put together into runs of the model."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from embedded_model.runs import RUN_COST, TOKENS_PER_RUN, plan_runs

LENGTHS = st.lists(st.integers(2, 256), max_size=300)


@given(lengths=LENGTHS)
def test_every_text_is_in_exactly_one_run(lengths: Sequence[int]) -> None:
    runs = list(plan_runs(lengths))

    assert sorted(position for run in runs for position in run) == list(range(len(lengths)))


@given(lengths=LENGTHS)
def test_no_run_holds_more_tokens_than_memory_is_meant_for(lengths: Sequence[int]) -> None:
    runs = list(plan_runs(lengths))

    assert all(len(run) * lengths[run[0]] <= TOKENS_PER_RUN for run in runs)


@given(lengths=LENGTHS)
def test_padding_costs_less_than_a_run_of_its_own(lengths: Sequence[int]) -> None:
    runs = list(plan_runs(lengths))

    padding = [sum(lengths[run[0]] - lengths[position] for position in run) for run in runs]
    assert all(0 <= tokens <= RUN_COST for tokens in padding)


def test_texts_of_one_length_share_runs_up_to_the_limit() -> None:
    runs = list(plan_runs([256] * 9))

    assert [len(run) for run in runs] == [4, 4, 1]


def test_a_long_text_does_not_make_short_ones_wait_in_padding() -> None:
    runs = list(plan_runs([3, 256, 3, 4]))

    assert runs == [[1], [3, 0, 2]]
