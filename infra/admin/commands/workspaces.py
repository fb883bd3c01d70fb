"""`gateway workspaces`: who calls, and how much they may."""

from typing import Annotated, Any

import msgspec
import typer

from gateway.stores.catalogue import FRESH, WorkspaceRow
from infra.admin.api_keys import open_api_keys
from infra.admin.failures import Failure
from infra.admin.screen import note, say, show_table
from infra.admin.stages import StageOption, find_stage
from infra.admin.workspaces import SharedPathDialect, Workspaces, check_name, open_workspaces

app = typer.Typer(no_args_is_help=True, help="Who calls, and how much they may: set, show.")


@app.command("set")
def set_workspace(
    name: Annotated[str, typer.Argument(help="The workspace: 1 to 32 of a-z, 0-9 and hyphens.", metavar="NAME")],
    stage: StageOption,
    requests_per_minute: Annotated[int | None, typer.Option(min=0, help="0 admits nothing. First: 500.")] = None,
    tokens_per_minute: Annotated[int | None, typer.Option(min=0, help="0 admits nothing. First: 60000.")] = None,
    dialect: Annotated[SharedPathDialect | None, typer.Option(help="What its keys speak at /v1/embeddings.")] = None,
) -> None:
    """Make or change a workspace; what is not mentioned stays as it is."""
    check_name(name)
    limits = {"requests": requests_per_minute, "tokens": tokens_per_minute}
    row = open_workspaces(find_stage(stage)).edit(name, lambda old: _change(old, name, limits, dialect))
    say(
        f"The workspace {name} may make {row.limits.requests} requests with {row.limits.tokens} tokens a minute. "
        f"Warm functions know it within {FRESH / 60:g} minute."
    )


@app.command("show")
def show(
    stage: StageOption,
    name: Annotated[str | None, typer.Argument(help="One workspace. Default: all.", metavar="NAME")] = None,
) -> None:
    """Show a workspace, or all of them."""
    place = find_stage(stage)
    workspaces, keys = open_workspaces(place), open_api_keys(place)
    names = [name] if name else workspaces.names()
    if not names:
        note(f"The stage {stage} has no workspaces.")
        return
    show_table(
        ("workspace", "requests a minute", "tokens a minute", "dialect", "keys"),
        [_describe(_find(workspaces, each, stage), len(keys.read(each))) for each in names],
    )


def _change(
    old: WorkspaceRow | None, name: str, limits: dict[str, int | None], dialect: SharedPathDialect | None
) -> WorkspaceRow:
    entry: dict[str, Any] = msgspec.to_builtins(old or WorkspaceRow(name=name))
    entry["limits"] |= {field: value for field, value in limits.items() if value is not None}
    if dialect:
        entry["dialect"] = dialect
    return msgspec.convert(entry, WorkspaceRow)


def _find(workspaces: Workspaces, name: str, stage: str) -> WorkspaceRow:
    row = workspaces.read(name)
    if row is None:
        raise Failure(f"There is no workspace {name!r} in {stage}: `gateway workspaces set {name}` makes it.")
    return row


def _describe(row: WorkspaceRow, keys: int) -> tuple[str, ...]:
    return (row.name, str(row.limits.requests), str(row.limits.tokens), row.dialect or "", str(keys))
