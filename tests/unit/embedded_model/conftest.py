"""The real model, converted once per checkout, and what sentence-transformers makes of the texts in the fixture."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from embedded_model import build
from embedded_model.encoder import Encoder

ROOT = Path(__file__).parents[3]
FIXTURE = ROOT / "tests/fixtures/embedded_model"


@dataclass(frozen=True, slots=True)
class Expected:
    """What sentence-transformers said: `tokens` of the whole text, `vectors` of its first 256."""

    kinds: list[str]
    texts: list[str]
    tokens: list[int]
    vectors: NDArray[np.float32]


@pytest.fixture(scope="session")
def expected() -> Expected:
    texts = json.loads((FIXTURE / "expected.json").read_bytes())["texts"]
    return Expected(
        kinds=[text["kind"] for text in texts],
        texts=[text["text"] for text in texts],
        tokens=[text["tokens"] for text in texts],
        vectors=np.load(FIXTURE / "vectors.npy"),
    )


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    cache = Path(os.environ.get("EMBEDDED_MODEL_CACHE") or ROOT / ".local/embedded_model")
    return Encoder.load(build.convert_model(cache))
