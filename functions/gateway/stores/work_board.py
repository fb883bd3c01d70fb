"""Who works on what: pieces of batch jobs, handed out fairly between workspaces, then by priority, then by age.

The items are those of `stores/batch_jobs.py`. A claim is a conditional write, which gives a lease; when the lease ends
without word, the piece can be claimed again. A worker that died is found out by that alone.
"""

import os
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, Final

import msgspec

from gateway.core.batch import LeaseLost, Piece, PieceKind
from gateway.stores.items import Attributes, from_item, to_item

LEASE: Final = 120
"""Seconds for which a claim holds; a worker renews it while it works."""


class TableWorkBoard:
    """Methods block; errors of AWS come as boto3 raises them."""

    def __init__(self, client: Callable[[], Any], *, table: str, clock: Callable[[], float]) -> None:
        """`client` makes boto3's client of DynamoDB when it is first needed; `clock` is Unix time."""
        self._make_client = client
        self._table = table
        self._clock = clock

    def claim(self) -> Piece | None:
        """The first piece of work that nobody has; `None` if there is none."""
        for workspace in self.workspaces():
            for item in self._waiting(workspace):
                if piece := self._take(item):
                    self._remember_turn(workspace)
                    return piece
        return None

    def workspaces(self) -> list[str]:
        """Those with jobs that are not over; whose last turn is longest ago comes first."""
        found = [entry for entry in self._query("board") if entry["jobs"] > 0]
        return [entry["sk"] for entry in sorted(found, key=lambda entry: entry.get("turn", 0))]

    def jobs_at_work(self, workspace: str) -> list[str]:
        """The workspace's jobs that are not over."""
        pieces = self._query(f"work#{workspace}")
        return [piece["job"] for piece in pieces if piece["kind"] == PieceKind.CLOSE]

    def renew(self, piece: Piece) -> None:
        """Keep the lease; raises `LeaseLost`."""
        self._set_lease(piece, LEASE)

    def release(self, piece: Piece, *, delay: int) -> None:
        """Give the piece back, to be tried again after `delay` seconds; raises `LeaseLost`."""
        self._set_lease(piece, delay)

    @cached_property
    def _client(self) -> Any:  # boto3 has no types
        return self._make_client()

    def _waiting(self, workspace: str) -> Iterator[dict[str, Any]]:
        """Pieces that nobody has, in the order in which they are due."""
        values = to_item({":now": int(self._clock())})
        return self._query(f"work#{workspace}", FilterExpression="lease_until <= :now", values=values)

    def _query(self, pk: str, *, values: Attributes | None = None, **options: Any) -> Iterator[dict[str, Any]]:
        start: dict[str, Any] = {}
        while True:
            page = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={**to_item({":pk": pk}), **(values or {})},
                ConsistentRead=True,
                Limit=100,
                **options,
                **start,
            )
            yield from map(from_item, page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def _take(self, item: dict[str, Any]) -> Piece | None:
        """The piece with a lease of ours; `None` if somebody was faster."""
        now, lease = int(self._clock()), os.urandom(8).hex()
        try:
            self._client.update_item(
                TableName=self._table,
                Key=to_item({"pk": item["pk"], "sk": item["sk"]}),
                UpdateExpression="SET lease = :lease, lease_until = :until ADD tries :one",
                ConditionExpression="lease_until <= :now",
                ExpressionAttributeValues=to_item({":lease": lease, ":until": now + LEASE, ":one": 1, ":now": now}),
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return None
        known = {"workspace": item["pk"].removeprefix("work#"), "order": item["sk"], "lease": lease}
        return msgspec.convert({**item, **known, "tries": item["tries"] + 1}, Piece)

    def _remember_turn(self, workspace: str) -> None:
        self._client.update_item(
            TableName=self._table,
            Key=to_item({"pk": "board", "sk": workspace}),
            UpdateExpression="SET turn = :now",
            ExpressionAttributeValues=to_item({":now": int(self._clock() * 1000)}),
        )

    def _set_lease(self, piece: Piece, seconds: int) -> None:
        try:
            self._client.update_item(
                TableName=self._table,
                Key=to_item({"pk": f"work#{piece.workspace}", "sk": piece.order}),
                UpdateExpression="SET lease_until = :until",
                ConditionExpression="lease = :lease",
                ExpressionAttributeValues=to_item({":until": int(self._clock()) + seconds, ":lease": piece.lease}),
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            raise LeaseLost from error
