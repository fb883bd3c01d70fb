"""Keys of cached vectors: they hold everything that changes a vector, and nothing else."""

import hashlib
from collections.abc import Iterable
from struct import pack

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
    prefix: str,
    truncate: bool,
    extra: str,
) -> bytes:
    """What all inputs of a request share, as 32 bytes.

    `dimensions` is the native length where a vector can be shortened, else the length asked for. `extra` are the
    parameters passed through, in one spelling. Never the user, never the encoding.
    """
    fields = (
        workspace,
        provider,
        vendor_model,
        revision,
        str(dimensions),
        purpose,
        title,
        prefix,
        str(truncate),
        extra,
    )
    # Each field follows its length, so that two neighbours cannot be cut at another place.
    framed = "".join([f"{len(field)}:{field}" for field in fields])
    return hashlib.sha256(framed.encode("utf-8", "surrogatepass")).digest()


def cache_key(scope: bytes, item: Input) -> bytes:
    """The key of one input in that scope, as 32 bytes: its exact bytes, no trimming, no lower-casing."""
    # The byte after the scope keeps a text apart from token ids that would spell the same bytes.
    if isinstance(item, str):
        return hashlib.sha256(scope + b"s" + item.encode("utf-8", "surrogatepass")).digest()
    return hashlib.sha256(scope + b"t" + pack(f"<{len(item)}I", *item)).digest()


def distinct(keys: Iterable[bytes]) -> tuple[bytes, ...]:
    """Each key once, in the order of first occurrence."""
    return tuple(dict.fromkeys(keys))
