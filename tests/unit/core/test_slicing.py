"""Cutting inputs into calls."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.slicing import slices

weight_lists = st.lists(st.integers(0, 100), max_size=60)


@given(weight_lists, st.integers(1, 20), st.none() | st.integers(1, 200))
def test_slices_cover_every_input_once_and_in_order(weights: list[int], most: int, tokens: int | None) -> None:
    parts = list(slices(weights, max_inputs=most, max_tokens=tokens))

    assert [position for part in parts for position in part] == list(range(len(weights)))


@given(weight_lists, st.integers(1, 20), st.integers(1, 200))
def test_no_slice_exceeds_what_the_vendor_takes_unless_one_input_does(
    weights: list[int], most: int, tokens: int
) -> None:
    for part in slices(weights, max_inputs=most, max_tokens=tokens):
        assert 1 <= len(part) <= most
        assert sum(weights[position] for position in part) <= tokens or len(part) == 1


@given(weight_lists, st.integers(1, 20))
def test_no_slice_is_cut_without_need(weights: list[int], most: int) -> None:
    parts = list(slices(weights, max_inputs=most, max_tokens=None))

    assert len(parts) == -(-len(weights) // most)
