"""Files of batch jobs: their bytes in S3, what is known of them in DynamoDB; through boto3, off the hot path.

Objects are `files/<id>` and, until a job is closed, `jobs/<job>/<kind>/<first line>`. Ids are random, and an object is
only found through its item, under the caller's own workspace.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Final

import msgspec

from gateway.core.batch import request_lines
from gateway.core.batch_ports import AnswerKind
from gateway.core.errors import ResourceNotFound
from gateway.core.files import StoredFile
from gateway.stores.items import from_item, to_item

PART: Final = 8 * 1024 * 1024
"""Bytes of a part of an upload; S3 takes no part below 5 MiB but the last, and 10,000 parts."""
_CHUNK: Final = 1024 * 1024
_ADDRESS_EXPIRES: Final = 900
"""Seconds."""


class BucketFiles:
    """The port `Files`; errors of AWS come as boto3 raises them."""

    def __init__(
        self,
        dynamodb: Callable[[], Any],
        s3: Callable[[], Any],
        *,
        table: str,
        bucket: str,
        clock: Callable[[], float],
    ) -> None:
        """`dynamodb` and `s3` make boto3's clients when they are first needed; `clock` is Unix time."""
        self._make = dynamodb, s3
        self._table = table
        self._bucket = bucket
        self._clock = clock

    def put(self, file: StoredFile, body: bytes) -> None:
        """Store a file whole."""
        self._s3.put_object(Bucket=self._bucket, Key=_object(file.id), Body=body)
        self.record(file)

    @contextmanager
    def writer(self, file_id: str) -> Iterator["Upload"]:
        """Write the bytes of a file; it is there once the context has ended without an exception."""
        upload = Upload(self._s3, self._bucket, _object(file_id))
        try:
            yield upload
            upload.finish()
        except BaseException:
            upload.abort()
            raise

    def record(self, file: StoredFile) -> None:
        """Make a file known whose bytes are written."""
        item = {**_key(file.workspace, file.id), **msgspec.to_builtins(file), "expires_at": file.expires}
        self._dynamodb.put_item(TableName=self._table, Item=to_item(item))

    def get(self, workspace: str, file_id: str) -> StoredFile:
        """What is known of a file; raises `ResourceNotFound`, also for one that has expired."""
        key = to_item(_key(workspace, file_id))
        item = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        file = item and msgspec.convert(from_item(item), StoredFile)
        if file is None or file.expires <= self._clock():
            raise ResourceNotFound(f"There is no file {file_id!r}.")
        return file

    def list(self, workspace: str) -> list[StoredFile]:
        """Files of a workspace that have not expired, newest first."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=to_item({":pk": f"files#{workspace}"}),
        )
        files = [msgspec.convert(from_item(item), StoredFile) for page in pages for item in page["Items"]]
        now = self._clock()
        return sorted((file for file in files if file.expires > now), key=lambda file: (-file.created, file.id))

    def delete(self, file: StoredFile) -> None:
        """Forget a file."""
        self._dynamodb.delete_item(TableName=self._table, Key=to_item(_key(file.workspace, file.id)))
        self._s3.delete_object(Bucket=self._bucket, Key=_object(file.id))

    def lines(self, file_id: str) -> Iterator[bytes]:
        """The lines of a file with their ends, read as a stream; raises `InvalidRequest` for one that is too long."""
        body = self._s3.get_object(Bucket=self._bucket, Key=_object(file_id))["Body"]
        yield from request_lines(body.iter_chunks(_CHUNK))

    def read(self, file_id: str, offset: int, length: int) -> bytes:
        """Some bytes of a file."""
        wanted = f"bytes={offset}-{offset + length - 1}"
        body: bytes = self._s3.get_object(Bucket=self._bucket, Key=_object(file_id), Range=wanted)["Body"].read()
        return body

    def address(self, file: StoredFile) -> str:
        """A short-lived address at which anybody may get the file."""
        where = {"Bucket": self._bucket, "Key": _object(file.id)}
        address: str = self._s3.generate_presigned_url("get_object", Params=where, ExpiresIn=_ADDRESS_EXPIRES)
        return address

    @cached_property
    def _dynamodb(self) -> Any:  # boto3 has no types
        return self._make[0]()

    @cached_property
    def _s3(self) -> Any:  # likewise
        return self._make[1]()


class Upload:
    """One object, sent in parts as it is written; a small one is sent whole."""

    def __init__(self, s3: Any, bucket: str, key: str) -> None:
        self.size = 0
        self._s3 = s3
        self._where = {"Bucket": bucket, "Key": key}
        self._left = bytearray()
        self._parts: list[dict[str, Any]] = []
        self._upload: dict[str, str] | None = None

    def write(self, data: bytes) -> None:
        """Add to the end of the object."""
        self.size += len(data)
        self._left += data
        while len(self._left) >= PART:
            self._send(bytes(self._left[:PART]))
            del self._left[:PART]

    def finish(self) -> None:
        """The object is whole."""
        if self._upload is None:
            self._s3.put_object(**self._where, Body=bytes(self._left))
            return
        if self._left:
            self._send(bytes(self._left))
        self._s3.complete_multipart_upload(**self._where, **self._upload, MultipartUpload={"Parts": self._parts})

    def abort(self) -> None:
        """Leave nothing behind."""
        if self._upload is not None:
            self._s3.abort_multipart_upload(**self._where, **self._upload)

    def _send(self, part: bytes) -> None:
        if self._upload is None:
            self._upload = {"UploadId": self._s3.create_multipart_upload(**self._where)["UploadId"]}
        number = len(self._parts) + 1
        sent = self._s3.upload_part(**self._where, **self._upload, PartNumber=number, Body=part)
        self._parts.append({"PartNumber": number, "ETag": sent["ETag"]})


class BucketAnswers:
    """The port `BatchAnswers`."""

    def __init__(self, s3: Callable[[], Any], *, bucket: str) -> None:
        self._make_s3 = s3
        self._bucket = bucket

    def put(self, job: str, kind: AnswerKind, first: int, body: bytes) -> None:
        """Store the answers of one slice; a second time replaces the first."""
        self._s3.put_object(Bucket=self._bucket, Key=f"{_folder(job)}{kind}/{first:07d}", Body=body)

    def stream(self, job: str, kind: AnswerKind) -> Iterator[bytes]:
        """All answers of a job, slice by slice."""
        for key in self._keys(f"{_folder(job)}{kind}/"):
            yield self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()

    def forget(self, job: str) -> None:
        """Delete all answers of a job."""
        for key in self._keys(_folder(job)):
            self._s3.delete_object(Bucket=self._bucket, Key=key)

    @cached_property
    def _s3(self) -> Any:  # boto3 has no types
        return self._make_s3()

    def _keys(self, prefix: str) -> list[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", ())]


def _key(workspace: str, file_id: str) -> dict[str, str]:
    return {"pk": f"files#{workspace}", "sk": file_id}


def _object(file_id: str) -> str:
    return f"files/{file_id}"


def _folder(job: str) -> str:
    return f"jobs/{job}/"
