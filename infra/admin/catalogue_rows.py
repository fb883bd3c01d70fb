"""A stage's providers and models together: what must hold between them, and how two such sets differ."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Literal

import msgspec

from gateway.core.catalogue import Model, Provider, unknown_providers
from gateway.providers import KINDS, OverHttp, check_provider, check_route
from gateway.stores.catalogue import MODEL, PROVIDER
from infra.admin.failures import Failure
from infra.admin.row_problems import find_model_problems, find_provider_problems
from infra.stages import read_stages

Row = Provider | Model
NEAR = timedelta(days=180)
"""How long before a vendor's end of a model the operator is told."""

Verb = Literal["add", "change", "remove"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Providers and models by name. `broken` are stored rows that cannot be read: key → what is wrong with them."""

    providers: Mapping[str, Provider] = field(default_factory=dict)
    models: Mapping[str, Model] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)

    def by_key(self) -> dict[str, Row]:
        """Every row by its sort key in the table, providers first: what models need is there before them."""
        rows: list[Row] = [*self.providers.values(), *self.models.values()]
        return {row_key(row): row for row in rows}

    def find_model(self, name: str) -> Model:
        """The model of that name or alias; raises `Failure`."""
        for row in self.models.values():
            if name == row.name or name in row.aliases:
                return row
        raise Failure(f"There is no model {name!r}: `gateway models list` names those that there are.")

    def find_provider(self, name: str) -> Provider:
        """The provider of that name; raises `Failure`."""
        if name not in self.providers:
            raise Failure(f"There is no provider {name!r}: `gateway providers list` names those that there are.")
        return self.providers[name]

    def put(self, *rows: Row) -> "Rows":
        """These and the given rows; a given one replaces its namesake."""
        return Rows(
            providers={**self.providers, **{row.name: row for row in rows if isinstance(row, Provider)}},
            models={**self.models, **{row.name: row for row in rows if isinstance(row, Model)}},
            broken={key: problem for key, problem in self.broken.items() if key not in {*map(row_key, rows)}},
        )

    def drop(self, key: str) -> "Rows":
        """These without the row of that sort key; raises `Failure` if there is none."""
        if key not in self.by_key() and key not in self.broken:
            raise Failure(f"There is no {describe(key)}.")
        kept = Rows(broken={other: problem for other, problem in self.broken.items() if other != key})
        return kept.put(*(row for other, row in self.by_key().items() if other != key))


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One row that is written or removed."""

    verb: Verb
    key: str
    row: Row | None
    fields: tuple[str, ...] = ()
    """For a changed row, its differing fields: `price: 0.02 → 0.03`."""


def row_key(row: Row) -> str:
    """The sort key of a row, as functions/gateway/stores/catalogue.py reads it."""
    return (PROVIDER if isinstance(row, Provider) else MODEL) + row.name


def describe(key: str) -> str:
    """`model text-embedding-3-small` for its sort key."""
    return key.replace("#", " ", 1)


def say_changes(changes: Iterable["Change"], name: str) -> str:
    """What a command says after it wrote one row: `The model m is set.`, and each field, from what to what."""
    told = [f"The {name} is {'set' if changes else 'as it was: nothing changed'}."]
    return "\n    ".join([*told, *(field for change in changes for field in change.fields)])


def compare(before: Rows, after: Rows) -> list[Change]:
    """The changes from `before` to `after`, in an order that never leaves a model without its provider."""
    old, new = before.by_key(), after.by_key()
    written = [_compare_row(key, old.get(key), row, before) for key, row in new.items() if old.get(key) != row]
    gone = [key for key in (*old, *before.broken) if key not in new and key not in after.broken]
    # Models are removed before the providers that they name.
    removed = [Change(verb="remove", key=key, row=None) for key in sorted(gone)]
    return [*written, *removed]


def find_problems(rows: Rows, *, allows_loopback: bool) -> list[str]:
    """What is wrong within and between rows, a sentence each."""
    regions = [stage.name for stage in read_stages()]
    return [
        *(
            problem
            for row in rows.providers.values()
            for problem in _provider_problems(row, allows_loopback=allows_loopback)
        ),
        *(problem for row in rows.models.values() for problem in _model_problems(row, rows, regions)),
        *_name_problems(rows.models.values()),
    ]


def check_change(before: Rows, after: Rows, *, allows_loopback: bool) -> None:
    """Raises `Failure` if `after` has a problem that `before` did not have.

    Old problems are ignored and can be fixed one by one.
    """
    known = set(find_problems(before, allows_loopback=allows_loopback))
    problems = [problem for problem in find_problems(after, allows_loopback=allows_loopback) if problem not in known]
    if problems:
        raise Failure("Nothing was written: " + " ".join(problems))


def find_endings(models: Iterable[Model], today: date) -> list[str]:
    """A sentence for each route whose vendor has announced to end it within half a year, or has ended it."""
    return [
        f"The model {model.name} over {route.name} {'ended' if route.ends <= today else 'ends'} on {route.ends}: "
        "the vendor may serve it no longer."
        for model in models
        for route in model.routes
        if route.ends and route.ends - today <= NEAR
    ]


def _compare_row(key: str, old: Row | None, new: Row, before: Rows) -> Change:
    if old is None:
        return Change(verb="change" if key in before.broken else "add", key=key, row=new)
    return Change(verb="change", key=key, row=new, fields=tuple(_differing_fields(old, new)))


def _differing_fields(old: Row, new: Row) -> Iterable[str]:
    return differences("", msgspec.to_builtins(old), msgspec.to_builtins(new))


def differences(path: str, before: Any, after: Any) -> Iterable[str]:  # any JSON
    """`routes.openai-eu.revision: "1" → "2"`, for each field at any depth."""
    old, new = _by_name(before), _by_name(after)
    if old is None or new is None:
        if before != after:
            yield f"{path}: {_show(before)} → {_show(after)}"
        return
    for name in sorted({*old, *new}):
        yield from differences(f"{path}.{name}" if path else name, old.get(name), new.get(name))
    # Of two routes of a region the first is used.
    if [*old] != [*new] and {*old} == {*new} and not isinstance(before, dict):
        yield f"{path}: {', '.join(old)} → {', '.join(new)}"


def _by_name(value: Any) -> dict[str, Any] | None:  # any JSON
    """What has names: an object, or a list of named ones."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list | tuple) and value and all(isinstance(item, dict) and "name" in item for item in value):
        return {item["name"]: item for item in value}
    return None


def _show(value: Any) -> str:  # any JSON
    return "nothing" if value is None else msgspec.json.encode(value).decode()


def _provider_problems(row: Provider, *, allows_loopback: bool) -> Iterable[str]:
    yield from find_provider_problems(row)
    try:
        check_provider(row, allow_loopback=allows_loopback)
    except ValueError as error:
        yield f"The provider {row.name!r} is not right: {_sentence(error)}"
    if row.url is None and isinstance(KINDS.get(row.kind), OverHttp):
        yield f"The provider {row.name!r} needs an address (url)."


def _model_problems(row: Model, rows: Rows, regions: Collection[str]) -> Iterable[str]:
    yield from find_model_problems(row, regions)
    if unknown := unknown_providers(row, rows.providers):
        yield f"The model {row.name!r} leads to providers that do not exist: {', '.join(unknown)}."
        return
    try:
        for route in row.routes:
            check_route(row, route, rows.providers[route.provider])
    except ValueError as error:
        yield f"The model {row.name!r} is not right: {_sentence(error)}"


def _sentence(error: ValueError) -> str:
    return f"{str(error).rstrip('.')}."


def _name_problems(models: Iterable[Model]) -> Iterable[str]:
    owners: dict[str, str] = {}
    for row in models:
        for name in (row.name, *row.aliases):
            if owners.setdefault(name, row.name) != row.name:
                yield f"The name {name!r} is that of two models, {owners[name]!r} and {row.name!r}."
