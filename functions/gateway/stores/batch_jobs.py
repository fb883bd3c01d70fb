"""Batch jobs in one DynamoDB table, through boto3: jobs are off the hot path.

Items, by `pk` and `sk`:

* `jobs#<workspace>`, `<job>`: the job, with its counts.
* `work#<workspace>`, `<order>`: a piece of work that is not done: read the file, embed a slice, or close the job.
* `board`, `<workspace>`: how many jobs of the workspace are not over, and when it last had a turn.
* `done#<job>`, `<order>`: that a slice was counted, so that it is counted once.

`stores/work_board.py` hands out the pieces. Whatever ends a piece and what it changes in the job is one transaction.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import Any, Final

import msgspec

from gateway.core.batch import MAX_PRIORITY, BatchJob, Counts, JobState, LeaseLost, Piece, PieceKind, Problem, Slice
from gateway.core.errors import ResourceNotFound
from gateway.stores.items import Attributes, from_item, to_item

KEEP: Final = 30 * 24 * 3600
"""Seconds for which a job is remembered after it was made."""
NEVER: Final = 2**53
"""When a lease ends that only `wake` ends."""

_LAST: Final = 9_999_999
"""The number of the piece that closes a job."""
_MAX_WRITES: Final = 25
"""In one BatchWriteItem."""


class TableBatchJobs:
    """Methods block; errors of AWS come as boto3 raises them."""

    def __init__(self, client: Callable[[], Any], *, table: str, clock: Callable[[], float]) -> None:
        """`client` makes boto3's client of DynamoDB when it is first needed; `clock` is Unix time."""
        self._make_client = client
        self._table = table
        self._clock = clock

    def create(self, job: BatchJob) -> None:
        """Store the job and its first and last piece of work, all or nothing."""
        self._transact(
            self._put({**_job_key(job.workspace, job.id), **_builtins(job), "expires_at": job.created + KEEP}),
            self._put(_piece(job, Piece(kind=PieceKind.READ), 0)),
            self._put(_piece(job, Piece(kind=PieceKind.CLOSE), NEVER)),
            self._count_jobs(job.workspace, 1),
        )

    def get(self, workspace: str, job: str) -> BatchJob:
        """The job; raises `ResourceNotFound`."""
        found = self._client.get_item(
            TableName=self._table, Key=to_item(_job_key(workspace, job)), ConsistentRead=True
        ).get("Item")
        if found is None:
            raise ResourceNotFound(f"There is no batch {job!r}.")
        return _read_job(found)

    def list(self, workspace: str, *, limit: int, after: str | None = None) -> tuple[list[BatchJob], bool]:
        """Jobs of a workspace, newest first, and whether there are more; `after` is the last one already seen."""
        start = {"ExclusiveStartKey": to_item(_job_key(workspace, after))} if after else {}
        page = self._client.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=to_item({":pk": f"jobs#{workspace}"}),
            ScanIndexForward=False,
            Limit=limit + 1,
            **start,
        )
        jobs = [_read_job(item) for item in page["Items"]]
        return jobs[:limit], len(jobs) > limit

    def cancel(self, workspace: str, job: str) -> BatchJob:
        """Let no further slice be tried; a job that is over stays as it is. Raises `ResourceNotFound`."""
        now = self._now()
        states = JobState.VALIDATING, JobState.IN_PROGRESS
        changes = {"state": JobState.CANCELLING, "cancelling": now, "updated": now}
        try:
            self._client.update_item(**self._job_update(workspace, job, changes, states)["Update"])
        except self._client.exceptions.ConditionalCheckFailedException:
            return self.get(workspace, job)
        return self.get(workspace, job)

    def delete(self, job: BatchJob) -> None:
        """Forget the job; whoever works on it finds its lease lost."""
        forget = {"Delete": {"TableName": self._table, "Key": to_item(_job_key(job.workspace, job.id))}}
        self._transact(forget, *([] if job.is_over else [self._lease_of_close(job, 0)]))

    def begin(self, piece: Piece, job: BatchJob, slices: Iterable[Slice]) -> None:
        """The file was read: lay out its slices. Raises `LeaseLost`."""
        count = total = 0
        for some in _batched(slices, _MAX_WRITES):
            items = [_piece(job, Piece(kind=PieceKind.EMBED, slice=one), 0) for one in some]
            self._write([{"PutRequest": {"Item": to_item(item)}} for item in items])
            count, total = count + len(some), total + sum(one.count for one in some)
        now = self._now()
        known = {"slices": count, "total": total, "updated": now}
        started = {**known, "state": JobState.IN_PROGRESS, "started": now}
        if not self._end(piece, self._job_update(job.workspace, job.id, started, (JobState.VALIDATING,))):
            self._end(piece, self._job_update(job.workspace, job.id, known, (JobState.CANCELLING,)), must=True)

    def refuse(self, piece: Piece, job: BatchJob, problems: Sequence[Problem]) -> None:
        """The file cannot be worked on: the job has failed. Raises `LeaseLost`."""
        now = self._now()
        changes = {"state": JobState.FAILED, "problems": _builtins(problems), "ended": now, "updated": now}
        self._end(
            piece,
            self._job_update(job.workspace, job.id, changes, (JobState.VALIDATING, JobState.CANCELLING)),
            {"Delete": {"TableName": self._table, "Key": _key(_piece(job, Piece(kind=PieceKind.CLOSE), 0))}},
            self._count_jobs(job.workspace, -1),
            must=True,
        )

    def done(
        self, piece: Piece, job: BatchJob, counts: Counts, *, rest: Slice | None = None, delay: int = 0
    ) -> BatchJob:
        """Count a slice, once however often it was done, and lay out its `rest`, to be tried after `delay` seconds.

        Raises `LeaseLost`, `ResourceNotFound`.
        """
        marker = {"pk": f"done#{piece.job}", "sk": piece.order, "expires_at": self._now() + KEEP}
        added = {**_builtins(counts), "slices_done": 1, "slices": int(rest is not None)}
        left = [_piece(job, Piece(kind=PieceKind.EMBED, slice=rest), self._now() + delay)] if rest else []
        if not self._end(piece, self._job_addition(piece, added), *map(self._put, [marker, *left])):
            self._end(piece)  # it was counted before: the board had got it a second time
        return self.get(piece.workspace, piece.job)

    def wake(self, job: BatchJob) -> bool:
        """Let the job be closed, if every slice is done; whether it is."""
        if job.is_over or job.slices < 0 or job.slices_done < job.slices:
            return False
        try:
            self._client.update_item(**self._lease_of_close(job, 0)["Update"])
        except self._client.exceptions.ConditionalCheckFailedException:
            return False  # somebody closes it
        return True

    def closing(self, job: BatchJob) -> None:
        """Show that the answers are put together; raises `LeaseLost` if the job is gone."""
        now = self._now()
        states = JobState.IN_PROGRESS, JobState.CANCELLING, JobState.FINALIZING
        changes = {"state": JobState.FINALIZING, "finalizing": now, "updated": now}
        try:
            self._client.update_item(**self._job_update(job.workspace, job.id, changes, states)["Update"])
        except self._client.exceptions.ConditionalCheckFailedException as error:
            raise LeaseLost from error

    def closed(self, piece: Piece, job: BatchJob, *, output_file: str, error_file: str) -> None:
        """The job is over, and these files hold its answers. Raises `LeaseLost`."""
        now = self._now()
        changes = {"state": job.last_state, "output_file": output_file, "error_file": error_file}
        self._end(
            piece,
            self._job_update(job.workspace, job.id, {**changes, "ended": now, "updated": now}, (JobState.FINALIZING,)),
            self._count_jobs(job.workspace, -1),
            must=True,
        )

    def drop(self, piece: Piece) -> None:
        """Forget a piece whose job is gone; raises `LeaseLost`."""
        self._end(piece, *([self._count_jobs(piece.workspace, -1)] if piece.kind is PieceKind.CLOSE else []), must=True)

    @cached_property
    def _client(self) -> Any:  # boto3 has no types
        return self._make_client()

    def _now(self) -> int:
        return int(self._clock())

    def _end(self, piece: Piece, *changes: Attributes, must: bool = False) -> bool:
        """Take the piece from the board and make these changes, all or nothing; whether the changes could be made.

        Raises `LeaseLost` if the piece is not ours any more, or if the changes are a `must` and cannot be made.
        """
        mine = {
            "TableName": self._table,
            "Key": to_item({"pk": f"work#{piece.workspace}", "sk": piece.order}),
            "ConditionExpression": "lease = :lease",
            "ExpressionAttributeValues": to_item({":lease": piece.lease}),
        }
        try:
            self._transact({"Delete": mine}, *changes)
        except self._client.exceptions.TransactionCanceledException as error:
            codes = [reason.get("Code") for reason in error.response["CancellationReasons"]]
            if "ConditionalCheckFailed" not in codes:
                raise  # a conflict with another transaction, or a throttled table: to be tried again
            if must or codes[0] == "ConditionalCheckFailed":
                raise LeaseLost from error
            return False
        return True

    def _transact(self, *changes: Attributes) -> None:
        self._client.transact_write_items(TransactItems=list(changes))

    def _put(self, item: Mapping[str, Any]) -> Attributes:
        put = {"TableName": self._table, "Item": to_item(item), "ConditionExpression": "attribute_not_exists(pk)"}
        return {"Put": put}

    def _write(self, requests: Sequence[Attributes]) -> None:
        left = {self._table: list(requests)}
        while left:
            left = self._client.batch_write_item(RequestItems=left).get("UnprocessedItems", {})

    def _job_update(
        self, workspace: str, job: str, changes: Mapping[str, Any], states: Sequence[JobState]
    ) -> Attributes:
        """An update that sets these fields of a job, provided that it is in one of these states."""
        allowed = {f":from{place}": state for place, state in enumerate(states)}
        update = {
            "TableName": self._table,
            "Key": to_item(_job_key(workspace, job)),
            "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in changes),
            "ConditionExpression": f"#current IN ({', '.join(allowed)})",
            "ExpressionAttributeNames": {"#current": "state", **{f"#{name}": name for name in changes}},
            "ExpressionAttributeValues": to_item({**{f":{name}": value for name, value in changes.items()}, **allowed}),
        }
        return {"Update": update}

    def _job_addition(self, piece: Piece, added: Mapping[str, int]) -> Attributes:
        update = {
            "TableName": self._table,
            "Key": to_item(_job_key(piece.workspace, piece.job)),
            "UpdateExpression": f"ADD {', '.join(f'#{name} :{name}' for name in added)} SET #updated = :now",
            "ConditionExpression": "attribute_exists(pk)",
            "ExpressionAttributeNames": {"#updated": "updated", **{f"#{name}": name for name in added}},
            "ExpressionAttributeValues": to_item(
                {":now": self._now(), **{f":{name}": number for name, number in added.items()}}
            ),
        }
        return {"Update": update}

    def _count_jobs(self, workspace: str, change: int) -> Attributes:
        update = {
            "TableName": self._table,
            "Key": to_item({"pk": "board", "sk": workspace}),
            "UpdateExpression": "ADD jobs :change",
            "ExpressionAttributeValues": to_item({":change": change}),
        }
        return {"Update": update}

    def _lease_of_close(self, job: BatchJob, until: int) -> Attributes:
        update = {
            "TableName": self._table,
            "Key": _key(_piece(job, Piece(kind=PieceKind.CLOSE), 0)),
            "UpdateExpression": "SET lease_until = :until",
            "ConditionExpression": "lease_until = :never",
            "ExpressionAttributeValues": to_item({":until": until, ":never": NEVER}),
        }
        return {"Update": update}


def _job_key(workspace: str, job: str) -> dict[str, Any]:
    return {"pk": f"jobs#{workspace}", "sk": job}


def _piece(job: BatchJob, piece: Piece, lease_until: int) -> dict[str, Any]:
    """The item of a piece of work of that job."""
    number = piece.slice.first + 1 if piece.slice else 0 if piece.kind is PieceKind.READ else _LAST
    return {
        "pk": f"work#{job.workspace}",
        "sk": f"{MAX_PRIORITY - job.priority:020d}#{job.created:011d}#{job.id}#{number:07d}",
        "job": job.id,
        "kind": piece.kind.value,
        "lease_until": lease_until,
        "tries": 0,
        **({"slice": _builtins(piece.slice)} if piece.slice else {}),
    }


def _key(item: Mapping[str, Any]) -> Attributes:
    return to_item({"pk": item["pk"], "sk": item["sk"]})


def _read_job(item: Attributes) -> BatchJob:
    return msgspec.convert(from_item(item), BatchJob)


def _builtins(value: Any) -> Any:  # of any type that msgspec knows
    return msgspec.to_builtins(value)


def _batched(slices: Iterable[Slice], size: int) -> Iterator[list[Slice]]:
    left = iter(slices)
    while some := list(islice(left, size)):
        yield some
