"""Workspaces of a stage: one row each, see functions/gateway/stores/catalogue.py for its form."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from gateway.core.api_key import WORKSPACE
from gateway.core.caller import Workspace
from gateway.stores.catalogue import SETTINGS, MalformedRow, decode_row, workspace_partition
from infra.admin.failures import Failure, NotTried, error_code
from infra.admin.stages import Stage

_ATTEMPTS = 10


class SharedPathDialect(StrEnum):
    """What can be spoken at /v1/embeddings, where several dialects have the same path."""

    OPENAI = "openai"
    CTYUN = "ctyun"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspaces:
    """The rows of workspaces. `client` is boto3's, which has no types."""

    client: Any
    table: str

    def read(self, name: str) -> Workspace | None:
        """A workspace's row, `None` if it was never written."""
        document = self._document(name)
        return None if document is None else _decode(name, document)

    def has(self, name: str) -> bool:
        """Whether a workspace has a row, readable or not."""
        return self._document(name) is not None

    def names(self) -> list[str]:
        """Every workspace that was written."""
        pages = self.client.get_paginator("scan").paginate(
            TableName=self.table,
            FilterExpression="sk = :sk AND begins_with(pk, :prefix)",
            ExpressionAttributeValues={":sk": {"S": SETTINGS}, ":prefix": {"S": workspace_partition("")}},
            ProjectionExpression="pk",
        )
        return sorted(_names(pages))

    def edit(self, name: str, change: Callable[[Workspace | None], Workspace]) -> tuple[Workspace | None, Workspace]:
        """Replace a workspace's row by what `change` makes of it; again, when somebody else was quicker.

        Returns the row before, `None` if there was none, and after.
        """
        for _ in range(_ATTEMPTS):
            document = self._document(name)
            before = None if document is None else _decode(name, document)
            row = change(before)
            if self._replace(name, document, msgspec.json.encode(row).decode()):
                return before, row
        raise Failure(f"Others are changing the workspace {name} without pause: try again in a minute.")

    def remove(self, name: str) -> None:
        """Delete a workspace's row, if there is one."""
        self.client.delete_item(TableName=self.table, Key=_key(name))

    def _document(self, name: str) -> str | None:
        answer = self.client.get_item(TableName=self.table, Key=_key(name), ConsistentRead=True)
        return answer["Item"]["document"]["S"] if "Item" in answer else None

    def _replace(self, name: str, seen: str | None, document: str) -> bool:
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
        if seen is not None:
            condition = {
                "ConditionExpression": "document = :seen",
                "ExpressionAttributeValues": {":seen": {"S": seen}},
            }
        try:
            self.client.put_item(TableName=self.table, Item={**_key(name), "document": {"S": document}}, **condition)
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                return False
            raise
        return True


def open_workspaces(stage: Stage) -> Workspaces:
    """The workspaces of that stage."""
    return Workspaces(client=stage.client("dynamodb"), table=stage.catalogue_table)


def require_workspace(stage: Stage, name: str) -> None:
    """Raises `Failure` if the stage has no such workspace, `NotTried` for what cannot name one."""
    check_name(name)
    if not open_workspaces(stage).has(name):
        raise _missing(stage, name)


def find_workspace(stage: Stage, name: str) -> Workspace:
    """A workspace's settings; raises `Failure` if there is no such workspace, `NotTried` for what cannot name one."""
    check_name(name)
    row = open_workspaces(stage).read(name)
    if row is None:
        raise _missing(stage, name)
    return row


def _missing(stage: Stage, name: str) -> Failure:
    return Failure(
        f"There is no workspace {name!r} in {stage.name}: make it first with "
        f"`gateway workspaces set {name} --stage {stage.name}`."
    )


def check_name(name: str) -> None:
    """Raises `NotTried` for what cannot name a workspace."""
    if not WORKSPACE.fullmatch(name):
        raise NotTried(f"{name!r} cannot name a workspace: use 1 to 32 of a-z, 0-9 and, between them, hyphens.")


def _key(name: str) -> dict[str, Any]:
    return {"pk": {"S": workspace_partition(name)}, "sk": {"S": SETTINGS}}


def _names(pages: Any) -> Iterator[str]:  # boto3's pages have no types
    for page in pages:
        for item in page["Items"]:
            yield item["pk"]["S"].removeprefix(workspace_partition(""))


def _decode(name: str, document: str) -> Workspace:
    try:
        return decode_row(document, Workspace)
    except MalformedRow as error:
        raise Failure(f"The stored settings of {name} cannot be read ({error}): remove that item by hand.") from error
