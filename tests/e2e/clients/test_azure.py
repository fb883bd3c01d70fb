"""Microsoft's clients get each of the six encodings that their interface knows, of one and the same vector."""

import base64
import struct
from typing import Any

import numpy
import pytest

from tests.e2e.clients.drivers import Driver, Drivers, Program
from tests.e2e.clients.stage import OWN_MODEL, Stage

AZURE_SDKS = (
    Program(environment="established", name="azure_inference_client"),
    Program(environment="javascript", name="azure_rest"),
)
azure_sdks = pytest.mark.parametrize("program", AZURE_SDKS, ids=lambda program: program.id)


def embed(driver: Driver, stage: Stage, encoding: str) -> Any:
    """Our own model's vector of one text, in that encoding: a string for base64, else a NumPy array."""
    asked = {"model": OWN_MODEL, "input": f"{stage.marker} in six encodings"}
    outcome = driver.embed(key=stage.workspace.key, encoding_format=encoding, **asked)
    assert outcome.error is None
    (vector,) = outcome.vectors
    return vector if isinstance(vector, str) else numpy.array(vector)


@azure_sdks
def test_base64_holds_the_floats(program: Program, drivers: Drivers, stage: Stage) -> None:
    floats = embed(drivers[program], stage, "float")

    encoded = embed(drivers[program], stage, "base64")

    assert base64.b64decode(encoded, validate=True) == struct.pack("<384f", *floats)


@azure_sdks
@pytest.mark.parametrize(("encoding", "middle"), [("int8", 0), ("uint8", 128)])
def test_bytes_point_the_same_way_as_the_floats(
    program: Program, drivers: Drivers, stage: Stage, encoding: str, middle: int
) -> None:
    floats = embed(drivers[program], stage, "float")

    numbers = embed(drivers[program], stage, encoding)

    assert numbers.min() >= middle - 128
    assert numbers.max() <= middle + 127
    assert cosine(floats, numbers - middle) > 0.99


@azure_sdks
def test_bits_are_the_signs_of_the_floats(program: Program, drivers: Drivers, stage: Stage) -> None:
    floats = embed(drivers[program], stage, "float")

    unsigned, signed = (embed(drivers[program], stage, encoding) for encoding in ("ubinary", "binary"))

    assert unsigned.tolist() == numpy.packbits(floats > 0).tolist()
    assert signed.tolist() == (unsigned - 128).tolist()


def cosine(one: numpy.ndarray, other: numpy.ndarray) -> float:
    """1 for vectors that point the same way."""
    return float(one @ other / (numpy.linalg.norm(one) * numpy.linalg.norm(other)))
