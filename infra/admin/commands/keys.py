"""`gateway keys`: who may call."""

import time
from typing import Annotated

import typer

from gateway.core.caller import KeyLimits, KeyRecord
from gateway.stores.api_keys import FRESH
from gateway.stores.ttl_cache import LOOK_AGAIN
from infra.admin.api_keys import open_api_keys
from infra.admin.catalogue_table import open_catalogue
from infra.admin.key_records import (
    NewKey,
    add_key,
    check_label,
    count_keys,
    find_key,
    forget_useless,
    make_key,
    make_successor,
    read_limit,
    replace_key,
    revoke_key,
    state,
)
from infra.admin.screen import note, say, show_table
from infra.admin.stages import Stage, StageOption, find_stage
from infra.admin.times import read_duration, read_expiry, show_moment
from infra.admin.workspaces import SharedPathDialect, find_workspace, require_workspace

_FORGETTING = f"Warm functions forget it within {FRESH / 60:g} minutes."

_LEARNING = f"It works at once, or within {LOOK_AGAIN:g} seconds while many unknown keys are tried."

app = typer.Typer(no_args_is_help=True, help="Callers' API keys: create, list, revoke, rotate, prune, pack.")

WorkspaceArgument = Annotated[str, typer.Argument(help="The workspace whose keys these are.", metavar="WORKSPACE")]
KeyIdArgument = Annotated[str, typer.Argument(help="The id of the key, as `keys list` shows it.", metavar="KEY_ID")]
PlainOption = Annotated[bool, typer.Option("--plain", help="Print the key and nothing else, for scripts.")]
ExpiresOption = Annotated[
    str | None, typer.Option("--expires", help="When it ends: 90d, or 2027-01-31. Default: never.", metavar="WHEN")
]


@app.command("create")
def create(  # noqa: PLR0917  # options, which Typer reads by name
    workspace: WorkspaceArgument,
    stage: StageOption,
    label: Annotated[str, typer.Option(help="What it is for, to recognise it later: 64 characters.")] = "",
    expires: ExpiresOption = None,
    model: Annotated[
        list[str] | None, typer.Option(help="A model that it may use; repeat for more. Default: all.")
    ] = None,
    dialect: Annotated[
        SharedPathDialect | None, typer.Option(help="What it speaks at /v1/embeddings. Default: as its workspace.")
    ] = None,
    requests_per_minute: Annotated[
        int | None, typer.Option(help="Requests that it may make of its workspace's. Default: all.")
    ] = None,
    tokens_per_minute: Annotated[
        int | None, typer.Option(help="Tokens that it may use of its workspace's. Default: all.")
    ] = None,
    *,
    plain: PlainOption = False,
) -> None:
    """Make a key. It is shown once and kept nowhere."""
    check_label(label)
    place, now = find_stage(stage), int(time.time())
    row = find_workspace(place, workspace)
    limits = KeyLimits(
        requests=read_limit("requests", requests_per_minute, of=row.limits.requests),
        tokens=read_limit("tokens", tokens_per_minute, of=row.limits.tokens),
    )
    key = make_key(
        workspace,
        now=now,
        workspace_id=row.id,
        expires=read_expiry(expires, now=now) if expires else None,
        models=_find_models(place, model) if model else None,
        label=label,
        dialect=dialect,
        limits=None if limits == KeyLimits() else limits,
    )
    open_api_keys(place).edit(workspace, lambda records: add_key(records, key))
    _hand_over(key, place, plain=plain)


@app.command("list")
def list_keys(workspace: WorkspaceArgument, stage: StageOption) -> None:
    """Show what is stored of a workspace's keys; only their owners have the keys."""
    place, now = find_stage(stage), int(time.time())
    require_workspace(place, workspace)
    records = open_api_keys(place).read(workspace)
    if not records:
        note(f"The workspace {workspace} has no keys.")
        return
    show_table(
        ("id", "label", "state", "created", "expires", "models", "dialect", "requests a minute", "tokens a minute"),
        (
            (
                key_id,
                record.label,
                state(record, now=now),
                show_moment(record.created),
                show_moment(record.expires),
                "all" if record.models is None else ", ".join(sorted(record.models)),
                record.dialect or "",
                *_limits(record),
            )
            for key_id, record in sorted(records.items(), key=lambda item: (item[1].created, item[0]))
        ),
    )


@app.command("revoke")
def revoke(workspace: WorkspaceArgument, key_id: KeyIdArgument, stage: StageOption) -> None:
    """Disable a key for good.

    Functions that are warm remember keys: it may work for 5 more minutes, and for 15 while Secrets Manager is down.
    """
    open_api_keys(find_stage(stage)).edit(workspace, lambda records: revoke_key(records, key_id))
    say(f"The key {key_id} of {workspace} is revoked. {_FORGETTING}")


@app.command("rotate")
def rotate(
    workspace: WorkspaceArgument,
    key_id: KeyIdArgument,
    stage: StageOption,
    grace: Annotated[str, typer.Option(help="How long the old key still works: 24h, 15m, 0.")] = "24h",
    expires: Annotated[
        str | None,
        typer.Option(help="When the new key ends. Default: it lasts as long as the old one was to.", metavar="WHEN"),
    ] = None,
    *,
    plain: PlainOption = False,
) -> None:
    """Make a key with the same rights, and let the old one end after a grace."""
    place, now, seconds = find_stage(stage), int(time.time()), read_duration(grace)
    keys = open_api_keys(place)
    old = find_key(keys.read(workspace), key_id)
    key = make_successor(workspace, old, now=now, expires=read_expiry(expires, now=now) if expires else None)
    keys.edit(workspace, lambda records: replace_key(records, key_id, key, now=now, grace=seconds))
    _hand_over(key, place, plain=plain)
    end = find_key(keys.read(workspace), key_id).expires
    note(f"The old key {key_id} works until {show_moment(end)}. {_FORGETTING}")


@app.command("prune")
def prune(workspace: WorkspaceArgument, stage: StageOption) -> None:
    """Forget a workspace's revoked and expired keys, to make room."""
    place, now = find_stage(stage), int(time.time())
    require_workspace(place, workspace)
    keys = open_api_keys(place)
    before = len(keys.read(workspace))
    keys.edit(workspace, lambda records: forget_useless(records, now=now))
    after = len(keys.read(workspace))
    say(f"Forgotten: {count_keys(before - after)} of {workspace}. Left: {count_keys(after)}.")


@app.command("pack")
def pack(stage: StageOption) -> None:
    """Bring keys that older versions kept, one secret for each workspace, into the few secrets of today.

    Both are read, so callers notice nothing. It may be interrupted and repeated.
    """
    count = open_api_keys(find_stage(stage)).pack()
    say(f"The keys of {count} workspaces were brought into buckets." if count else "All keys are in buckets.")


def _find_models(stage: Stage, names: list[str]) -> frozenset[str]:
    """Public names of models given by name or alias; raises `Failure` for one that does not exist."""
    rows = open_catalogue(stage).read().rows
    return frozenset(rows.find_model(name).name for name in names)


def _limits(record: KeyRecord) -> tuple[str, str]:
    own = record.limits or KeyLimits()
    requests, tokens = ("" if limit is None else str(limit) for limit in (own.requests, own.tokens))
    return requests, tokens


def _hand_over(key: NewKey, stage: Stage, *, plain: bool) -> None:
    say(key.text)
    if not plain:
        note(f"This is the only time that the key {key.key_id} is shown: keep it where secrets are kept.")
        end = show_moment(key.record.expires, missing="it is revoked")
        note(f"It is good at {stage.api_url} until {end}. {_LEARNING}")
