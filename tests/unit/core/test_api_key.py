"""Keys: what is taken for one, and what is refused without a look-up."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import api_key
from gateway.core.api_key import ApiKey
from gateway.core.errors import Unauthenticated

base62 = string.ascii_letters + string.digits
keys = st.builds(
    ApiKey,
    workspace=st.from_regex(api_key.WORKSPACE, fullmatch=True),
    key_id=st.text(base62, min_size=8, max_size=8),
    secret=st.text(base62, min_size=32, max_size=32),
)


@given(keys)
def test_a_key_reads_back_as_it_was_written(key: ApiKey) -> None:
    assert api_key.parse(key.text) == key


@given(keys, st.data())
def test_one_wrong_character_is_refused(key: ApiKey, data: st.DataObject) -> None:
    text = key.text
    position = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from([character for character in base62 + "_-" if character != text[position]]))

    with pytest.raises(Unauthenticated):
        api_key.parse(text[:position] + other + text[position + 1 :])


@given(st.text())
def test_junk_is_refused(text: str) -> None:
    with pytest.raises(Unauthenticated):
        api_key.parse(text)


@pytest.mark.parametrize("ending", ["\n", " ", "x"])
def test_nothing_may_follow_a_key(ending: str) -> None:
    key = ApiKey(workspace="acme", key_id="k" * 8, secret="s" * 32)

    with pytest.raises(Unauthenticated):
        api_key.parse(key.text + ending)


def test_a_key_does_not_show_its_secret() -> None:
    key = ApiKey(workspace="acme", key_id="k" * 8, secret="s" * 32)

    assert "s" * 32 not in repr(key)


def test_only_the_right_secret_matches_its_digest() -> None:
    kept = api_key.digest("right")

    assert api_key.matches("right", kept)
    assert not api_key.matches("wrong", kept)
