"""Headers as they may be sent."""

import subprocess
import sys

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.outbound.messages import BadHeader, encode_headers

NAMES = st.sampled_from(["authorization", "x-a", "A_b", "a b", "", "é"]) | st.text(max_size=5)
VALUES = st.text(st.characters(max_codepoint=300), max_size=10) | st.sampled_from(
    ["", " ", "\t", "Bearer ", "\x85", "a\xa0"]
)


@given(st.dictionaries(NAMES, VALUES, max_size=3))
def test_what_is_let_through_h11_can_send(headers: dict[str, str]) -> None:
    """h11 repeats a value that it refuses in its message."""
    try:
        encoded = encode_headers(headers)
    except BadHeader:
        return

    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method=b"GET", target=b"/", headers=[(b"host", b"a"), *encoded]))


@pytest.mark.parametrize("value", ["Bearer sk-1", "\xe9t\xe9", "a\tb", "x" * 10_000])
def test_usual_values_are_let_through(value: str) -> None:
    assert encode_headers({"Authorization": value}) == [(b"Authorization", value.encode("latin-1"))]


def test_white_space_around_a_value_is_no_part_of_it() -> None:
    assert encode_headers({"a": " b\t"}) == [(b"a", b"b")]


@pytest.mark.parametrize("module", ["messages", "fetch", "authorities", "addresses"])
def test_nothing_but_the_client_imports_httpx(module: str) -> None:
    script = (
        f"import sys; sys.path.insert(0, 'functions'); import gateway.outbound.{module}; "
        "print({'httpx', 'httpcore', 'anyio', 'asyncio'} & set(sys.modules))"
    )

    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert printed == "set()\n"
