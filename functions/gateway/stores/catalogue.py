"""Models, routes, providers and workspaces in DynamoDB: rows that hold a JSON document each.

Partition `catalogue` holds `model#<name>` and `provider#<name>`; partition `workspace#<name>` holds `settings`.
A document is the JSON of a class in `core/catalogue.py` or `core/caller.py`.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

import msgspec

from gateway import telemetry
from gateway.aws.dynamodb import NOTHING, Attribute, DynamoDb
from gateway.aws.errors import AwsError
from gateway.core.caller import Workspace
from gateway.core.catalogue import Catalogue, Model, Provider, unknown_providers
from gateway.core.errors import StoreUnavailable
from gateway.stores.ttl_cache import TtlCache

FRESH: Final = 60.0
"""Seconds after which a change of the table is seen."""
STALE: Final = 24 * 3600.0
"""Seconds for which a remembered copy serves while DynamoDB is down: models seldom change."""
MAX_WORKSPACES: Final = 2_000
REREADS: Final = 5
"""Look-ups at once of a workspace whose key is newer than its remembered settings."""

PARTITION: Final = "catalogue"
MODEL: Final = "model#"
PROVIDER: Final = "provider#"
SETTINGS: Final = "settings"

Row = TypeVar("Row", Provider, Model, Workspace)


class MalformedRow(ValueError):
    """A row with an invalid value; the message names the field."""


def workspace_partition(name: str) -> str:
    """The partition key of a workspace's settings."""
    return f"workspace#{name}"


def decode_row(document: str, row_type: type[Row]) -> Row:
    """The row that a document holds; raises `MalformedRow`."""
    try:
        return msgspec.json.decode(document, type=row_type)
    except msgspec.MsgspecError as error:
        raise MalformedRow(str(error)) from error


class TableCatalogue:
    """The port `CatalogueStore` over DynamoDB and the warm function's memory."""

    def __init__(self, dynamodb: DynamoDb, *, table: str, clock: Callable[[], float]) -> None:
        """`clock` is Unix time."""
        self._dynamodb = dynamodb
        self._table = table
        self._catalogue = TtlCache(self._load_catalogue, fresh=lambda _: FRESH, stale=STALE, size=1, clock=clock)
        self._workspaces = TtlCache(
            self._load_workspace,
            fresh=lambda _: FRESH,
            stale=STALE,
            size=MAX_WORKSPACES,
            clock=clock,
            rereads=REREADS,
        )

    async def catalogue(self) -> Catalogue:
        """All models that can be served; raises `StoreUnavailable` if there is not even a remembered copy."""
        try:
            return self._catalogue.get(PARTITION)
        except AwsError as error:
            raise StoreUnavailable("The catalogue of models cannot be read at the moment.") from error

    async def workspace(self, name: str, workspace_id: str | None = None) -> Workspace | None:
        """A workspace's settings, the defaults if they cannot be read; `None` if it was never made, or was removed.

        If memory holds none of that id, it looks again, within bounds. Raises `StoreUnavailable` like `catalogue`.
        """

        def suffices(row: Workspace | None) -> bool:
            return workspace_id is None or (row is not None and row.id == workspace_id)

        try:
            return self._workspaces.get(name, suffices=suffices)
        except AwsError as error:
            raise StoreUnavailable("The settings of the workspace cannot be read at the moment.") from error

    def _load_catalogue(self, partition: str) -> Catalogue:
        rows = list(self._rows(partition))
        providers = list(_readable(rows, PROVIDER, Provider))
        names = {provider.name for provider in providers}
        return Catalogue(filter(lambda model: _leads_to(names, model), _readable(rows, MODEL, Model)), providers)

    def _rows(self, partition: str) -> Iterator["_Item"]:
        start = NOTHING
        while True:
            page = self._dynamodb.query(
                self._table, _Item, condition="pk = :pk", values={":pk": {"S": partition}}, start=start
            )
            yield from page.items
            if not (start := page.last_key):
                return

    def _load_workspace(self, name: str) -> Workspace | None:
        key = {"pk": {"S": workspace_partition(name)}, "sk": {"S": SETTINGS}}
        item = self._dynamodb.get_item(self._table, key, _Item)
        return next(_readable([item], SETTINGS, Workspace), _defaults(name, item)) if item else None


class _Item(msgspec.Struct):
    sk: Attribute
    document: Attribute | None = None


class _Identity(msgspec.Struct):
    id: str = ""


def _defaults(name: str, item: _Item) -> Workspace:
    """Settings where the row's cannot be read; with its own id, lest it has the cache of another of that name."""
    document = (item.document and item.document.S) or "{}"
    try:
        return msgspec.convert({"name": name, "id": msgspec.json.decode(document, type=_Identity).id}, Workspace)
    except msgspec.MsgspecError:
        return Workspace(name=name)


def _readable(items: Iterable[_Item], kind: str, row_type: type[Row]) -> Iterator[Row]:
    """The items of a kind; one that cannot be read is left out, so that it does not take the others down."""
    for item in items:
        sort_key = item.sk.S or ""
        if not sort_key.startswith(kind):
            continue
        try:
            yield decode_row((item.document and item.document.S) or "", row_type)
        except MalformedRow as error:
            _report(sort_key, str(error))


def _leads_to(providers: set[str], model: Model) -> bool:
    """Whether all its providers are there; if not, it is left out like a row that cannot be read."""
    unknown = unknown_providers(model, providers)
    if unknown:
        _report(MODEL + model.name, f"there is no provider {', '.join(unknown)}")
    return not unknown


def _report(sort_key: str, reason: str) -> None:
    telemetry.logger().warning("row cannot be read and is left out", row=sort_key, reason=reason)
