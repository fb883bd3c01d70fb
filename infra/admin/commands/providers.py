"""`gateway providers`: who computes vectors."""

import os
import sys
from typing import Annotated, Any

import msgspec
import typer

from gateway.core.catalogue import Provider
from gateway.providers import AUTHS, KINDS
from gateway.stores.provider_keys import FRESH
from infra.admin.catalogue_files import read_row
from infra.admin.catalogue_rows import Rows, say_changes
from infra.admin.catalogue_table import open_catalogue
from infra.admin.failures import Failure, NotTried
from infra.admin.fields import read_fields
from infra.admin.provider_keys import ProviderKeys, open_provider_keys
from infra.admin.screen import note, say, show_table
from infra.admin.stages import StageOption, find_stage

_FORGETTING = f"Warm functions use it within {FRESH / 60:g} minutes."

app = typer.Typer(no_args_is_help=True, help="Who computes vectors, where, with which key: set, list, remove.")

NameArgument = Annotated[str, typer.Argument(help="The provider, as routes of models name it.", metavar="NAME")]


@app.command("set")
def set_provider(  # noqa: PLR0917  # options, which Typer reads by name
    name: NameArgument,
    stage: StageOption,
    kind: Annotated[str | None, typer.Option(help=f"How it is spoken to: {', '.join(KINDS)}.")] = None,
    url: Annotated[str | None, typer.Option(help="Its address, up to what comes before /embeddings.")] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds that one call may take.")] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(help="A setting of the kind: name=value, or name=null for none; repeat for more."),
    ] = None,
    auth: Annotated[
        str | None,
        typer.Option(help=f"How a call is proved to be ours: {', '.join(AUTHS)}. `aws` is the function's own role."),
    ] = None,
    key_name: Annotated[
        str | None, typer.Option(help="The name of the key's secret, if it shares one. Default: its own name.")
    ] = None,
    key_from_env: Annotated[
        str | None,
        typer.Option(help="Store the vendor's key that this environment variable holds.", metavar="VARIABLE"),
    ] = None,
    *,
    key_stdin: Annotated[
        bool, typer.Option("--key-stdin", help="Store the vendor's key that standard input holds.")
    ] = False,
) -> None:
    """Make or change a provider; what is not mentioned stays as it is, and every change is shown.

    Its key is never an argument.
    A stored key is sent only to the host it was given for: for another host, give the key again.
    """
    key, place = _read_key(key_from_env, stdin=key_stdin), find_stage(stage)
    given = {"kind": kind, "url": url, "timeout": timeout, "auth": auth, "key": key_name}
    fields = {field: value for field, value in given.items() if value is not None}
    settings = read_fields(setting or ())

    def change(rows: Rows) -> Rows:
        return rows.put(_change_row(rows.providers.get(name), name, fields, settings, has_key=key is not None))

    table = open_catalogue(place)
    if key is None:
        changes = table.edit(change)
    else:
        # The key first: the old key must not be sent to a new address.
        row = table.try_out(change, renews=name).find_provider(name)
        _store_key(open_provider_keys(place), row, key)
        changes = table.edit(change, renews=name)
    say(say_changes(changes, f"provider {name}"))


@app.command("list")
def list_providers(stage: StageOption) -> None:
    """Show the providers, and whether their keys are there."""
    place = find_stage(stage)
    rows, keys = open_catalogue(place).read().rows, open_provider_keys(place)
    show_table(
        ("name", "kind", "address", "key", "timeout", "settings"),
        (
            (
                row.name,
                row.kind,
                row.url or "",
                _show_key(row, keys),
                f"{row.timeout:g} s",
                msgspec.json.encode(row.settings).decode() if row.settings else "",
            )
            for row in sorted(rows.providers.values(), key=lambda row: row.name)
        ),
    )
    note_broken(rows, "provider")


@app.command("remove")
def remove(
    name: NameArgument, stage: StageOption, *, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False
) -> None:
    """Remove a provider that no model leads to, and its key if no other provider shares it."""
    if not yes:
        typer.confirm(f"Remove the provider {name} from {stage}?", abort=True)
    place = find_stage(stage)
    table = open_catalogue(place)
    row = table.read().rows.providers.get(name)
    table.edit(lambda rows: _drop(rows, name))
    say(f"The provider {name} is removed.")
    others = table.read().rows.providers.values()
    if row and row.key and row.key not in {other.key for other in others}:
        _remove_key(open_provider_keys(place), row.key)


def _drop(rows: Rows, name: str) -> Rows:
    users = [repr(row.name) for row in rows.models.values() if name in {route.provider for route in row.routes}]
    if users:
        raise Failure(f"The provider {name!r} cannot be removed: {', '.join(users)} still leads to it.")
    return rows.drop(f"provider#{name}")


def note_broken(rows: Rows, kind: str) -> None:
    """Report stored rows of that kind that cannot be read."""
    for key, problem in sorted(rows.broken.items()):
        if key.startswith(f"{kind}#"):
            note(f"The stored {key.replace('#', ' ', 1)} cannot be read, so nobody can use it: {problem}")


def _read_key(variable: str | None, *, stdin: bool) -> str | None:
    if variable is not None and stdin:
        raise NotTried("The key comes from --key-from-env or from --key-stdin, not from both.")
    if variable is None and not stdin:
        return None
    key = (sys.stdin.read() if variable is None else os.environ.get(variable, "")).strip()
    if not key:
        source = "Standard input" if variable is None else f"The environment variable {variable}"
        raise NotTried(f"{source} holds no key.")
    return key


def _change_row(
    old: Provider | None, name: str, fields: dict[str, Any], settings: dict[str, Any], *, has_key: bool
) -> Provider:
    entry: dict[str, Any] = msgspec.to_builtins(old) if old else {"name": name}
    if old is None and "kind" not in fields:
        raise NotTried(f"There is no provider {name!r} yet: say its --kind (and --url) to make it.")
    merged = {**entry.get("settings", {}), **settings}
    entry |= fields
    if has_key and not entry.get("key"):
        entry["key"] = name
    if merged:
        entry["settings"] = {field: value for field, value in merged.items() if value is not None}
    return read_row(entry, Provider, f"provider {name}")


def _store_key(keys: ProviderKeys, row: Provider, key: str) -> None:
    name = row.key or row.name
    keys.put(name, key)
    say(f"The key of {row.name} is stored as {keys.secret(name)}. {_FORGETTING}")


def _show_key(row: Provider, keys: ProviderKeys) -> str:
    if row.key is None:
        return "none" if row.auth == "key" else row.auth
    return row.key if keys.exists(row.key) else f"{row.key} (not set)"


def _remove_key(keys: ProviderKeys, name: str) -> None:
    if keys.remove(name):
        note(f"Its key is deleted; AWS can restore the secret {keys.secret(name)} for 7 days.")
