"""A form with a file in it: multipart/form-data (RFC 7578)."""

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.core.errors import InvalidRequest, WrongContentType

MAX_FIELDS = 20
MAX_FIELD_BYTES = 10_000


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a form, and its one file."""

    fields: Mapping[str, str]
    name: str
    """Of the file."""
    body: bytes


def read_upload(headers: Mapping[str, str], body: bytes) -> Upload:
    """The form; raises `InvalidRequest`, `WrongContentType`."""
    # Imported here because few requests bring a file.
    from python_multipart.exceptions import FormParserError  # noqa: PLC0415
    from python_multipart.multipart import create_form_parser  # noqa: PLC0415

    kind = headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() != "multipart/form-data" or "boundary" not in kind.lower():
        raise WrongContentType("Send the file as multipart/form-data.")
    fields, files = list[Any](), list[Any]()  # python_multipart's Field and File
    bounds = {
        "MAX_MEMORY_FILE_SIZE": len(body) + 1,
        "MAX_FIELDS": MAX_FIELDS,
        "MAX_FIELD_SIZE": MAX_FIELD_BYTES,
    }
    try:
        parser = create_form_parser({"Content-Type": kind.encode()}, fields.append, files.append, bounds)
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise InvalidRequest("The body is not multipart/form-data as its content-type says.") from error
    named = {_text(field.field_name): _text(field.value) for field in fields}
    return Upload(fields=named, **_file(files))


def _file(files: list[Any]) -> dict[str, Any]:  # python_multipart's File
    found = [file for file in files if file.field_name == b"file"]
    if len(found) != 1:
        raise InvalidRequest("Missing required parameter: 'file'.", param="file")
    (file,) = found
    file.file_object.seek(0)
    return {"name": _text(file.file_name) or "upload", "body": file.file_object.read()}


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")
