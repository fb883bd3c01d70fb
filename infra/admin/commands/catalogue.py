"""`gateway catalogue`: a stage's providers and models, from files."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from infra.admin.catalogue_files import read_folder
from infra.admin.catalogue_rows import Change, Rows, compare, describe, find_endings
from infra.admin.catalogue_table import CatalogueTable, open_catalogue
from infra.admin.failures import REFUSED, NotTried
from infra.admin.screen import note, say
from infra.admin.stages import StageOption, find_stage

app = typer.Typer(no_args_is_help=True, help="Providers and models from a folder of YAML files: load, diff.")

FolderArgument = Annotated[Path, typer.Argument(help="The folder with *.yaml files.", metavar="DIR")]

_VERBS = {"add": ("+", "green"), "change": ("~", "yellow"), "remove": ("-", "red")}


@app.command("load")
def load(
    folder: FolderArgument,
    stage: StageOption,
    *,
    only: Annotated[
        str, typer.Option(help="Only these files of the folder, without .yaml, separated by commas.", metavar="NAMES")
    ] = "",
    prune: Annotated[bool, typer.Option("--prune", help="Remove what is not in the folder, after asking.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Write the folder's providers and models; if one has a mistake, write none."""
    if only and prune:
        raise NotTried("--prune would remove all that --only leaves out: say one of them.")
    names = [name.strip() for name in only.split(",") if name.strip()]
    rows, table = read_folder(folder, names), open_catalogue(find_stage(stage))
    if prune and not yes:
        _ask_to_remove(compare(before := table.read().rows, _merge(before, rows, prune=True)))
    changes = table.edit(lambda before: _merge(before, rows, prune=prune))
    _show(changes)
    say(f"{_count(changes)}; {len(rows.by_key()) - _written(changes)} were as they should be.")
    _note_missing_keys(rows, table)
    for sentence in find_endings(rows.models.values(), datetime.now(UTC).date()):
        note(sentence)


@app.command("diff")
def diff(
    folder: FolderArgument,
    stage: StageOption,
    *,
    prune: Annotated[bool, typer.Option("--prune", help="As `load --prune` would.")] = False,
) -> None:
    """Show what `load` would do; exit code 1 if it would do anything, 2 if that cannot be known."""
    rows, table = read_folder(folder), open_catalogue(find_stage(stage))
    before = table.read().rows
    after = _merge(before, rows, prune=prune)
    changes = compare(before, after)
    _show(changes)
    table.check(before, after)
    if not prune:
        _note_others(before, rows)
    say(f"Would be done: {_count(changes)}." if changes else "The stage is as the folder says.")
    if changes:
        raise typer.Exit(REFUSED)


def _merge(before: Rows, rows: Rows, *, prune: bool) -> Rows:
    return rows if prune else before.put(*rows.by_key().values())


def _ask_to_remove(changes: Sequence[Change]) -> None:
    removed = [describe(change.key) for change in changes if change.verb == "remove"]
    if removed:
        typer.confirm(f"Remove {', '.join(removed)}?", abort=True)


def _show(changes: Sequence[Change]) -> None:
    for change in changes:
        sign, style = _VERBS[change.verb]
        say(f"{sign} {describe(change.key)}", style=style)
        for field in change.fields:
            say(f"    {field}")


def _note_others(before: Rows, rows: Rows) -> None:
    others = sorted((before.by_key().keys() | before.broken.keys()) - rows.by_key().keys())
    if others:
        note(f"Only on the stage, and left there without --prune: {', '.join(map(describe, others))}.")


def _note_missing_keys(rows: Rows, table: CatalogueTable) -> None:
    """Report providers without a stored key; by key, because some share one."""
    owners: dict[str, list[str]] = {}
    for row in sorted(rows.providers.values(), key=lambda row: row.name):
        if row.key:
            owners.setdefault(row.key, []).append(row.name)
    for key, names in owners.items():
        if not table.has_key(key):
            note(
                f"The key {key} of {', '.join(names)} is not set: models that lead there are listed and answer 503 "
                f"until `gateway providers set {names[0]} --key-from-env VARIABLE` stores it."
            )


def _count(changes: Sequence[Change]) -> str:
    verbs = [change.verb for change in changes]
    return f"{verbs.count('add')} added, {verbs.count('change')} changed, {verbs.count('remove')} removed"


def _written(changes: Sequence[Change]) -> int:
    return sum(change.verb != "remove" for change in changes)
