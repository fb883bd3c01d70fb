"""Whatever text an error repeats, it is short and on one line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.shown import MAX_NAME, listed, quoted, shown

anything = st.text(st.characters(codec=None), max_size=300)


@given(text=anything, most=st.integers(1, 120))
def test_a_shown_text_is_on_one_line_and_can_be_encoded(text: str, most: int) -> None:
    cut = shown(text, most)

    assert len(cut) == min(len(text), most)
    assert not [sign for sign in cut if ord(sign) < 32]
    assert cut.encode().decode() == cut


@pytest.mark.parametrize("text", ["dimensions", "größe", "尺寸", "a" * MAX_NAME, "😀 b"])
def test_an_ordinary_name_is_shown_as_it_is(text: str) -> None:
    assert shown(text) == text
    assert quoted(text) == f"'{text}'"


@pytest.mark.parametrize(
    ("count", "told"),
    [(0, ""), (1, "n0"), (3, "n0, n1, n2"), (4, "n0, n1, n2 and 1 more"), (480_000, "n0, n1, n2 and 479997 more")],
)
def test_a_list_names_a_few_and_counts_the_rest(count: int, told: str) -> None:
    assert listed([f"n{number}" for number in range(count)]) == told
