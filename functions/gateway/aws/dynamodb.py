"""DynamoDB, as far as the hot path needs it: five operations, and attributes that are strings, numbers or bytes.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/ (protocol: JSON 1.0, bytes in base64)
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any, Final, Generic, TypeAlias, TypeVar

import msgspec

from gateway.aws.client import AwsClient, Call, Operation, PendingCall
from gateway.aws.connections import AwsReply
from gateway.aws.errors import AwsUnavailable, ConditionFailed

MAX_KEYS: Final = 100
"""In one BatchGetItem."""
MAX_ITEMS: Final = 25
"""In one BatchWriteItem."""

NOTHING: Final = msgspec.Raw()

Attributes = Mapping[str, Mapping[str, str | bytes | memoryview | msgspec.Raw]]
"""An item, or part of one, to send: `{"key": {"B": b"…"}, "tokens": {"N": "3"}}`. What is raw is JSON already."""

Item = TypeVar("Item")
"""A msgspec struct whose fields are `Attribute`s: the part of an item that we read."""
Result = TypeVar("Result")


class Attribute(msgspec.Struct, frozen=True, gc=False):
    """A value that DynamoDB returned; only the field of its type is set."""

    S: str | None = None
    N: str | None = None
    B: bytes | None = None


class Page(msgspec.Struct, Generic[Item], frozen=True):
    """One page of a query; `last_key` is where the next one starts, empty if there is none."""

    items: list[Item] = msgspec.field(name="Items")
    last_key: msgspec.Raw = msgspec.field(default=NOTHING, name="LastEvaluatedKey")


class BatchPage(msgspec.Struct, Generic[Item], frozen=True):
    """The items of a batch, in no order, and the keys that DynamoDB did not get to."""

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


class Pending(Generic[Result]):
    """A call that was sent: `finish` it or `abandon` it, once."""

    def __init__(self, call: PendingCall, read: Callable[[AwsReply], Result]) -> None:
        self._call = call
        self._read = read

    def finish(self, timeout: float | None = None) -> Result:
        """Wait for the reply, at most `timeout` seconds from now; `None` means the timeout of `DynamoDb`."""
        return self._read(self._call.finish(timeout))

    def abandon(self) -> None:
        """Give up: nothing more is read, and the call may still be carried out."""
        self._call.abandon()


BatchGet: TypeAlias = Pending[BatchPage[Item]]
BatchPut: TypeAlias = Pending[list[msgspec.Raw]]
"""`finish` returns the items that DynamoDB did not get to."""


class DynamoDb:
    """Typed calls; raises the errors of `errors.py`. `timeout` is the number of seconds to wait for a reply.

    The methods block. Those called `begin_…` send at once and return what is `finish`ed later.
    """

    def __init__(self, aws: AwsClient, *, timeout: float = 2.0) -> None:
        self._aws = aws
        self._endpoint = aws.endpoints("dynamodb")
        self._operations: dict[str, Operation] = {}
        self._timeout = timeout

    def get_item(self, table: str, key: Attributes, item_type: type[Item]) -> Item | None:
        """GetItem, eventually consistent; `None` if there is no such item."""
        reply = self._begin("GetItem", {"TableName": table, "Key": key}).finish()
        got: _GotItem[Item] = _decode(reply, _GotItem, item_type)
        return got.item

    def query(
        self,
        table: str,
        item_type: type[Item],
        *,
        condition: str,
        values: Attributes,
        start: msgspec.Raw = NOTHING,
    ) -> Page[Item]:
        """Query, one page; `start` is the `last_key` of the page before."""
        request: dict[str, Any] = {
            "TableName": table,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": values,
        }
        if start:
            request["ExclusiveStartKey"] = start
        page: Page[Item] = _decode(self._begin("Query", request).finish(), Page, item_type)
        return page

    def begin_update_item(
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
    ) -> Pending[Item]:
        """Send an UpdateItem; `finish` returns the whole item after it. Raises `ConditionFailed` (see `old_item`).

        `repeatable` says that doing it twice does no harm (see `Call`).
        """
        request: dict[str, Any] = {
            "TableName": table,
            "Key": key,
            "UpdateExpression": update,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
            "ReturnValues": "ALL_NEW",
        }
        if condition is not None:
            request |= {"ConditionExpression": condition, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        call = self._begin("UpdateItem", request, repeatable=repeatable)
        return Pending(call, partial(_read_updated, item_type))

    def begin_batch_get(
        self, table: str, keys: Sequence[Attributes | msgspec.Raw], item_type: type[Item], *, attributes: Sequence[str]
    ) -> BatchGet[Item]:
        """Send a BatchGetItem of at most `MAX_KEYS` distinct keys; only those attributes come back."""
        request = {"Keys": keys, **_projection(tuple(attributes))}
        call = self._begin("BatchGetItem", {"RequestItems": {table: request}})
        return Pending(call, partial(_read_batch, table, item_type))

    def begin_batch_put(self, table: str, items: Sequence[Attributes | msgspec.Raw]) -> BatchPut:
        """Send a BatchWriteItem of at most `MAX_ITEMS` items with distinct keys."""
        puts = [{"PutRequest": {"Item": item}} for item in items]
        call = self._begin("BatchWriteItem", {"RequestItems": {table: puts}})
        return Pending(call, partial(_read_unprocessed, table))

    def _begin(self, name: str, request: Mapping[str, Any], *, repeatable: bool = True) -> PendingCall:
        operation = self._operations.get(name) or self._operation(name)
        body = msgspec.json.encode(request)
        return self._aws.begin(Call(operation, body, timeout=self._timeout, repeatable=repeatable))

    def _operation(self, name: str) -> Operation:
        headers = (("content-type", "application/x-amz-json-1.0"), ("x-amz-target", f"DynamoDB_20120810.{name}"))
        operation = self._operations[name] = Operation("dynamodb", self._endpoint, headers=headers)
        return operation


def old_item(error: ConditionFailed, item_type: type[Item]) -> Item | None:
    """The item that did not meet the condition, `None` if there was none."""
    return msgspec.json.decode(error.item, type=item_type) if error.item else None


@cache
def _projection(attributes: tuple[str, ...]) -> dict[str, Any]:
    names = {f"#{place}": name for place, name in enumerate(attributes)}  # some are reserved words
    return {"ProjectionExpression": ",".join(names), "ExpressionAttributeNames": names}


def _read_updated(item_type: type[Item], reply: AwsReply) -> Item:
    updated: _Updated[Item] = _decode(reply, _Updated, item_type)
    return updated.attributes


def _read_batch(table: str, item_type: type[Item], reply: AwsReply) -> BatchPage[Item]:
    got: _BatchGot[Item] = _decode(reply, _BatchGot, item_type)
    left = got.unprocessed.get(table)
    return BatchPage(got.responses.get(table, []), left.keys if left else ())


def _read_unprocessed(table: str, reply: AwsReply) -> list[msgspec.Raw]:
    written: _BatchWritten = _decode(reply, _BatchWritten)
    return [request.put.item for request in written.unprocessed.get(table, ())]


@cache
def _decoder(reply_type: Any, item_type: Any) -> msgspec.json.Decoder[Any]:  # Any: a generic struct, its parameter
    return msgspec.json.Decoder(reply_type[item_type] if item_type else reply_type)


def _decode(reply: AwsReply, reply_type: Any, item_type: Any = None) -> Any:
    try:
        return _decoder(reply_type, item_type).decode(reply.body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise AwsUnavailable("DynamoDB sent a reply that cannot be read.") from error
