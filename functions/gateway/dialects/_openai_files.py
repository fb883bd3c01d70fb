"""Files for batch jobs, as OpenAI's clients and Azure's upload and fetch them.

https://platform.openai.com/docs/api-reference/files
"""

from typing import Literal, TypedDict

import orjson

from gateway.core.errors import InvalidRequest
from gateway.core.files import FILE_TTL, StoredFile
from gateway.dialects._context import RequestContext
from gateway.dialects._multipart import read_upload
from gateway.dialects._paging import page, page_limit
from gateway.dialects._response import Response
from gateway.dialects._router import Context, DialectRouter

MIN_TTL, MAX_TTL = 3600, FILE_TTL
"""Seconds that a caller may ask a file to be kept."""
TTL_FIELD = "expires_after[seconds]"
MAX_FILES = 10_000
"""In one page."""


class FileObject(TypedDict):
    """What is known of a file."""

    id: str
    object: Literal["file"]
    bytes: int
    created_at: int
    expires_at: int
    filename: str
    purpose: str
    status: Literal["processed"]


class FileList(TypedDict):
    """A page of files, newest first."""

    object: Literal["list"]
    data: list[FileObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


class FileDeleted(TypedDict):
    """That the file is gone."""

    id: str
    object: Literal["file"]
    deleted: Literal[True]


def file_object(file: StoredFile) -> FileObject:
    """OpenAI's file object."""
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.size,
        "created_at": file.created,
        "expires_at": file.expires,
        "filename": file.name,
        "purpose": file.purpose,
        "status": "processed",
    }


def add_file_routes(router: DialectRouter, *bases: str) -> None:
    """Routes below these bases, such as `/v1`."""

    @router.endpoint(
        "POST",
        *(f"{base}/files" for base in bases),
        include_in_schema=False,
    )
    async def create(context: Context) -> Response:
        """JSONL with a request in each line, at most 4.4 MB here, as multipart/form-data."""
        upload = read_upload(context.headers, context.body)
        if upload.fields.get("purpose") != "batch":
            raise InvalidRequest("'purpose' must be 'batch'.", param="purpose")
        files = context.gateway.batch().files
        return _json(
            file_object(files.add(context.caller, upload.name, upload.body, ttl=_ttl(upload.fields.get(TTL_FIELD))))
        )

    @router.endpoint(
        "GET",
        *(f"{base}/files" for base in bases),
        include_in_schema=False,
    )
    async def listed(context: Context) -> Response:
        """The files of the key's workspace, newest first."""
        files, more = context.gateway.batch().files.list(
            context.caller,
            limit=page_limit(context, MAX_FILES, MAX_FILES),
            after=context.query_value("after"),
            purpose=context.query_value("purpose"),
        )
        return page([file_object(file) for file in files], has_more=more)

    @router.endpoint(
        "GET",
        *(f"{base}/files/{{file}}" for base in bases),
        include_in_schema=False,
    )
    async def retrieve(context: Context) -> Response:
        """What is known of a file."""
        return _json(file_object(context.gateway.batch().files.get(context.caller, _id(context))))

    @router.endpoint(
        "DELETE",
        *(f"{base}/files/{{file}}" for base in bases),
        include_in_schema=False,
    )
    async def delete(context: Context) -> Response:
        """A job that still needs the file cannot go on, and ends as `expired`."""
        context.gateway.batch().files.delete(context.caller, _id(context))
        return _json({"id": _id(context), "object": "file", "deleted": True})

    @router.endpoint(
        "GET",
        *(f"{base}/files/{{file}}/content" for base in bases),
        include_in_schema=False,
    )
    async def content(context: Context) -> Response:
        """A redirect to an address that needs no key and holds for 15 minutes."""
        address = context.gateway.batch().files.address(context.caller, _id(context))
        return Response(body=b"", status=302, headers={"location": address})


def _id(context: RequestContext) -> str:
    return context.path_params["file"]


def _ttl(given: str | None) -> int:
    """How long the file is kept, in seconds; raises `InvalidRequest`."""
    if given is None:
        return FILE_TTL
    if not given.isascii() or not given.isdigit() or not MIN_TTL <= int(given[:9]) <= MAX_TTL:
        raise InvalidRequest(f"'{TTL_FIELD}' must be from {MIN_TTL} to {MAX_TTL} seconds.", param=TTL_FIELD)
    return int(given)


def _json(value: object) -> Response:
    return Response(body=orjson.dumps(value))
