"""DynamoDB, as far as the hot path needs it: five operations, attributes of strings, numbers and bytes.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/ (protocol: JSON 1.0, bytes in base64)
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final, Generic, TypeVar

import msgspec

from gateway.aws.client import AwsClient, Call, Exchange, Operation
from gateway.aws.errors import AwsUnavailable, ConditionFailed
from gateway.http1 import HttpReply

MAX_KEYS: Final = 100
"""In one BatchGetItem."""
MAX_ITEMS: Final = 25
"""In one BatchWriteItem."""

NOTHING: Final = msgspec.Raw()

Attributes = Mapping[str, Mapping[str, str | bytes | memoryview]]
"""An item, or part of one, to send: `{"key": {"B": b"…"}, "tokens": {"N": "3"}}`."""

Item = TypeVar("Item")
"""A msgspec struct whose fields are `Attribute`s: what we want to know of an item."""


class Attribute(msgspec.Struct, frozen=True, gc=False):
    """A value that came back; those of its fields are set that fit its type."""

    S: str | None = None
    N: str | None = None
    B: bytes | None = None


class Page(msgspec.Struct, Generic[Item], frozen=True):
    """One page of a query; `last_key` is where the next begins, empty if there is none."""

    items: list[Item] = msgspec.field(name="Items")
    last_key: msgspec.Raw = msgspec.field(default=NOTHING, name="LastEvaluatedKey")


class BatchPage(msgspec.Struct, Generic[Item], frozen=True):
    """What a batch brought, in no order, and the keys DynamoDB did not get to."""

    items: list[Item]
    unprocessed: Sequence[Attributes | msgspec.Raw] = ()


class _GotItem(msgspec.Struct, Generic[Item]):
    item: Item | None = msgspec.field(default=None, name="Item")


class _Updated(msgspec.Struct, Generic[Item]):
    attributes: Item = msgspec.field(name="Attributes")


class _Unprocessed(msgspec.Struct):
    keys: list[msgspec.Raw] = msgspec.field(name="Keys")


class _BatchGot(msgspec.Struct, Generic[Item]):
    responses: dict[str, list[Item]] = msgspec.field(name="Responses")
    unprocessed: dict[str, _Unprocessed] = msgspec.field(default_factory=dict, name="UnprocessedKeys")


class _Put(msgspec.Struct):
    item: msgspec.Raw = msgspec.field(name="Item")


class _PutRequest(msgspec.Struct):
    put: _Put = msgspec.field(name="PutRequest")


class _BatchWritten(msgspec.Struct):
    unprocessed: dict[str, list[_PutRequest]] = msgspec.field(default_factory=dict, name="UnprocessedItems")


class DynamoDb:
    """Typed calls; raises the errors of `errors.py`. `timeout` is seconds to wait for a reply."""

    def __init__(self, aws: AwsClient, *, timeout: float = 2.0) -> None:
        self._aws = aws
        self._endpoint = aws.endpoints("dynamodb")
        self._operations: dict[str, Operation] = {}
        self._timeout = timeout

    async def get_item(self, table: str, key: Attributes, item_type: type[Item]) -> Item | None:
        """GetItem, eventually consistent; `None` if there is no such item."""
        reply = await self._begin("GetItem", {"TableName": table, "Key": key}).reply()
        got: _GotItem[Item] = _decode(reply, _GotItem, item_type)
        return got.item

    async def query(
        self,
        table: str,
        item_type: type[Item],
        *,
        condition: str,
        values: Attributes,
        start: msgspec.Raw = NOTHING,
    ) -> Page[Item]:
        """Query, one page; `start` is the page before's `last_key`."""
        asked: dict[str, Any] = {
            "TableName": table,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": values,
        }
        if start:
            asked["ExclusiveStartKey"] = start
        page: Page[Item] = _decode(await self._begin("Query", asked).reply(), Page, item_type)
        return page

    async def update_item(
        self,
        table: str,
        key: Attributes,
        item_type: type[Item],
        *,
        update: str,
        condition: str | None = None,
        names: Mapping[str, str],
        values: Attributes,
        repeatable: bool,
    ) -> Item:
        """UpdateItem; the whole item after it. Raises `ConditionFailed` (see `old_item`).

        `repeatable` says that doing it twice does no harm (see `Call`).
        """
        asked: dict[str, Any] = {
            "TableName": table,
            "Key": key,
            "UpdateExpression": update,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
            "ReturnValues": "ALL_NEW",
        }
        if condition is not None:
            asked |= {"ConditionExpression": condition, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        reply = await self._begin("UpdateItem", asked, repeatable=repeatable).reply()
        updated: _Updated[Item] = _decode(reply, _Updated, item_type)
        return updated.attributes

    def begin_batch_get(
        self, table: str, keys: Sequence[Attributes | msgspec.Raw], item_type: type[Item], *, attributes: Sequence[str]
    ) -> "BatchGet[Item]":
        """BatchGetItem of at most `MAX_KEYS` distinct keys, put on the wire; only those attributes come back."""
        asked = {"Keys": keys, **_projection(tuple(attributes))}
        return BatchGet(self._begin("BatchGetItem", {"RequestItems": {table: asked}}), table, item_type)

    def begin_batch_put(self, table: str, items: Sequence[Attributes | msgspec.Raw]) -> "BatchPut":
        """BatchWriteItem of at most `MAX_ITEMS` items with distinct keys, put on the wire."""
        puts = [{"PutRequest": {"Item": item}} for item in items]
        return BatchPut(self._begin("BatchWriteItem", {"RequestItems": {table: puts}}), table)

    def _begin(self, name: str, asked: Mapping[str, Any], *, repeatable: bool = True) -> Exchange:
        operation = self._operations.get(name) or self._operation(name)
        body = msgspec.json.encode(asked)
        return self._aws.begin(Call(operation, body, timeout=self._timeout, repeatable=repeatable))

    def _operation(self, name: str) -> Operation:
        headers = (("content-type", "application/x-amz-json-1.0"), ("x-amz-target", f"DynamoDB_20120810.{name}"))
        operation = self._operations[name] = Operation("dynamodb", self._endpoint, headers=headers)
        return operation


class BatchGet(Generic[Item]):
    """A BatchGetItem under way."""

    def __init__(self, exchange: Exchange, table: str, item_type: type[Item]) -> None:
        self._exchange = exchange
        self._table = table
        self._item_type = item_type

    def finish(self, timeout: float | None = None) -> BatchPage[Item]:
        """Wait for the reply, at most `timeout` seconds from now."""
        got: _BatchGot[Item] = _decode(self._exchange.finish(timeout), _BatchGot, self._item_type)
        left = got.unprocessed.get(self._table)
        return BatchPage(got.responses.get(self._table, []), left.keys if left else ())

    def abandon(self) -> None:
        self._exchange.abandon()


class BatchPut:
    """A BatchWriteItem under way."""

    def __init__(self, exchange: Exchange, table: str) -> None:
        self._exchange = exchange
        self._table = table

    def finish(self, timeout: float | None = None) -> list[msgspec.Raw]:
        """Wait for the reply, at most `timeout` seconds from now: the items DynamoDB did not get to."""
        written: _BatchWritten = _decode(self._exchange.finish(timeout), _BatchWritten)
        return [request.put.item for request in written.unprocessed.get(self._table, ())]

    def abandon(self) -> None:
        self._exchange.abandon()


def old_item(error: ConditionFailed, item_type: type[Item]) -> Item | None:
    """The item that did not meet the condition, `None` if there was none."""
    return msgspec.json.decode(error.item, type=item_type) if error.item else None


@cache
def _projection(attributes: tuple[str, ...]) -> dict[str, Any]:
    names = {f"#{place}": name for place, name in enumerate(attributes)}  # some are words of DynamoDB's own
    return {"ProjectionExpression": ",".join(names), "ExpressionAttributeNames": names}


@cache
def _decoder(reply_type: Any, item_type: Any) -> msgspec.json.Decoder[Any]:  # Any: a generic struct, its parameter
    return msgspec.json.Decoder(reply_type[item_type] if item_type else reply_type)


def _decode(reply: HttpReply, reply_type: Any, item_type: Any = None) -> Any:
    try:
        return _decoder(reply_type, item_type).decode(reply.body)
    except msgspec.MsgspecError as error:
        raise AwsUnavailable("DynamoDB answered what cannot be read.") from error
