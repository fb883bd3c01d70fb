"""Items of DynamoDB as boto3 takes them, from and to values; for stores that are off the hot path."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

Attributes = dict[str, Any]
"""An item as boto3 takes it: `{"pk": {"S": "…"}}`."""


def to_item(values: Mapping[str, Any]) -> Attributes:
    """Attributes of these values: texts, numbers, lists, mappings, `None`."""
    from boto3.dynamodb.types import TypeSerializer  # noqa: PLC0415  (off the hot path)

    serialize = TypeSerializer().serialize
    return {name: serialize(msgspec.to_builtins(value)) for name, value in values.items()}


def from_item(item: Attributes) -> dict[str, Any]:
    """The values of these attributes; numbers are integers."""
    from boto3.dynamodb.types import TypeDeserializer  # noqa: PLC0415  (likewise)

    deserialize = TypeDeserializer().deserialize
    return {name: _whole(deserialize(value)) for name, value in item.items()}


def _whole(value: Any) -> Any:  # what boto3 makes of an attribute
    match value:
        case Decimal():
            return int(value)
        case dict():
            return {name: _whole(each) for name, each in value.items()}
        case list():
            return [_whole(each) for each in value]
    return value
