"""A catalogue as files: every *.yaml of a folder, each a mapping with `providers`, `models`, or both."""

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import msgspec
import yaml

from gateway.core.catalogue import Model, Provider
from infra.admin.catalogue_rows import Row, Rows, describe, row_key
from infra.admin.failures import NotTried
from infra.admin.yaml_text import read_yaml

AnyRow = TypeVar("AnyRow", bound=Provider | Model)

_CHAPTERS: dict[str, type[Provider] | type[Model]] = {"providers": Provider, "models": Model}


def read_folder(folder: Path) -> Rows:
    """The rows of a folder; raises `NotTried` naming the file and field of the first mistake."""
    files = sorted(folder.glob("*.yaml")) if folder.is_dir() else []
    if not files:
        raise NotTried(f"There is no catalogue in {folder}: expected a folder with *.yaml files.")
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
    chapters = _read_yaml(file)
    if not isinstance(chapters, dict) or not chapters.keys() <= _CHAPTERS.keys():
        raise NotTried(f"{file}: expected a mapping with `providers`, `models`, or both, and nothing else.")
    for chapter, entries in chapters.items():
        if not isinstance(entries, list):
            raise NotTried(f"{file}: `{chapter}` must be a list.")
        for position, entry in enumerate(entries):
            yield read_row(entry, _CHAPTERS[chapter], f"{file}: {chapter}[{position}]{_name(entry)}")


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
