"""Renderings of vectors."""

import base64
import json
import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import vectors

float32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
float32_lists = st.lists(float32, min_size=1, max_size=32)


def packed(values: list[float]) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


@given(float32_lists)
def test_base64_is_little_endian_float32(values: list[float]) -> None:
    text = json.loads(vectors.to_base64(packed(values)))

    assert struct.unpack(f"<{len(values)}f", base64.b64decode(text, validate=True)) == tuple(values)


@given(float32_lists)
def test_json_numbers_read_back_to_the_same_float32(values: list[float]) -> None:
    text = vectors.to_json(packed(values))

    assert packed(json.loads(text)) == packed(values)


@given(float32)
def test_a_json_number_is_as_short_as_numpy_can_write_it(value: float) -> None:
    text = vectors.to_json(packed([value]))[1:-1].decode()

    digits = text.lstrip("-").partition("e")[0].replace(".", "").strip("0")
    shortest = np.format_float_scientific(np.float32(value), unique=True, trim="-")
    assert len(digits) <= len(shortest.lstrip("-").partition("e")[0].replace(".", "").strip("0"))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@given(values=float32_lists, data=st.data())
def test_one_bad_component_is_found(bad: float, values: list[float], data: st.DataObject) -> None:
    values[data.draw(st.integers(0, len(values) - 1))] = bad

    assert not vectors.is_finite(packed(values))


@given(float32_lists)
def test_finite_vectors_pass(values: list[float]) -> None:
    assert vectors.is_finite(packed(values))
    assert vectors.is_finite(memoryview(packed(values)))


@given(st.lists(st.floats(-1, 1, width=32), min_size=2, max_size=32), st.data())
def test_a_shortened_vector_has_length_one_and_the_same_direction(values: list[float], data: st.DataObject) -> None:
    dimensions = data.draw(st.integers(1, len(values) - 1))

    short = vectors.as_array(vectors.shorten(packed(values), dimensions)).astype(float)

    prefix = np.array(values[:dimensions])
    length = float(np.linalg.norm(prefix))
    np.testing.assert_allclose(short, prefix / length if length else prefix, atol=1e-6)


def test_a_vector_of_the_right_length_is_left_alone() -> None:
    vector = packed([3.0, 4.0])

    assert vectors.shorten(vector, 2) is vector
