"""Vectors out of a vendor's JSON, for every vendor: numbers or base64 become checked float32 bytes."""

import struct
from collections.abc import Sequence, Sized
from typing import Protocol

import msgspec
import pybase64

from gateway.core.embedding import Vector
from gateway.core.errors import ProviderMisbehaved
from gateway.core.ports import ProviderCall
from gateway.core.shown import listed
from gateway.core.vectors import FLOAT32, is_finite
from gateway.providers._error_body import UNREADABLE

_FLOATS = msgspec.json.Decoder(list[float])
_TEXT = msgspec.json.Decoder(str)
_QUOTE = b'"'
_FROM_URL_SAFE = str.maketrans("-_", "+/")
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

    If all indexes are left out, the order is that of the inputs. One that is left out is the place that is free: as
    protocol buffers leave out a 0.
    """
    _check_count(call, items)
    indexes = [item.index for item in items]
    places_in_order = list(range(len(items)))
    if indexes == places_in_order or indexes.count(None) == len(items):
        return read_vectors(call, [item.embedding for item in items])
    free = set(places_in_order).difference(index for index in indexes if index is not None)
    if indexes.count(None) == 1 and len(free) == 1:
        indexes[indexes.index(None)] = free.pop()
    places = {index: item.embedding for index, item in zip(indexes, items, strict=True)}
    if places.keys() != set(places_in_order):
        raise ProviderMisbehaved(
            f"The provider's answer has no place for its indexes: {listed(list(map(str, indexes)))}."
        )
    return read_vectors(call, [places[index] for index in places_in_order])


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
        return _from_unusual_base64(text)


def _from_unusual_base64(text: memoryview) -> bytes:
    """Escaped by a JSON writer, in lines, without its padding, or in the alphabet for URLs: each has one meaning."""
    try:
        letters = "".join(_TEXT.decode(text).split()).rstrip("=")
        alphabet = letters if "+" in letters or "/" in letters else letters.translate(_FROM_URL_SAFE)
        return pybase64.b64decode(alphabet + "=" * (-len(alphabet) % 4), validate=True)
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
