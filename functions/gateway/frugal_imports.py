"""Import FastAPI without building models that this function never uses.

FastAPI brings some forty pydantic models of OpenAPI documents; building their validators is a fifth of a cold start,
and this API publishes no such document. Modules are never freed, so looking for garbage among them is wasted.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import BaseModel


@contextmanager
def frugal_imports() -> Iterator[None]:
    """Models defined in the block are built at first use; the garbage collector skips what was imported."""
    gc.disable()
    BaseModel.model_config["defer_build"] = True
    try:
        yield
    finally:
        del BaseModel.model_config["defer_build"]
        gc.freeze()
        gc.enable()
