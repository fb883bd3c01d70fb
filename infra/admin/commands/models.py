"""`gateway models`: what callers may ask for."""

from typing import Annotated, Any

import msgspec
import typer

from gateway.core.catalogue import Model
from infra.admin.catalogue_files import read_row
from infra.admin.catalogue_rows import Rows
from infra.admin.catalogue_table import open_catalogue
from infra.admin.commands.providers import note_broken
from infra.admin.fields import read_fields, read_list_of_fields
from infra.admin.screen import say, show_table
from infra.admin.stages import Stage, StageOption, find_stage

# stores/catalogue.py: how long a warm function may go on with the catalogue it knows.
_FORGETTING = "Warm functions know it within a minute."

app = typer.Typer(no_args_is_help=True, help="What callers may ask for, and where it leads: set, list, remove.")

NameArgument = Annotated[str, typer.Argument(help="The model's public name.", metavar="NAME")]


@app.command("set")
def set_model(  # noqa: PLR0917  # options, which Typer reads by name
    name: NameArgument,
    stage: StageOption,
    dimensions: Annotated[int | None, typer.Option(help="The native length of a vector.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="The most tokens of one input.")] = None,
    price: Annotated[float | None, typer.Option(help="US dollars per million tokens.")] = None,
    alias: Annotated[list[str] | None, typer.Option(help="Another name of it; repeat for more. Replaces all.")] = None,
    route: Annotated[
        list[str] | None,
        typer.Option(
            help="Where it leads: provider=…,vendor_model=…,region=… and more; repeat for more. Replaces all.",
        ),
    ] = None,
    field: Annotated[
        list[str] | None, typer.Option("--set", help="Any other field of a model: name=value, the value in YAML.")
    ] = None,
) -> None:
    """Make or change a model; what is not mentioned stays as it is."""
    place = find_stage(stage)
    given = {"dimensions": dimensions, "max_tokens": max_tokens, "price": price, "aliases": alias}
    fields = {key: value for key, value in given.items() if value is not None} | read_fields(field or ())
    if route:
        fields["routes"] = [_read_route(text, name, place) for text in route]
    changes = open_catalogue(place).edit(lambda rows: rows.put(_change_row(rows, name, fields)))
    say(f"The model {name} is {'set' if changes else 'as it was'}. {_FORGETTING}")


@app.command("list")
def list_models(stage: StageOption) -> None:
    """Show the models and where they lead."""
    place = find_stage(stage)
    rows = open_catalogue(place).read().rows
    show_table(
        ("name", "aliases", "dimensions", "input tokens", "US$ per million", "leads to", "served here"),
        (
            (
                row.name,
                ", ".join(row.aliases),
                str(row.dimensions),
                str(row.max_tokens),
                "" if row.price is None else f"{row.price:g}",
                ", ".join(f"{route.provider}/{route.vendor_model}" for route in row.routes),
                "yes" if any(route.region == place.serves for route in row.routes) else "no",
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


def _read_route(text: str, model: str, stage: Stage) -> dict[str, Any]:
    """A route as typed; what is not said: the model's own name, this stage's region, the provider's name."""
    route = {"vendor_model": model, "region": stage.serves, **read_list_of_fields(text)}
    return {"name": route.get("provider"), **route}


def _change_row(rows: Rows, name: str, fields: dict[str, Any]) -> Model:
    old = rows.models.get(name)
    entry: dict[str, Any] = msgspec.to_builtins(old) if old else {"name": name}
    return read_row({**entry, **fields, "name": name}, Model, f"model {name}")
