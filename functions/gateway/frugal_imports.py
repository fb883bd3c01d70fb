"""Importing FastAPI without paying for what a function never uses.

FastAPI brings some forty pydantic models of OpenAPI documents; building their validators is a fifth of a cold start,
and this API publishes no such document. Collecting garbage among modules that stay finds nothing, over and over.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import BaseModel


@contextmanager
def frugal_imports() -> Iterator[None]:
    """Models defined in the block are built when first used; what was imported is never looked at for garbage."""
    gc.disable()
    BaseModel.model_config["defer_build"] = True
    try:
        yield
    finally:
        del BaseModel.model_config["defer_build"]
        gc.freeze()
        gc.enable()
