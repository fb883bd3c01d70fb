"""What is imported frugally works as ever, only later."""

import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest
from pydantic import BaseModel, ValidationError

from gateway.frugal_imports import frugal_imports


@pytest.fixture(autouse=True)
def _thaw() -> Iterator[None]:
    """The test's own process has garbage to collect."""
    yield
    gc.unfreeze()


def test_a_model_is_built_when_it_is_first_used() -> None:
    with frugal_imports():

        class Pair(BaseModel):
            left: int
            right: int

    complete_before = Pair.__pydantic_complete__

    pair = Pair.model_validate_json('{"left": 1, "right": 2}')

    assert not complete_before
    assert pair == Pair(left=1, right=2)
    with pytest.raises(ValidationError):
        Pair.model_validate_json('{"left": "one", "right": 2}')


def test_a_model_outside_of_the_block_is_built_at_once() -> None:
    with frugal_imports():
        pass

    class Single(BaseModel):
        value: int

    assert Single.__pydantic_complete__


def test_garbage_is_collected_again_after_the_block_even_if_an_import_fails() -> None:
    with pytest.raises(ImportError), frugal_imports():
        raise ImportError

    assert gc.isenabled()
    assert "defer_build" not in BaseModel.model_config


def test_fastapi_imported_frugally_still_validates_and_describes_itself() -> None:
    program = """
from gateway.frugal_imports import frugal_imports

with frugal_imports():
    from fastapi import FastAPI
    from pydantic import BaseModel

class Body(BaseModel):
    text: str

app = FastAPI()

@app.post("/echo")
def echo(body: Body) -> Body:
    return body

print(app.openapi()["paths"]["/echo"]["post"]["requestBody"]["required"])
"""

    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=path())

    assert printed.stdout == "True\n"


def path() -> dict[str, str]:
    """Where the program finds the packages that this process finds."""
    return {"PYTHONPATH": ":".join(filter(None, sys.path))}
