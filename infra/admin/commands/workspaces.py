"""`gateway workspaces`: who calls, and how much they may."""

import re
import secrets
from typing import Annotated, Any

import msgspec
import typer

from gateway.core.caller import Workspace
from gateway.stores.catalogue import FRESH
from infra.admin.api_keys import open_api_keys
from infra.admin.cached_vectors import open_cached_vectors
from infra.admin.catalogue_rows import differences
from infra.admin.failures import Failure, NotTried
from infra.admin.key_records import count_keys
from infra.admin.screen import note, say, show_table
from infra.admin.stages import Stage, StageOption, find_stage
from infra.admin.workspaces import (
    SharedPathDialect,
    Workspaces,
    check_name,
    find_workspace,
    open_workspaces,
    require_workspace,
)

app = typer.Typer(no_args_is_help=True, help="Who calls, and how much they may: set, list, show, remove, erase-cache.")

_MAX_REQUESTS, _MAX_TOKENS = 1_000_000, 1_000_000_000


@app.command("set")
def set_workspace(
    name: Annotated[str, typer.Argument(help="The workspace: 1 to 32 of a-z, 0-9 and hyphens.", metavar="NAME")],
    stage: StageOption,
    requests_per_minute: Annotated[int | None, typer.Option(help=f"1 to {_MAX_REQUESTS}. First: 500.")] = None,
    tokens_per_minute: Annotated[int | None, typer.Option(help=f"1 to {_MAX_TOKENS}. First: 60000.")] = None,
    dialect: Annotated[SharedPathDialect | None, typer.Option(help="What its keys speak at /v1/embeddings.")] = None,
) -> None:
    """Make or change a workspace; what is not mentioned stays as it is, and every change is shown."""
    check_name(name)
    _check_limit("requests", requests_per_minute, _MAX_REQUESTS)
    _check_limit("tokens", tokens_per_minute, _MAX_TOKENS)
    limits = {"requests": requests_per_minute, "tokens": tokens_per_minute}
    before, row = open_workspaces(find_stage(stage)).edit(name, lambda old: _change(old, name, limits, dialect))
    changes = list(differences("", msgspec.to_builtins(before), msgspec.to_builtins(row))) if before else []
    say(
        f"The workspace {name} may make {row.limits.requests} requests with {row.limits.tokens} tokens a minute. "
        f"Warm functions know it within {FRESH / 60:g} minute."
    )
    for change in changes:
        say(f"    {change}")
    if before and not changes:
        say("    nothing changed")


@app.command("list")
def list_workspaces(stage: StageOption) -> None:
    """Show all workspaces, their limits, and how many keys they have."""
    place = find_stage(stage)
    names = open_workspaces(place).names()
    if names:
        _show(place, names)
    else:
        note(f"The stage {stage} has no workspaces.")


@app.command("show")
def show(
    stage: StageOption,
    name: Annotated[str | None, typer.Argument(help="One workspace. Default: all.", metavar="NAME")] = None,
) -> None:
    """Show a workspace, or all of them."""
    if name is None:
        list_workspaces(stage)
    else:
        _show(find_stage(stage), [name])


@app.command("remove")
def remove(
    name: Annotated[str, typer.Argument(help="The workspace.", metavar="NAME")],
    stage: StageOption,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove a workspace: its keys for good, then its settings."""
    place = find_stage(stage)
    require_workspace(place, name)
    owner = _owner(place, name)
    keys = open_api_keys(place)
    count = len(keys.read(name))
    if not yes:
        typer.confirm(
            f"Remove the workspace {name} from {stage}, and revoke its {count_keys(count)} for good?", abort=True
        )
    # Keys first: a half-done removal can be repeated only while the workspace exists.
    had_keys = keys.remove(name)
    open_workspaces(place).remove(name)
    gone = f"{count_keys(count)} deleted" if had_keys else "it had no keys"
    say(
        f"The workspace {name} is removed: its settings are deleted, {gone}. "
        f"Warm functions forget it within {FRESH / 60:g} minute."
    )
    note(
        "What is cached of it expires by itself, after the cache_ttl of each model. "
        f"To erase it at once: `gateway workspaces erase-cache {name} --owner {owner.hex()} --stage {stage}`."
    )


@app.command("erase-cache")
def erase_cache(
    name: Annotated[str, typer.Argument(help="The workspace.", metavar="NAME")],
    stage: StageOption,
    owner: Annotated[
        str | None,
        typer.Option(help="For a workspace that was removed: what `workspaces remove` said.", metavar="HEX"),
    ] = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase all vectors that are cached of a workspace; it reads the whole cache, which takes time and money.

    It may be interrupted and repeated. A workspace that is not removed goes on filling the cache.
    """
    check_name(name)
    place = find_stage(stage)
    whose = _owner(place, name) if owner is None else _read_owner(owner)
    cached = open_cached_vectors(place)
    size = cached.size()
    note(
        f"The cache of {stage} held about {size.items} vectors some hours ago ({size.bytes / 1e6:.0f} MB). Reading all "
        f"of it costs about US$ {size.price:.2f}; each vector that is erased, one write unit per KB."
    )
    if not yes:
        typer.confirm(f"Erase what is cached of {name}?", abort=True)
    erased = cached.erase(whose, on_progress=lambda read, found: note(f"{read} vectors read, {found} erased"))
    say(f"{erased} vectors of {name} are erased. Warm functions may still have some of them in memory.")


def _owner(stage: Stage, name: str) -> bytes:
    """What the cached vectors of a workspace carry; of one whose row cannot be read, as of one without an id."""
    try:
        return find_workspace(stage, name).cache_owner
    except Failure:
        if not open_workspaces(stage).has(name):
            raise
        return Workspace(name=name).cache_owner


def _read_owner(text: str) -> bytes:
    if not re.fullmatch(r"[0-9a-f]{16}", text):
        raise NotTried(f"{text!r} is not an owner: `gateway workspaces remove` said its 16 hex digits.")
    return bytes.fromhex(text)


def _check_limit(unit: str, limit: int | None, most: int) -> None:
    if limit is None or 1 <= limit <= most:
        return
    remedy = "; to let nobody in, revoke its keys or remove the workspace" if limit < 1 else ""
    raise NotTried(f"A workspace may use 1 to {most} {unit} a minute, not {limit}{remedy}.")


def _show(stage: Stage, names: list[str]) -> None:
    workspaces, keys = open_workspaces(stage), open_api_keys(stage)
    show_table(
        ("workspace", "requests a minute", "tokens a minute", "dialect", "keys"),
        [_describe(_find(workspaces, name, stage.name), len(keys.read(name))) for name in names],
    )


def _change(
    old: Workspace | None, name: str, limits: dict[str, int | None], dialect: SharedPathDialect | None
) -> Workspace:
    entry: dict[str, Any] = msgspec.to_builtins(old or Workspace(name=name, id=secrets.token_hex(8)))
    entry["limits"] |= {field: value for field, value in limits.items() if value is not None}
    if dialect:
        entry["dialect"] = dialect
    return msgspec.convert(entry, Workspace)


def _find(workspaces: Workspaces, name: str, stage: str) -> Workspace:
    row = workspaces.read(name)
    if row is None:
        raise Failure(f"There is no workspace {name!r} in {stage}: `gateway workspaces set {name}` makes it.")
    return row


def _describe(row: Workspace, keys: int) -> tuple[str, ...]:
    return (row.name, str(row.limits.requests), str(row.limits.tokens), row.dialect or "", str(keys))
