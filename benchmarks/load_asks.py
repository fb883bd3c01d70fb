"""Requests of every dialect, right ones and wrong ones, each with what must come back.

What is right is known before it is asked: of the fake vendor's vectors by its rule, of our own model's by what
sentence-transformers makes of the same texts.
"""

import itertools
import json
import random
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy
import orjson
import pybase64
from numpy.typing import NDArray

from tests.e2e.clients.stage import OWN_MODEL
from tests.e2e.clients.vendor import VENDOR_DIMENSIONS, VENDOR_MODEL
from tests.fakes.openai_vendor import vector

Vectors = NDArray[numpy.float32]
"""Shape `(inputs, dimensions)`."""
Json = dict[str, Any]  # JSON at the border

FIXTURE = Path(__file__).parents[1] / "tests" / "fixtures" / "embedded_model"
SHORT = 256
"""Dimensions of a shortened vector."""
SIZES = (1, 1, 1, 1, 2, 3, 8, 24, 64)
"""Inputs of a request, each as likely as it is often here."""
HOT = 150
"""Texts for the vendor that are asked for again and again."""
NEW = 0.5
"""The share of those that are asked for once."""
PAST_THE_CACHE = 0.2
"""The share of requests that do not want what the cache has."""
WORDS = ("river", "cloud", "Straße", "模型", "glass", "seven", "—", "embed", "quiet", "Ωmega", "paper", "🌊", "stone")
WRONG = 0.08
"""The share of requests that must be refused."""
WITHIN = {VENDOR_MODEL: 1e-6, OWN_MODEL: 1e-4}
"""How much a component may differ: float32 in decimal digits; another order of additions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request, and what must come back: `status`, and of a 200 the `vectors` that `read` finds in it."""

    name: str
    path: str
    headers: dict[str, str]
    content: bytes
    method: str = "POST"
    status: int = 200
    vectors: Vectors | None = None
    within: float = 0.0
    read: Callable[[Json], Vectors] = field(default=lambda _: numpy.empty(0, "f4"))

    def is_answered_by(self, status: int, body: bytes) -> bool:
        """Whether that is what must come back."""
        if status != self.status or self.vectors is None:
            return status == self.status
        found = self.read(orjson.loads(body))
        return found.shape == self.vectors.shape and bool((abs(found - self.vectors) <= self.within).all())


class Truth:
    """Texts and their vectors, by model. Half of the texts for the vendor were never asked for before."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._numbers = itertools.count()
        self._run = secrets.token_hex(4)  # what an earlier run asked for is known to the cache
        self._own = _published()
        self._known = {OWN_MODEL: list(self._own), VENDOR_MODEL: [self._new_text() for _ in range(HOT)]}

    def texts(self, model: str, size: int) -> list[str]:
        """So many texts that the model can read."""
        return [self._text(model) for _ in range(size)]

    def vectors(self, model: str, texts: Sequence[str], dimensions: int) -> Vectors:
        """What must come back for these texts."""
        of_text = self._own.__getitem__ if model == OWN_MODEL else partial(_vendor_vector, dimensions=dimensions)
        return numpy.stack([of_text(text) for text in texts])

    def _text(self, model: str) -> str:
        is_new = model == VENDOR_MODEL and self._dice.random() < NEW
        return self._new_text() if is_new else self._dice.choice(self._known[model])

    def _new_text(self) -> str:
        words = self._dice.choices(WORDS, k=self._dice.randint(1, 40))
        return f"{self._run} {next(self._numbers)} {' '.join(words)}"


class Asks:
    """Any number of requests, with these keys."""

    def __init__(self, keys: Sequence[str], wrong_key: str, seed: int) -> None:
        self._keys = keys
        self._wrong_key = wrong_key
        self._dice = random.Random(seed)
        self._truth = Truth(self._dice)

    def __iter__(self) -> Iterator[Ask]:
        while True:
            yield self._refused() if self._dice.random() < WRONG else self._answered()

    def _answered(self) -> Ask:
        make = self._dice.choice([self._openai_like, self._openai_like, self._openai_like, self._gemini])
        model = self._dice.choice([VENDOR_MODEL, VENDOR_MODEL, OWN_MODEL])
        dimensions = self._dice.choice([VENDOR_DIMENSIONS, SHORT]) if model == VENDOR_MODEL else 384
        texts = self._truth.texts(model, self._dice.choice(SIZES))
        return make(model, texts, dimensions)

    def _openai_like(self, model: str, texts: Sequence[str], dimensions: int) -> Ask:
        name, (path, header, fields) = self._dice.choice(list(OPENAI_LIKE.items()))
        encoding = self._dice.choice(["float", "base64"])
        body = {"model": model, "input": list(texts), "encoding_format": encoding, "dimensions": dimensions}
        return Ask(
            name=f"{name}, {len(texts)} {encoding} of {model}",
            path=path.format(model=model),
            headers=self._headers(header),
            content=json.dumps(body).encode(),
            vectors=self._truth.vectors(model, texts, dimensions),
            within=WITHIN[model],
            read=lambda answer: _openai_vectors(answer, fields),
        )

    def _gemini(self, model: str, texts: Sequence[str], dimensions: int) -> Ask:
        contents = [_gemini_content(text, dimensions) for text in texts]
        verb, body = (
            ("embedContent", contents[0]) if len(texts) == 1 else ("batchEmbedContents", {"requests": contents})
        )
        return Ask(
            name=f"gemini, {len(texts)} of {model}",
            path=f"/v1beta/models/{model}:{verb}",
            headers=self._headers("x-goog-api-key"),
            content=json.dumps(body).encode(),
            vectors=self._truth.vectors(model, texts, dimensions),
            within=WITHIN[model],
            read=_gemini_vectors,
        )

    def _refused(self) -> Ask:
        name, status, path, change = self._dice.choice(REFUSED)
        body = {"model": VENDOR_MODEL, "input": ["some text"]} | change
        key = self._wrong_key if name == "a wrong key" else self._dice.choice(self._keys)
        return Ask(
            name=name,
            path=path,
            headers={"content-type": "application/json", "authorization": f"Bearer {key}"},
            content=b"{" if name == "no JSON" else json.dumps(body).encode(),
            method="PUT" if name == "a wrong method" else "POST",
            status=status,
        )

    def _headers(self, header: str) -> dict[str, str]:
        key = self._dice.choice(self._keys)
        headers = {"content-type": "application/json", header: f"Bearer {key}" if header == "authorization" else key}
        return headers | {"cache-control": "no-cache"} if self._dice.random() < PAST_THE_CACHE else headers


OPENAI_LIKE: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "openai": ("/v1/embeddings", "authorization", ("embedding",)),
    "langdock": ("/openai/eu/v1/embeddings", "authorization", ("embedding",)),
    "azure-openai": ("/openai/deployments/{model}/embeddings?api-version=2024-10-21", "api-key", ("embedding",)),
    "azure": ("/models/embeddings?api-version=2024-05-01-preview", "api-key", ("embedding",)),
    "ctyun": ("/ctyun/v1/embeddings", "authorization", ("embedding", "embeddings")),
}
"""By dialect: its path, the header of the key, and the fields that hold a vector."""

REFUSED: Sequence[tuple[str, int, str, Json]] = (
    ("a wrong key", 401, "/v1/embeddings", {}),
    ("an unknown model", 404, "/v1/embeddings", {"model": "no-such-model"}),
    ("an empty text", 400, "/v1/embeddings", {"input": ["good", ""]}),
    ("no such dimensions", 422, "/embeddings", {"dimensions": 5000}),
    ("an unknown parameter", 400, "/ctyun/v1/embeddings", {"colour": "red"}),
    ("an unknown path", 404, "/v1/embedding", {}),
    ("another region", 403, "/openai/us/v1/embeddings", {}),
    ("a wrong method", 405, "/v1/embeddings", {}),
    ("no JSON", 400, "/openai/v1/embeddings", {}),
    ("no such field", 400, f"/v1beta/models/{VENDOR_MODEL}:embedContent", {}),
)
"""What is wrong, the status that it must get, where, and how the body differs from a good one of OpenAI's."""


@lru_cache(maxsize=4 * HOT)
def _vendor_vector(text: str, *, dimensions: int) -> Vectors:
    return numpy.array(vector(text, dimensions), "f4")


def _published() -> dict[str, Vectors]:
    """Texts that fit the model, and what sentence-transformers makes of them."""
    texts = json.loads((FIXTURE / "expected.json").read_bytes())["texts"]
    vectors = numpy.load(FIXTURE / "vectors.npy")
    return {it["text"]: row for it, row in zip(texts, vectors, strict=True) if it["text"] and it["tokens"] <= 200}


def _gemini_content(text: str, dimensions: int) -> Json:
    return {"content": {"parts": [{"text": text}]}, "outputDimensionality": dimensions}


def _openai_vectors(answer: Json, fields: Sequence[str]) -> Vectors:
    """In the order of their indexes, which must be 0, 1, 2 ...; where a vector stands twice, both must be equal."""
    places = [item["index"] for item in answer["data"]]
    found = [[_read(item[name]) for item in answer["data"]] for name in fields]
    if places != list(range(len(places))) or any(not numpy.array_equal(found[0], other) for other in found[1:]):
        return numpy.empty(0, "f4")
    return numpy.stack(found[0])


def _gemini_vectors(answer: Json) -> Vectors:
    embeddings = answer["embeddings"] if "embeddings" in answer else [answer["embedding"]]
    return numpy.stack([_read(embedding["values"]) for embedding in embeddings])


def _read(value: str | list[float]) -> Vectors:
    if isinstance(value, str):
        return numpy.frombuffer(pybase64.b64decode(value, validate=True), "<f4")
    return numpy.array(value, "f4")
