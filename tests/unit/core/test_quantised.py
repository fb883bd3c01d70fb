"""Vectors in fewer bits."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import vectors

REAL = np.load(Path(__file__).parents[2] / "fixtures/embedded_model/vectors.npy").astype("<f4")
"""Vectors of sentence-transformers for texts of many scripts and lengths, shape `(texts, 384)`."""

float32_lists = st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=40)


def packed(values: list[float]) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def cosine(one: list[int], other: np.ndarray) -> float:
    a, b = np.array(one, dtype=float), other.astype(float)
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.mark.parametrize("row", range(len(REAL)))
def test_int8_keeps_the_direction_of_real_vectors(row: int) -> None:
    integers = json.loads(vectors.to_int8(REAL[row].tobytes()))

    assert cosine(integers, REAL[row]) > 0.999


@pytest.mark.parametrize("outlier", [1, 10, 30])
def test_int8_keeps_the_direction_where_one_component_outweighs_all_others(outlier: int) -> None:
    vector = np.random.default_rng(7).normal(0, 0.02, 1536).astype("<f4")
    vector[5] = 0.02 * outlier

    integers = json.loads(vectors.to_int8(vector.tobytes()))

    assert cosine(integers, vector) > 0.99


@given(float32_lists)
def test_int8_uses_its_whole_range_and_keeps_signs(values: list[float]) -> None:
    integers = json.loads(vectors.to_int8(packed(values)))

    assert len(integers) == len(values)
    assert max(map(abs, integers)) == (127 if any(values) else 0)
    assert all(integer * value >= 0 for integer, value in zip(integers, values, strict=True))


@given(float32_lists)
def test_uint8_is_int8_with_its_zero_at_128(values: list[float]) -> None:
    signed = json.loads(vectors.to_int8(packed(values)))
    unsigned = json.loads(vectors.to_uint8(packed(values)))

    assert [number - 128 for number in unsigned] == signed


@given(float32_lists)
def test_a_bit_tells_whether_a_component_is_greater_than_zero(values: list[float]) -> None:
    numbers = json.loads(vectors.to_ubinary(packed(values)))

    bits = "".join(f"{number:08b}" for number in numbers)
    assert len(numbers) == -(-len(values) // 8)
    assert [bit == "1" for bit in bits[: len(values)]] == [value > 0 for value in values]
    assert set(bits[len(values) :]) <= {"0"}


@given(float32_lists)
def test_binary_is_ubinary_less_128(values: list[float]) -> None:
    signed = json.loads(vectors.to_binary(packed(values)))
    unsigned = json.loads(vectors.to_ubinary(packed(values)))

    assert signed == [number - 128 for number in unsigned]


def test_the_first_component_is_the_highest_bit() -> None:
    assert json.loads(vectors.to_ubinary(packed([1.0, *[-1.0] * 8]))) == [128, 0]
    assert json.loads(vectors.to_binary(packed([1.0, *[-1.0] * 8]))) == [0, -128]


def test_vectors_are_equal_wherever_they_lie() -> None:
    """They may be slices of a vendor's answer, at any address."""
    vector = packed([0.5, -0.25, 1.0])
    slice_of_more = memoryview(b"x" + vector)[1:]

    for render in (vectors.to_int8, vectors.to_uint8, vectors.to_binary, vectors.to_ubinary):
        assert render(slice_of_more) == render(vector)
