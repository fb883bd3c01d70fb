"""The catalogue of a stage in DynamoDB, changed so that no edit is lost; up to 99 rows in one transaction.

Every transaction also raises the catalogue's revision, on condition that it is still the one that was read;
otherwise the edit starts again from the new rows.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from gateway.core.catalogue import Model, Provider
from gateway.stores.catalogue import MODEL, PARTITION, PROVIDER, MalformedRow, decode_row
from infra.admin.catalogue_rows import Change, Row, Rows, check_change, compare, describe, row_key
from infra.admin.failures import Failure, error_code
from infra.admin.key_destinations import check_destinations
from infra.admin.provider_keys import open_provider_keys
from infra.admin.stages import Stage

# Apart from the rows, so that the functions, which read that partition, never meet it.
_REVISION = {"pk": {"S": "catalogue-revision"}, "sk": {"S": "revision"}}
_DECODERS: Mapping[str, Callable[[str], Row]] = {
    PROVIDER: lambda document: decode_row(document, Provider),
    MODEL: lambda document: decode_row(document, Model),
}
_ROWS_OF_A_TRANSACTION = 99  # of 100 actions; one is the revision's
_ATTEMPTS = 30
_MAX_WAIT = 0.8  # seconds
_OVERTAKEN = {"ConditionalCheckFailed", "TransactionConflict"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The catalogue as it was at one revision."""

    rows: Rows
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueTable:
    """The catalogue's rows. `client` is boto3's, which has no types."""

    client: Any
    table: str
    allows_loopback: bool
    has_key: Callable[[str], bool]
    """Whether a vendor's key of that name is stored."""

    def read(self) -> Snapshot:
        """All providers and models. The revision is read first: a change meanwhile shows when writing."""
        revision = self._read_revision()
        rows = Rows()
        for key, document in self._documents():
            rows = _add_document(rows, key, document)
        return Snapshot(rows=rows, revision=revision)

    def edit(self, change: Callable[[Rows], Rows], *, renews: str | None = None) -> list[Change]:
        """Replace the catalogue by what `change` makes of it; what was changed, in order.

        `change` is called again when somebody else was quicker. `renews` is a provider whose key is stored anew.
        Raises `Failure` if the result would be wrong, before anything is written.
        """
        for attempt in range(_ATTEMPTS):
            snapshot = self.read()
            wanted = change(snapshot.rows)
            self.check(snapshot.rows, wanted, renews=renews)
            changes = compare(snapshot.rows, wanted)
            if self._write(changes, snapshot.revision):
                return changes
            time.sleep(random.uniform(0, min(_MAX_WAIT, 0.05 * 2**attempt)))  # noqa: S311  # spreads retries
        raise Failure("Others are changing the catalogue without pause: try again in a minute.")

    def try_out(self, change: Callable[[Rows], Rows], *, renews: str | None = None) -> Rows:
        """What `edit` would make of the catalogue as it is now; writes nothing, raises what `edit` would."""
        before = self.read().rows
        after = change(before)
        self.check(before, after, renews=renews)
        return after

    def check(self, before: Rows, after: Rows, *, renews: str | None = None) -> None:
        """Raises `Failure` if `after` has a mistake that `before` had not, or sends a key where it did not go."""
        check_change(before, after, allows_loopback=self.allows_loopback)
        check_destinations(before, after, has_key=self.has_key, renews=renews)

    def _read_revision(self) -> int:
        item = self.client.get_item(TableName=self.table, Key=_REVISION, ConsistentRead=True).get("Item")
        return int(item["revision"]["N"]) if item else 0

    def _documents(self) -> Iterator[tuple[str, str]]:
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": PARTITION}},
            ConsistentRead=True,
        )
        for page in pages:
            for item in page["Items"]:
                yield item["sk"]["S"], item.get("document", {}).get("S", "")

    def _write(self, changes: Sequence[Change], revision: int) -> bool:
        """Write the changes, in one transaction if they fit into one; false if somebody else was quicker."""
        for start in range(0, len(changes), _ROWS_OF_A_TRANSACTION):
            part = changes[start : start + _ROWS_OF_A_TRANSACTION]
            if not self._write_part(part, revision):
                return False
            revision += 1
        return True

    def _write_part(self, changes: Sequence[Change], revision: int) -> bool:
        actions = [self._raise_revision(revision), *map(self._action, changes)]
        try:
            self.client.transact_write_items(TransactItems=actions)
        except ClientError as error:
            if _was_overtaken(error):
                return False
            raise
        return True

    def _raise_revision(self, seen: int) -> dict[str, Any]:
        condition = "revision = :seen" if seen else "attribute_not_exists(revision)"
        values = {":next": {"N": str(seen + 1)}} | ({":seen": {"N": str(seen)}} if seen else {})
        return {
            "Update": {
                "TableName": self.table,
                "Key": _REVISION,
                "UpdateExpression": "SET revision = :next",
                "ConditionExpression": condition,
                "ExpressionAttributeValues": values,
            }
        }

    def _action(self, change: Change) -> dict[str, Any]:
        key = {"pk": {"S": PARTITION}, "sk": {"S": change.key}}
        if change.row is None:
            return {"Delete": {"TableName": self.table, "Key": key}}
        document = msgspec.json.encode(change.row).decode()
        return {"Put": {"TableName": self.table, "Item": {**key, "document": {"S": document}}}}


def open_catalogue(stage: Stage) -> CatalogueTable:
    """The catalogue of that stage."""
    return CatalogueTable(
        client=stage.client("dynamodb"),
        table=stage.catalogue_table,
        allows_loopback=stage.allows_loopback,
        has_key=lambda name: open_provider_keys(stage).exists(name),  # seldom asked, and a client takes its time
    )


def _add_document(rows: Rows, key: str, document: str) -> Rows:
    """The rows and one more; a row that cannot be read is remembered as broken, so that it can be mended."""
    try:
        return rows.put(_decode(key, document))
    except (KeyError, MalformedRow) as error:
        return Rows(providers=rows.providers, models=rows.models, broken={**rows.broken, key: str(error)})


def _decode(key: str, document: str) -> Row:
    row = _DECODERS[key[: key.find("#") + 1]](document)
    if row_key(row) != key:
        raise MalformedRow(f"it holds the {describe(row_key(row))}")
    return row


def _was_overtaken(error: ClientError) -> bool:
    if error_code(error) == "TransactionConflictException":
        return True
    reasons = error.response.get("CancellationReasons", ())
    return error_code(error) == "TransactionCanceledException" and any(
        reason.get("Code") in _OVERTAKEN for reason in reasons
    )
