"""Vectors out of a vendor's JSON, for every vendor: numbers or base64 become checked float32 bytes."""

import struct
from collections.abc import Sequence, Sized
from typing import Protocol

import msgspec
import pybase64

from gateway.core.embedding import Vector
from gateway.core.errors import ProviderMisbehaved
from gateway.core.ports import ProviderCall
from gateway.core.vectors import FLOAT32, is_finite
from gateway.providers._errors import UNREADABLE

_FLOATS = msgspec.json.Decoder(list[float])
_TEXT = msgspec.json.Decoder(str)
_QUOTE = b'"'
ZEROS = b"\x00\x80"
"""Bytes of 0.0 and -0.0 in float32: most vectors have another one near their ends, which is soon seen."""


class Item(Protocol):
    """An embedding with its index."""

    @property
    def index(self) -> int | None:
        """The position of its input in the call, `None` if the vendor left it out."""

    @property
    def embedding(self) -> msgspec.Raw:
        """A base64 string or an array of numbers."""


def read_items(call: ProviderCall, items: Sequence[Item]) -> tuple[Vector, ...]:
    """The vectors of a call in input order, whatever order the vendor chose; raises `ProviderMisbehaved`.

    An index that is left out is 0, as protocol buffers have it. If all are left out, the order is that of the inputs.
    """
    _check_count(call, items)
    if all(item.index is None for item in items):
        return read_vectors(call, [item.embedding for item in items])
    ordered: list[msgspec.Raw | None] = [None] * len(items)
    for item in items:
        index = item.index or 0
        if not 0 <= index < len(items) or ordered[index] is not None:
            raise ProviderMisbehaved(f"The provider's answer has no place for its index {index}.")
        ordered[index] = item.embedding
    # As many items as places, none used twice: every place is filled.
    return read_vectors(call, [embedding for embedding in ordered if embedding is not None])


def read_vectors(call: ProviderCall, embeddings: Sequence[msgspec.Raw]) -> tuple[Vector, ...]:
    """The vectors of a call, from embeddings in input order: one per input, finite, and of the length asked for.

    Each is a base64 string of little-endian float32 or an array of numbers: vendors send what they like. Raises
    `ProviderMisbehaved`.
    """
    _check_count(call, embeddings)
    size = FLOAT32 * (call.dimensions or call.native_dimensions)
    return tuple([_vector(embedding, size) for embedding in embeddings])


def _check_count(call: ProviderCall, found: Sized) -> None:
    if len(found) != len(call.inputs):
        raise ProviderMisbehaved(f"The provider answered {len(found)} vectors to {len(call.inputs)} inputs.")


def _vector(embedding: msgspec.Raw, size: int) -> Vector:
    text = memoryview(embedding)
    vector = _from_base64(text) if text[:1] == _QUOTE else _from_numbers(embedding)
    if len(vector) != size:
        raise ProviderMisbehaved(
            f"The provider answered a vector of {len(vector) / FLOAT32:g} dimensions instead of {size // FLOAT32}."
        )
    if not is_finite(vector):
        raise ProviderMisbehaved("The provider answered a vector that is not finite.")
    if not vector.strip(ZEROS) and not any(memoryview(vector).cast("f")):
        raise ProviderMisbehaved("The provider answered a vector of zeros, which has no direction.")
    return vector


def _from_base64(text: memoryview) -> bytes:
    try:
        return pybase64.b64decode(text[1:-1], validate=True)
    except ValueError:
        return _from_escaped_base64(text)


def _from_escaped_base64(text: memoryview) -> bytes:
    """JSON writers that escape `/` or `+` are rare, but right."""
    try:
        return pybase64.b64decode(_TEXT.decode(text), validate=True)
    except (ValueError, msgspec.MsgspecError) as error:
        raise ProviderMisbehaved("The provider answered a vector that is not base64.") from error


def _from_numbers(embedding: msgspec.Raw) -> bytes:
    try:
        numbers = _FLOATS.decode(embedding)
        return struct.pack(f"<{len(numbers)}f", *numbers)
    except OverflowError as error:
        raise ProviderMisbehaved("The provider answered a vector beyond float32.") from error
    except UNREADABLE as error:
        raise ProviderMisbehaved("The provider answered a vector that is neither numbers nor base64.") from error
