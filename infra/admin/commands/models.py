"""`gateway models`: what callers may ask for."""

import json
from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Annotated, Any

import msgspec
import typer
import yaml
from msgspec.structs import replace

from gateway.core.catalogue import Model, Route
from infra.admin.catalogue_files import read_row
from infra.admin.catalogue_rows import Rows, say_changes
from infra.admin.catalogue_table import open_catalogue
from infra.admin.commands.providers import note_broken
from infra.admin.failures import Failure, NotTried
from infra.admin.fields import read_fields, read_list_of_fields
from infra.admin.screen import note, say, show_table
from infra.admin.stages import Stage, StageOption, find_stage

# stores/catalogue.py: how long a warm function may go on with the catalogue it knows.
_FORGETTING = "Warm functions know it within a minute."

Fields = dict[str, Any]
"""A row, or a route, as a file of the catalogue has it."""

app = typer.Typer(
    no_args_is_help=True, help="What callers may ask for, and where it leads: set, show, list, revise, remove."
)

NameArgument = Annotated[str, typer.Argument(help="The model's public name.", metavar="NAME")]


@app.command("set")
def set_model(  # noqa: PLR0917  # options, which Typer reads by name
    name: NameArgument,
    stage: StageOption,
    dimensions: Annotated[int | None, typer.Option(help="The native length of a vector.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="The most tokens of one input.")] = None,
    price: Annotated[
        float | None, typer.Option(help="US dollars per million tokens; callers see it in /v1/models.")
    ] = None,
    alias: Annotated[
        list[str] | None,
        typer.Option(help="Another name of it; repeat for more. Replaces all that there are; '' leaves none."),
    ] = None,
    route: Annotated[
        list[str] | None,
        typer.Option(
            help="Where it leads: provider=…,vendor_model=…,region=… and more; repeat for more. Changes the route of "
            "that name, which is the provider's if no name=… is given, or adds it: then vendor_model is the model's "
            "name and region this stage, if not said.",
        ),
    ] = None,
    without_route: Annotated[list[str] | None, typer.Option(help="A route that it loses; repeat for more.")] = None,
    field: Annotated[
        list[str] | None, typer.Option("--set", help="Any other field of a model: name=value, the value in YAML.")
    ] = None,
) -> None:
    """Make or change a model. What is not mentioned stays as it is, and every change is shown.

    Of a route, too: --route provider=p,max_tokens=9 changes these fields of the route p, and no other route.
    """
    place = find_stage(stage)
    given = {"dimensions": dimensions, "max_tokens": max_tokens, "price": price}
    fields = {key: value for key, value in given.items() if value is not None} | read_fields(field or ())
    if alias is not None:
        fields["aliases"] = [other for other in alias if other]
    change_routes = partial(
        _change_routes,
        given=[_read_route(text) for text in route or ()],
        gone=without_route or (),
        defaults={"vendor_model": name, "region": place.serves},
    )
    _write(place, name, lambda rows: rows.put(_change_row(rows.models.get(name), name, fields, change_routes)))


@app.command("show")
def show_model(name: NameArgument, stage: StageOption) -> None:
    """Show all that is stored of a model, as it would stand in a file of the catalogue."""
    row = open_catalogue(find_stage(stage)).read().rows.find_model(name)
    say(yaml.safe_dump(json.loads(msgspec.json.encode(row)), sort_keys=False, allow_unicode=True).rstrip())


@app.command("revise")
def revise(
    name: NameArgument,
    stage: StageOption,
    route: Annotated[str, typer.Option(help="The name of the route, as `models show` says it.", metavar="ROUTE")],
    revision: Annotated[str, typer.Option(help="Any word, other than those it had before.", metavar="WORD")],
) -> None:
    """Say that the vendor changed the weights behind a route: vectors that are cached of it are not served any more.

    Until warm functions know it they serve and keep old ones; those are not served afterwards either.
    """
    place = find_stage(stage)

    row = open_catalogue(place).read().rows.find_model(name)
    _write(place, row.name, lambda rows: rows.put(_revise(rows.find_model(name), route, revision)))


@app.command("list")
def list_models(stage: StageOption) -> None:
    """Show the models and where they lead."""
    place = find_stage(stage)
    rows = open_catalogue(place).read().rows
    show_table(
        ("name", "aliases", "dimensions", "input tokens", "US$ per million", "leads to", "served here", "ends"),
        (
            (
                row.name,
                ", ".join(row.aliases),
                str(row.dimensions),
                str(row.max_tokens),
                _show_price(row, place),
                ", ".join(f"{route.provider}/{route.vendor_model} ({route.region})" for route in row.routes),
                "yes" if _routes_here(row, place) else "no",
                min((str(route.ends) for route in _routes_here(row, place) if route.ends), default=""),
            )
            for row in sorted(rows.models.values(), key=lambda row: row.name)
        ),
    )
    note_broken(rows, "model")


@app.command("remove")
def remove(
    name: NameArgument, stage: StageOption, *, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False
) -> None:
    """Remove a model: callers then get an error that it does not exist."""
    if not yes:
        typer.confirm(f"Remove the model {name} from {stage}?", abort=True)
    open_catalogue(find_stage(stage)).edit(lambda rows: rows.drop(f"model#{name}"))
    say(f"The model {name} is removed. Warm functions forget it within a minute.")


def _routes_here(row: Model, stage: Stage) -> list[Route]:
    return [route for route in row.routes if route.region == stage.serves]


def _show_price(row: Model, stage: Stage) -> str:
    """Of the route that the stage takes, where it has one of its own."""
    here = [route.price for route in _routes_here(row, stage) if route.price is not None]
    price = here[0] if here else row.price
    return "" if price is None else f"{price:g}"


def _write(stage: Stage, name: str, change: Callable[[Rows], Rows]) -> None:
    changes = open_catalogue(stage).edit(change)
    say(say_changes(changes, f"model {name}"))
    if changes:
        note(_FORGETTING)


def _read_route(text: str) -> Fields:
    """A route's fields as typed; its name is its provider's, if it is not said."""
    fields = read_list_of_fields(text)
    if not fields.keys() & {"name", "provider"}:
        raise NotTried(f"The route {text!r} has neither a provider=… nor a name=….")
    return {"name": fields.get("provider"), **fields}


def _change_row(
    old: Model | None, name: str, fields: Fields, change_routes: Callable[[Iterable[Fields]], list[Fields]]
) -> Model:
    entry: Fields = msgspec.to_builtins(old) if old else {"name": name}
    changed = {**entry, **fields, "name": name}
    place = f"model {name}"
    old_routes = msgspec.to_builtins(read_row(changed, Model, place).routes) if "routes" in changed else ()
    routes = change_routes(old_routes)
    if routes or old_routes:  # else the first mistake to tell of may be another
        changed["routes"] = routes
    return read_row(changed, Model, place)


def _change_routes(
    old: Iterable[Fields], *, given: Iterable[Fields], gone: Collection[str], defaults: Fields
) -> list[Fields]:
    """The old routes, changed or added to by those that are given, without those that are gone."""
    by_name = {route["name"]: route for route in old}
    for route in given:
        by_name[route["name"]] = {**by_name.get(route["name"], defaults), **route}
    if unknown := sorted(set(gone) - by_name.keys()):
        raise Failure(f"There is no route {unknown[0]!r} to remove, only {', '.join(by_name)}.")
    return [route for name, route in by_name.items() if name not in gone]


def _revise(row: Model, name: str, revision: str) -> Model:
    if name not in {route.name for route in row.routes}:
        raise Failure(f"The model {row.name} has no route {name!r}: it has {', '.join(at.name for at in row.routes)}.")
    routes = (replace(route, revision=revision) if route.name == name else route for route in row.routes)
    return replace(row, routes=tuple(routes))
