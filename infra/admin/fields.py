"""Fields of rows as operators type them: `price=0.02`, `aliases=[a, b]`; values are YAML, as in the files."""

from collections.abc import Iterable
from typing import Any

import yaml

from infra.admin.failures import NotTried
from infra.admin.yaml_text import read_yaml


def read_fields(texts: Iterable[str]) -> dict[str, Any]:
    """Fields by name, their values as YAML reads them; raises `NotTried` for what is no field."""
    return dict(map(_read_field, texts))


def read_list_of_fields(text: str) -> dict[str, Any]:
    """Fields of `provider=openai-eu,region=eu`; raises `NotTried`."""
    return read_fields(text.split(","))


def _read_field(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not (name.strip() and equals):
        raise NotTried(f"{text!r} is not of the form name=value.")
    try:
        return name.strip(), read_yaml(value)
    except yaml.YAMLError as error:
        raise NotTried(f"The value of {name} is not YAML: {' '.join(str(error).split())}") from error
