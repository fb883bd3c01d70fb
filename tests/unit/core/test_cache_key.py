"""What tells two vectors apart, and what does not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.cache_key import cache_key, cache_scope, distinct
from gateway.core.embedding import Input

SCOPE: dict[str, Any] = {
    "workspace": "acme",
    "provider": "openai-eu",
    "vendor_model": "m",
    "revision": "1",
    "dimensions": 8,
    "purpose": "query",
    "title": "",
    "prefix": "",
    "truncate": False,
    "extra": "",
}
inputs = st.one_of(st.text(), st.lists(st.integers(0, 2**31 - 1)).map(tuple))


@given(inputs, inputs)
def test_only_equal_inputs_share_a_key(one: Input, other: Input) -> None:
    scope = cache_scope(**SCOPE)

    assert (cache_key(scope, one) == cache_key(scope, other)) == (one == other)


@pytest.mark.parametrize("name", SCOPE)
def test_everything_that_changes_a_vector_changes_its_key(name: str) -> None:
    changed = {**SCOPE, name: {"dimensions": 9, "truncate": True}.get(name, f"{SCOPE[name]}x")}

    assert cache_scope(**changed) != cache_scope(**SCOPE)


@given(st.text(max_size=4), st.text(max_size=4), st.text(max_size=4), st.text(max_size=4))
def test_neighbouring_fields_do_not_run_into_each_other(a: str, b: str, c: str, d: str) -> None:
    one = cache_scope(**{**SCOPE, "purpose": a, "title": b})
    other = cache_scope(**{**SCOPE, "purpose": c, "title": d})

    assert (one == other) == ((a, b) == (c, d))


@pytest.mark.parametrize(("one", "other"), [("Apple", "apple"), ("apple", " apple"), ("\u00e9", "e\u0301")])
def test_texts_are_compared_byte_by_byte(one: str, other: str) -> None:
    scope = cache_scope(**SCOPE)

    assert cache_key(scope, one) != cache_key(scope, other)


def test_distinct_keys_keep_their_order() -> None:
    assert distinct([b"b", b"a", b"b"]) == (b"b", b"a")
