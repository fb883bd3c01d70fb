"""Facts of the parts of a request add up to those of the whole; so will every fact that is added to them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.caller import Limits
from gateway.core.facts import NOTHING_DONE, Facts
from gateway.core.rate_limit import Reservation

ALLOWANCES = [
    Reservation(
        window=7,
        tokens=tokens,
        limits=Limits(),
        remaining_requests=1,
        remaining_tokens=tokens,
        resets_in=1.0,
    )
    for tokens in (0, 1)
]
NAMES = st.none() | st.sampled_from(["a", "b", "c"])
NO_NUMBERS: dict[str, st.SearchStrategy[Any]] = {
    "model": NAMES,
    "route": NAMES,
    "estimated": st.booleans(),
    "allowance": st.none() | st.sampled_from(ALLOWANCES),
}
NUMBERS = [name for name in Facts.__struct_fields__ if name not in NO_NUMBERS]

facts = st.builds(Facts, **NO_NUMBERS, **dict.fromkeys(NUMBERS, st.integers(0, 10**9)))


def fact(name: str, value: Any) -> Facts:
    """Any: each field has a type of its own."""
    return Facts(**{name: value})


@given(facts, facts, facts)
def test_it_does_not_matter_which_parts_are_added_first(one: Facts, two: Facts, three: Facts) -> None:
    assert (one + two) + three == one + (two + three)


@given(facts)
def test_adding_nothing_loses_nothing(some: Facts) -> None:
    assert some + NOTHING_DONE == NOTHING_DONE + some == some


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_are_summed(name: str) -> None:
    whole = fact(name, 3) + fact(name, 4)

    assert getattr(whole, name) == 7


@pytest.mark.parametrize(
    ("name", "earlier", "later"), [("model", "a", "b"), ("route", "a", "b"), ("allowance", *ALLOWANCES)]
)
def test_of_names_and_allowances_the_later_one_counts(name: str, earlier: object, later: object) -> None:
    whole = fact(name, earlier) + fact(name, later)

    assert getattr(whole, name) == later
