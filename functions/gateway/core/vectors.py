"""Renderings of vectors: float32 bytes to text, to fewer dimensions, to fewer bits.

A vector is little-endian float32 bytes, shape `(dimensions,)`. NumPy is imported where it is first needed: a cold
start that answers in base64 does not pay for it.
"""

import math
from typing import TYPE_CHECKING

import pybase64

from gateway.core.embedding import Vector

if TYPE_CHECKING:
    import numpy

FLOAT32 = 4
"""Bytes."""


def to_base64(vector: Vector) -> bytes:
    """Standard alphabet, padded, of the float32 bytes."""
    return pybase64.b64encode(vector)


def to_json(vector: Vector) -> bytes:
    """A JSON array of numbers, each the shortest text that reads back to the same float32."""
    import orjson  # noqa: PLC0415  (see the module's docstring)

    return orjson.dumps(as_array(vector), option=orjson.OPT_SERIALIZE_NUMPY)


def as_array(vector: Vector) -> "numpy.ndarray[tuple[int], numpy.dtype[numpy.float32]]":
    """The vector as a NumPy array, shape `(dimensions,)`, without copying."""
    import numpy  # noqa: PLC0415  (see the module's docstring)

    return numpy.frombuffer(vector, dtype="<f4")


def is_finite(vector: Vector) -> bool:
    """Whether no component is NaN or infinite."""
    # A sum of float32 in double precision cannot overflow, and keeps any NaN or infinity it meets.
    return math.isfinite(sum(memoryview(vector).cast("B").cast("f")))


def shorten(vector: Vector, dimensions: int) -> Vector:
    """The first `dimensions` components, scaled to length one; the vector itself if it is that long already."""
    if len(vector) == dimensions * FLOAT32:
        return vector
    return normalise(memoryview(vector)[: dimensions * FLOAT32])


def normalise(vector: Vector) -> Vector:
    """The vector scaled to length one; a zero vector stays as it is."""
    array = as_array(vector).astype("f8")  # in single precision the length of a tiny vector would be rounded
    length = math.sqrt(float(array @ array))
    return vector if length == 0 else (array / length).astype("<f4").tobytes()
