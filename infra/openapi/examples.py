"""Examples: golden bodies, which tests compare byte by byte, each with the route that answered it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.dialects._router import DialectRoute

ROOT = Path(__file__).parents[2]
GOLDENS = ROOT / "tests" / "fixtures" / "wire"

REQUEST_ID = "0a1b2c3d4e5f"
"""That of every example."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A golden file, which `tests/unit/dialects/golden.py` explains. `name` is its dialect and its own name."""

    name: str
    route: DialectRoute
    golden: Json

    @property
    def status(self) -> int:
        status: int = self.golden["answer"]["status"]
        return status

    @property
    def request(self) -> Json:
        return {"summary": self.golden["title"], "value": self.golden["request"]["body"]}

    @property
    def answer(self) -> Json:
        text = self.golden["answer"]["text"].replace("$REQUEST_ID", REQUEST_ID)
        return {"summary": self.golden["title"], "value": json.loads(text)}

    def fits(self, route: DialectRoute) -> bool:
        """Whether it could have been answered there as well."""
        own = self.route
        return (own.dialect, own.body, own.answer) == (route.dialect, route.body, route.answer)


def read_examples(routes: Sequence[DialectRoute]) -> list[Example]:
    """All of them, in the order of their names."""
    return [_read(file, routes) for file in sorted(GOLDENS.glob("*/*.json"))]


def _read(file: Path, routes: Sequence[DialectRoute]) -> Example:
    golden = json.loads(file.read_text("utf-8"))
    path = golden["request"]["path"].partition("?")[0]
    dialect = file.parent.name
    (route, *_) = [
        route
        for route in routes
        if route.dialect.name == dialect
        and golden["request"]["method"] in (route.methods or ())
        and route.path_regex.fullmatch(path)
    ]
    return Example(name=f"{dialect}.{file.stem}", route=route, golden=golden)


def model_of(dialect: str, examples: Sequence[Example]) -> str:
    """The model of the dialect's first example, if it has one."""
    names = [str(each.golden["model"]["name"]) for each in examples if each.route.dialect.name == dialect]
    return names[0] if names else "text-embedding-3-small"
