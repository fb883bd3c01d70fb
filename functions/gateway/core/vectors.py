"""Renderings of vectors: float32 bytes to text, to fewer dimensions, to fewer bits.

A vector is little-endian float32 bytes, shape `(dimensions,)`. NumPy is imported where it is first needed: a cold
start that answers in base64 does not pay for it.
"""

import math
from typing import TYPE_CHECKING, Any

import pybase64

from gateway.core.embedding import Vector

if TYPE_CHECKING:
    import numpy

FLOAT32 = 4
"""Bytes."""


def to_base64(vector: Vector) -> bytes:
    """A JSON string: base64 of the float32 bytes, standard alphabet, padded."""
    return b'"%b"' % pybase64.b64encode(vector)


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
    # NaN and infinity have the highest byte 0x7f or 0xff; so do values from 2 ** 127 on, which are rare.
    highest_bytes = bytes(vector)[FLOAT32 - 1 :: FLOAT32]
    if b"\x7f" not in highest_bytes and b"\xff" not in highest_bytes:
        return True
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


def to_int8(vector: Vector) -> bytes:
    """A JSON array of integers from -127 to 127: the vector scaled so that its largest component is 127.

    The scale is the vector's own, so it needs no calibration data and cuts nothing off. It keeps angles and forgets
    lengths: compare such vectors by cosine, not by dot product.
    """
    return _integers(_scaled(vector).astype("i1"))


def to_uint8(vector: Vector) -> bytes:
    """A JSON array of integers from 1 to 255: those of `to_int8`, plus 128. Take 128 off before comparing."""
    return _integers((_scaled(vector) + 128).astype("u1"))


def to_ubinary(vector: Vector) -> bytes:
    """A JSON array of bytes, an eighth as many as dimensions: a bit is one where a component is greater than zero.

    The first component is the highest bit of the first byte; a last byte that is not full ends in zeros.
    """
    return _integers(_bits(vector))


def to_binary(vector: Vector) -> bytes:
    """A JSON array of signed bytes: those of `to_ubinary`, less 128."""
    return _integers((_bits(vector).astype("i2") - 128).astype("i1"))


def _scaled(vector: Vector) -> "numpy.ndarray[tuple[int], numpy.dtype[numpy.float64]]":
    import numpy  # noqa: PLC0415  (see the module's docstring)

    array = as_array(vector).astype("f8")
    largest = numpy.abs(array).max(initial=0)
    return numpy.rint(array / largest * 127) if largest else array


def _bits(vector: Vector) -> "numpy.ndarray[tuple[int], numpy.dtype[numpy.uint8]]":
    import numpy  # noqa: PLC0415  (see the module's docstring)

    return numpy.packbits(as_array(vector) > 0, bitorder="big")


def _integers(array: "numpy.ndarray[Any, Any]") -> bytes:  # of whichever integers
    import orjson  # noqa: PLC0415  (see the module's docstring)

    return orjson.dumps(array, option=orjson.OPT_SERIALIZE_NUMPY)
