"""Under which name a vector is remembered: everything that changes the vector, and nothing that does not."""

import hashlib
from collections.abc import Iterable

from gateway.core.embedding import Input


def cache_scope(
    *,
    workspace: str,
    provider: str,
    vendor_model: str,
    revision: str,
    dimensions: int,
    purpose: str,
    title: str,
    variant: str,
) -> bytes:
    """What all inputs of a request share, as 32 bytes.

    `dimensions` is the native length where a vector can be shortened, else the length asked for. `variant` tells apart
    what else changes a vector: truncation, parameters passed through. Never the user, never the encoding.
    """
    fields = (workspace, provider, vendor_model, revision, str(dimensions), purpose, title, variant)
    return hashlib.sha256(b"".join(_framed(field.encode()) for field in fields)).digest()


def cache_key(scope: bytes, item: Input) -> bytes:
    """The key of one input in that scope, as 32 bytes: its exact bytes, no trimming, no lower-casing."""
    return hashlib.sha256(scope + _input_bytes(item)).digest()


def _input_bytes(item: Input) -> bytes:
    # The first byte keeps a text apart from token ids that would spell the same bytes.
    if isinstance(item, str):
        return b"s" + item.encode("utf-8", "surrogatepass")
    return b"t" + b"".join(token.to_bytes(4, "little") for token in item)


def _framed(field: bytes) -> bytes:
    return len(field).to_bytes(4, "little") + field


def distinct(keys: Iterable[bytes]) -> tuple[bytes, ...]:
    """Each key once, in first-come order."""
    return tuple(dict.fromkeys(keys))
