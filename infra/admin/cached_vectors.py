"""What is cached of a workspace, in the table of vectors: found by its owner, and erased.

The table has no index by owner, which would cost as much as the vectors themselves: so all of it is read.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from infra.admin.failures import Failure
from infra.admin.stages import Stage

READ_UNIT = 8 * 1024
"""Bytes that one unit reads where the latest write may be missed."""
READ_PRICE = 0.125 / 1_000_000
"""US dollars per unit, list price of November 2026 in us-east-1; other regions are up to a fifth dearer."""

_ITEMS_OF_A_BATCH = 25
_ATTEMPTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSize:
    """A table's vectors and bytes, as DynamoDB counted them some hours ago."""

    items: int
    bytes: int

    @property
    def price(self) -> float:
        """US dollars for reading all of it."""
        return self.bytes / READ_UNIT * READ_PRICE


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedVectors:
    """The cache of a stage. `client` is boto3's, which has no types."""

    client: Any
    table: str

    def size(self) -> TableSize:
        """How large the cache is."""
        table = self.client.describe_table(TableName=self.table)["Table"]
        return TableSize(items=table["ItemCount"], bytes=table["TableSizeBytes"])

    def erase(self, owner: bytes, *, on_progress: Callable[[int, int], None]) -> int:
        """Delete all vectors of that owner; how many there were. May be interrupted and repeated.

        `on_progress` is called after each page with the numbers of vectors that were read and erased by then.
        """
        read = erased = 0
        for page in self._pages(owner):
            for start in range(0, len(page["Items"]), _ITEMS_OF_A_BATCH):
                self._delete(page["Items"][start : start + _ITEMS_OF_A_BATCH])
            read, erased = read + page["ScannedCount"], erased + len(page["Items"])
            on_progress(read, erased)
        return erased

    def _pages(self, owner: bytes) -> Iterator[Any]:  # boto3's pages have no types
        yield from self.client.get_paginator("scan").paginate(
            TableName=self.table,
            FilterExpression="#owner = :owner",
            ExpressionAttributeNames={"#owner": "owner", "#key": "key"},
            ExpressionAttributeValues={":owner": {"B": owner}},
            ProjectionExpression="#key",
        )

    def _delete(self, keys: Sequence[Any]) -> None:
        requests = [{"DeleteRequest": {"Key": key}} for key in keys]
        for _ in range(_ATTEMPTS):
            answer = self.client.batch_write_item(RequestItems={self.table: requests})
            requests = answer.get("UnprocessedItems", {}).get(self.table, [])
            if not requests:
                return
        raise Failure("DynamoDB is too busy to delete: try again later; what is erased stays erased.")


def open_cached_vectors(stage: Stage) -> CachedVectors:
    """The cache of that stage."""
    return CachedVectors(client=stage.client("dynamodb"), table=stage.vector_cache_table)
