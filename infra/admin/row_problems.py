"""What the types of a row do not catch: names that nobody can type, numbers out of range, regions without a stage."""

import re
from collections.abc import Collection, Iterable
from typing import Any

import msgspec

from gateway.core.catalogue import Model, Provider, Route

LONGEST_NAME = 256
"""Characters. DynamoDB's keys have 1,024 bytes."""

_MOST = {
    "cache_ttl": 10 * 365 * 86_400,
    "concurrency": 1_000,
    "dimensions": 65_536,
    "price": 1_000_000,
    "timeout": 900,
}
"""Of other numbers at most `_ANY`."""
_ANY = 2**53
_SECRET_NAME = re.compile(r"[A-Za-z0-9/_+=.@-]{1,256}")


def find_provider_problems(row: Provider) -> Iterable[str]:
    """What is wrong with a provider's own fields, a sentence each."""
    whose = f"The provider {row.name!r}"
    yield from _name_problems(whose, {"name": row.name, "kind": row.kind})
    yield from _number_problems(whose, row)
    if row.key is not None and not _SECRET_NAME.fullmatch(row.key):
        yield f"{whose} has the key {row.key!r}: the name of a secret has letters, digits and /_+=.@- only."


def find_model_problems(row: Model, regions: Collection[str]) -> Iterable[str]:
    """What is wrong with a model's own fields and its routes, a sentence each; `regions` are those of stages."""
    whose = f"The model {row.name!r}"
    yield from _name_problems(whose, {"name": row.name, "owner": row.owner})
    yield from _name_problems(whose, {f"alias {alias!r}": alias for alias in row.aliases})
    yield from _number_problems(whose, row)
    if row.dimension_choices and not row.shortenable:
        yield f"{whose} has dimension_choices, but is not shortenable."
    for route in row.routes:
        yield from _route_problems(f"The route {route.name!r} of the model {row.name!r}", route, regions)


def _route_problems(whose: str, route: Route, regions: Collection[str]) -> Iterable[str]:
    names = {field: getattr(route, field) for field in ("name", "provider", "vendor_model", "region", "revision")}
    yield from _name_problems(whose, names)
    yield from _number_problems(whose, route)
    if route.region not in regions:
        yield (
            f"{whose} is in {route.region!r}, which is no stage: no function would use it. "
            f"The stages are {', '.join(regions)}."
        )


def _name_problems(whose: str, names: dict[str, str]) -> Iterable[str]:
    """Control characters, line breaks, marks of direction and the like are what `isprintable` refuses."""
    for field, name in names.items():
        if not name.isprintable():
            yield f"{whose} has a character in its {field} that cannot be seen."
        if name != name.strip():
            yield f"{whose} has a blank at an end of its {field}."
        if len(name) > LONGEST_NAME:
            yield f"{whose} has a {field} of {len(name)} characters; at most {LONGEST_NAME} are possible."


def _number_problems(whose: str, row: Provider | Model | Route) -> Iterable[str]:
    for field, value in msgspec.structs.asdict(row).items():
        most = _MOST.get(field, _ANY)
        for number in _numbers(value):
            if not number <= most:  # so NaN is refused, too
                yield f"{whose} has a {field} that is out of range; the most that is possible is {most}."


def _numbers(value: Any) -> Iterable[float]:  # any field of a row
    values = value if isinstance(value, tuple) else (value,)
    return (number for number in values if isinstance(number, int | float))
