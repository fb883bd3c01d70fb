"""A catalogue as files: every *.yaml of a folder, each a mapping with `providers`, `models`, or both.

A file may also have `sources`: where the figures of its rows are from, and when they were read. They are for people,
and are not stored.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import TypeVar

import msgspec
import yaml

from gateway.core.catalogue import Model, Provider
from infra.admin.catalogue_rows import Row, Rows, describe, row_key
from infra.admin.failures import NotTried
from infra.admin.yaml_text import read_yaml

AnyRow = TypeVar("AnyRow", bound=Provider | Model)

SOURCES = "sources"


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a figure is to be checked, and the day as of which it was collected."""

    page: str = msgspec.field(name="from")
    as_of: date


_CHAPTERS: dict[str, type[Provider] | type[Model]] = {"providers": Provider, "models": Model}


def read_folder(folder: Path, only: Collection[str] = ()) -> Rows:
    """The rows of a folder, or only of the files of these names; raises `NotTried` naming the first mistake's place."""
    files = sorted(folder.glob("*.yaml")) if folder.is_dir() else []
    if not files:
        raise NotTried(f"There is no catalogue in {folder}: expected a folder with *.yaml files.")
    if unknown := sorted({*only} - {file.stem for file in files}):
        raise NotTried(f"{folder} has no {', '.join(unknown)}, only {', '.join(file.stem for file in files)}.")
    files = [file for file in files if not only or file.stem in only]
    rows, sources = Rows(), dict[str, Path]()
    for file in files:
        for row in read_file(file):
            key = row_key(row)
            if key in sources:
                raise NotTried(f"The {describe(key)} stands in {sources[key].name} and in {file.name}.")
            rows, sources[key] = rows.put(row), file
    return rows


def read_file(file: Path) -> Iterable[Row]:
    """The rows of one file; raises `NotTried`."""
    for chapter, entries in _read_chapters(file).items():
        if chapter == SOURCES:
            continue
        if not isinstance(entries, list):
            raise NotTried(f"{file}: `{chapter}` must be a list.")
        for position, entry in enumerate(entries):
            yield read_row(entry, _CHAPTERS[chapter], f"{file}: {chapter}[{position}]{_name(entry)}")


def read_sources(file: Path) -> Mapping[str, Source]:
    """Where the figures of a file are from; raises `NotTried`."""
    try:
        return msgspec.convert(_read_chapters(file).get(SOURCES, {}), dict[str, Source])
    except msgspec.ValidationError as error:
        raise NotTried(f"{file}: {SOURCES}: {error}") from error


def _read_chapters(file: Path) -> dict[str, object]:
    chapters = _read_yaml(file)
    if not isinstance(chapters, dict) or not chapters.keys() <= {*_CHAPTERS, SOURCES}:
        raise NotTried(
            f"{file}: expected a mapping with `providers`, `models`, or both, and nothing else but `sources`."
        )
    return chapters


def read_row(entry: object, kind: type[AnyRow], place: str) -> AnyRow:
    """The row that an entry of a file describes; raises `NotTried` naming the place and the field."""
    try:
        return msgspec.convert(entry, kind)
    except msgspec.ValidationError as error:
        raise NotTried(f"{place}: {error}") from error


def _read_yaml(file: Path) -> object:
    try:
        return read_yaml(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise NotTried(f"{file} cannot be read: {' '.join(str(error).split())}") from error


def _name(entry: object) -> str:
    name = entry.get("name") if isinstance(entry, dict) else None
    return f" ({name})" if name else ""
