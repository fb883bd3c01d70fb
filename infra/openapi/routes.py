"""The routers' routes as operations: what there is at a path and a method, and in which dialects it is answered."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gateway.app import ROUTERS
from gateway.dialects._context import Dialect
from gateway.dialects._router import DialectRoute

ROUTES = tuple(
    route
    for router in reversed(ROUTERS)
    for route in router.routes
    if isinstance(route, DialectRoute) and route.include_in_schema
)
"""Those that the document describes. Where dialects share a path, the default route comes first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """`routes` has its own route first, then those of dialects that some requests or keys get."""

    path: str
    method: str
    name: str
    routes: Sequence[DialectRoute]

    @property
    def route(self) -> DialectRoute:
        return self.routes[0]

    @property
    def dialects(self) -> list[Dialect]:
        return [route.dialect for route in self.routes]


def read_operations() -> list[Operation]:
    """All of them; where one is at several paths, its name gets a number."""
    found = defaultdict(list)
    for route in ROUTES:
        for method in (route.methods or set()) - {"HEAD"}:
            found[_shown(route.path), method.lower()].append(route)
    names = _numbered(route.operation_id or route.name for route, *_ in found.values())
    return [
        Operation(path=path, method=method, name=next(names), routes=[*routes, *_of_marked_keys(routes[0])])
        for (path, method), routes in found.items()
    ]


def _shown(path: str) -> str:
    """A route's path as OpenAPI writes it."""
    return path.replace(":path}", "}")


def _numbered(names: Iterator[str]) -> Iterator[str]:
    counted: Counter[str] = Counter()
    for name in names:
        counted[name] += 1
        yield name if counted[name] == 1 else f"{name}{counted[name]}"


def _of_marked_keys(route: DialectRoute) -> Iterator[DialectRoute]:
    """The same operation at the other dialect's own path."""
    if route.shared_with:
        yield next(other for other in ROUTES if other.dialect is route.shared_with and other.body is route.body)
