"""Schemas of wire types: pydantic's of bodies that are read, msgspec's of answers, which are typed dictionaries."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from pydantic import BaseModel

Json = dict[str, Any]

NULL: Json = {"type": "null"}


def name_of(wire_type: type) -> str:
    """The schema's name: the title that a body's configuration gives it, or the type's own name."""
    config: Json = getattr(wire_type, "model_config", {})
    return config.get("title") or wire_type.__name__


def one_of(wire_types: Iterable[type]) -> Json:
    """A schema that any of these types fits."""
    references = [{"$ref": f"#/components/schemas/{name}"} for name in dict.fromkeys(map(name_of, wire_types))]
    return references[0] if len(references) == 1 else {"anyOf": references}


def component_schemas(bodies: Sequence[type[BaseModel]], answers: Sequence[type]) -> Json:
    """By name, those of these types and of all that these refer to."""
    _, found = msgspec.json.schema_components(answers, ref_template="#/components/schemas/{name}")
    for body in bodies:
        schema = body.model_json_schema(ref_template="#/components/schemas/{model}")
        found |= schema.pop("$defs", {}) | {name_of(body): schema}
    return {name: _tidied(found[name]) for name in sorted(found)}


def _tidied(schema: Json) -> Json:
    """Without pydantic's titles and defaults. A required field that has a default cannot be null."""
    required = schema.get("required", ())
    fields = {name: _field(field, required=name in required) for name, field in schema["properties"].items()}
    return {**_without_defaults(schema), "properties": fields}


def _field(field: Json, *, required: bool) -> Json:
    kept = _without_defaults(field)
    if not required or NULL not in kept.get("anyOf", ()) or "default" not in field:
        return kept
    (only,) = [choice for choice in kept.pop("anyOf") if choice != NULL]
    return {**only, **kept}


def _without_defaults(schema: Json) -> Json:
    return {keyword: value for keyword, value in schema.items() if keyword not in {"title", "default"}}
