"""Files of batch jobs, as their owners see them."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.core.batch_ports import Files
from gateway.core.caller import Caller
from gateway.core.errors import ResourceNotFound
from gateway.core.files import FILE_TTL, StoredFile, ordered_id


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFiles:
    """The files of the caller's workspace; nobody else finds them."""

    files: Files
    clock: Callable[[], float]
    """Unix time."""

    def add(self, caller: Caller, name: str, body: bytes, *, ttl: int = FILE_TTL) -> StoredFile:
        """Store a file of requests."""
        now = self.clock()
        file = StoredFile(
            id=f"file-{ordered_id(now)}",
            workspace=caller.workspace.name,
            name=name,
            purpose="batch",
            size=len(body),
            created=int(now),
            expires=int(now) + ttl,
        )
        self.files.put(file, body)
        return file

    def get(self, caller: Caller, file_id: str) -> StoredFile:
        """Raises `ResourceNotFound`."""
        return self.files.get(caller.workspace.name, file_id)

    def list(
        self, caller: Caller, *, limit: int, after: str | None = None, purpose: str | None = None
    ) -> tuple[list[StoredFile], bool]:
        """Files, newest first, and whether there are more; raises `ResourceNotFound` if `after` is none of them."""
        files = [file for file in self.files.list(caller.workspace.name) if purpose in {None, file.purpose}]
        start = _place(files, after) + 1 if after else 0
        return files[start : start + limit], len(files) > start + limit

    def delete(self, caller: Caller, file_id: str) -> None:
        """Raises `ResourceNotFound`."""
        self.files.delete(self.get(caller, file_id))

    def address(self, caller: Caller, file_id: str) -> str:
        """A short-lived address of the file's content; raises `ResourceNotFound`."""
        return self.files.address(self.get(caller, file_id))


def _place(files: list[StoredFile], file_id: str) -> int:
    for place, file in enumerate(files):
        if file.id == file_id:
            return place
    raise ResourceNotFound(f"There is no file {file_id!r}.")
