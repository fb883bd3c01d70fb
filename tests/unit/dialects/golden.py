"""Requests and answers as they were written down, in `tests/fixtures/wire/<dialect>/<case>.json`.

A file holds its `source`, the `model` and `vectors` behind it, the `request`, the `answer` to the last byte, and
`document`, what the vendor's own page prints as the answer, if it prints one. They are also the
examples of the OpenAPI document.
"""

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec

from gateway.core.catalogue import Model, Symmetry
from gateway.core.embedding import EmbeddingResult, Purpose
from tests.fakes.echo_provider import EchoProvider
from tests.fakes.models import make_model
from tests.unit.dialects.stage import KEY, Stage

FOLDER = Path(__file__).parents[2] / "fixtures" / "wire"


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """One file, its JSON parsed."""

    name: str
    title: str
    source: str
    model: dict[str, Any]
    request: dict[str, Any]
    answer: dict[str, Any]
    vectors: Sequence[Sequence[float]] = ()
    tokens: int = 0
    document: dict[str, Any] | None = None

    @classmethod
    def read(cls, path: Path) -> "Golden":
        name = path.relative_to(FOLDER).with_suffix("").as_posix()
        return cls(name=name, **json.loads(path.read_text("utf-8")))

    @property
    def stage(self) -> Stage:
        """One with the vectors of the file behind it."""
        return Stage(models=[_model(self)], provider=EchoProvider(spoils=lambda _: _result(self)))

    @property
    def headers(self) -> dict[str, str]:
        """The request's, with a key that the stage knows."""
        return {name: value.replace("$KEY", KEY) for name, value in self.request["headers"].items()}

    @property
    def body(self) -> str | None:
        """The request's, as JSON."""
        return json.dumps(self.request["body"], ensure_ascii=False) if "body" in self.request else None


def every_golden() -> list[Golden]:
    return [Golden.read(path) for path in sorted(FOLDER.rglob("*.json"))]


async def answer_to(golden: Golden) -> httpx.Response:
    """What the app says to that request."""
    request = golden.request
    content = {} if golden.body is None else {"content": golden.body.encode()}
    return await golden.stage.send(request["method"], request["path"], headers=golden.headers, **content)


def _model(golden: Golden) -> Model:
    fields = {"dimensions": len(golden.vectors[0]) if golden.vectors else 1} | golden.model
    by_purpose = fields.pop("by_purpose")
    model = make_model(**fields | {"aliases": tuple(fields["aliases"])})
    if not by_purpose:
        return model
    rules = dict.fromkeys(Purpose, "native")
    return msgspec.structs.replace(model, symmetry=Symmetry.BY_PURPOSE, purposes=rules, accepts_title=True)


def _result(golden: Golden) -> EmbeddingResult:
    vectors = tuple(struct.pack(f"<{len(vector)}f", *vector) for vector in golden.vectors)
    return EmbeddingResult(vectors=vectors, tokens=golden.tokens)
