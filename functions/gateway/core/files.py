"""Files that callers upload for batch jobs, and those that hold the answers."""

import os
from typing import Literal

import msgspec

FilePurpose = Literal["batch", "batch_output"]
"""In OpenAI's words: a job's requests, or its answers."""

FILE_TTL = 30 * 24 * 3600
"""Seconds for which files are kept unless their owner says otherwise."""


class StoredFile(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a file, as it is stored. Times are Unix seconds; its bytes are in the bucket."""

    id: str
    workspace: str
    name: str
    purpose: FilePurpose
    size: int
    """Bytes."""
    created: int
    expires: int


def ordered_id(now: float) -> str:
    """Ids sort by when they were made, and nobody guesses them: 48 bits of milliseconds, 96 random bits."""
    return f"{int(now * 1000):012x}{os.urandom(12).hex()}"
