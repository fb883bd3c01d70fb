"""Models, routes, providers and workspaces in DynamoDB: rows that hold a JSON document each.

Partition `catalogue` holds `model#<name>` and `provider#<name>`; partition `workspace#<name>` holds `settings`.
A document's fields are those of the dataclasses in `core/catalogue.py` and `core/caller.py`.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta

from gateway import telemetry
from gateway.aws.dynamodb import NOTHING, Attribute, DynamoDb
from gateway.aws.errors import AwsError
from gateway.core.caller import Limits, Workspace
from gateway.core.catalogue import Catalogue, Model, Provider, PurposeRule, Route, Symmetry
from gateway.core.embedding import Purpose
from gateway.core.errors import StoreUnavailable
from gateway.stores.ttl_cache import TtlCache

FRESH: Final = 60.0
"""Seconds after which a change of the table is seen."""
STALE: Final = 24 * 3600.0
"""Seconds for which a remembered copy serves while DynamoDB is down: models seldom change."""
MAX_WORKSPACES: Final = 2_000

PARTITION: Final = "catalogue"
MODEL: Final = "model#"
PROVIDER: Final = "provider#"
SETTINGS: Final = "settings"

Name = Annotated[str, Meta(min_length=1)]
AtLeastOne = Annotated[int, Meta(ge=1)]
NotNegative = Annotated[int, Meta(ge=0)]


class MalformedRow(ValueError):
    """A row that says what cannot be; the message names the field."""


class ProviderRow(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """An operator's provider; see `core.catalogue.Provider`."""

    name: Name
    kind: Name
    url: str | None = None
    key: str | None = None
    timeout: Annotated[float, Meta(gt=0)] = 25.0
    settings: dict[str, Any] = {}


class RouteRow(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Where a model leads, its provider by name; see `core.catalogue.Route`."""

    name: Name
    provider: Name
    vendor_model: Name
    region: Name
    revision: str = ""
    max_inputs: AtLeastOne = 2048
    max_tokens: AtLeastOne | None = None
    concurrency: AtLeastOne = 4
    accepts_tokens: bool = False
    accepts_base64: bool = True
    accepts_dimensions: bool = False


class PrefixRow(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A purpose that is told as text put before each input."""

    prefix: str


class ModelRow(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A public model; see `core.catalogue.Model`."""

    name: Name
    dimensions: AtLeastOne
    routes: Annotated[list[RouteRow], Meta(min_length=1)]
    aliases: list[Name] = []
    shortenable: bool = False
    min_dimensions: AtLeastOne = 1
    dimension_choices: list[AtLeastOne] = []
    max_tokens: AtLeastOne = 8192
    max_inputs: AtLeastOne = 2048
    max_contents: AtLeastOne = 100
    max_request_tokens: AtLeastOne = 300_000
    truncate: bool = False
    normalised: bool = True
    symmetry: Symmetry = Symmetry.SYMMETRIC
    purposes: dict[Purpose, Literal["native"] | PrefixRow] = {}
    accepts_title: bool = False
    vocabulary: str | None = None
    price: Annotated[float, Meta(ge=0)] | None = None
    cache_ttl: NotNegative = 30 * 24 * 3600
    created: NotNegative = 0
    owner: str = "embeddings-gateway"
    description: str = ""


class LimitsRow(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Requests and tokens per minute; 0 admits nothing, and there is no word for "unlimited" but a large number."""

    requests: NotNegative = 500
    tokens: NotNegative = 60_000


class WorkspaceRow(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A workspace's settings; see `core.caller.Workspace`."""

    name: Name
    limits: LimitsRow = LimitsRow()
    dialect: str | None = None


Row = TypeVar("Row", ProviderRow, ModelRow, WorkspaceRow)
Value = TypeVar("Value")


def decode_row(document: str, row_type: type[Row]) -> Row:
    """The row that a document holds; raises `MalformedRow`."""
    try:
        return msgspec.json.decode(document, type=row_type)
    except msgspec.MsgspecError as error:
        raise MalformedRow(str(error)) from error


def to_provider(row: ProviderRow) -> Provider:
    return Provider(**_fields(row))


def to_model(row: ModelRow, providers: Mapping[str, Provider]) -> Model:
    """The model of a row; raises `MalformedRow` for what no single field shows to be wrong."""
    _check_dimensions(row)
    _check_distinct("routes", [route.name for route in row.routes])
    _check_distinct("aliases", [row.name, *row.aliases])
    return Model(
        **_fields(row)
        | {
            "routes": tuple(_route(route, place, providers) for place, route in enumerate(row.routes)),
            "aliases": tuple(row.aliases),
            "dimension_choices": tuple(row.dimension_choices),
            "purposes": {purpose: _rule(rule) for purpose, rule in row.purposes.items()},
        }
    )


def to_workspace(row: WorkspaceRow) -> Workspace:
    limits = Limits(requests=row.limits.requests, tokens=row.limits.tokens)
    return Workspace(name=row.name, limits=limits, dialect=row.dialect)


class TableCatalogue:
    """The port `CatalogueStore` over DynamoDB and the warm function's memory."""

    def __init__(self, dynamodb: DynamoDb, *, table: str, clock: Callable[[], float]) -> None:
        """`clock` is Unix time."""
        self._dynamodb = dynamodb
        self._table = table
        self._catalogue = TtlCache(self._load_catalogue, fresh=lambda _: FRESH, stale=STALE, size=1, clock=clock)
        self._workspaces = TtlCache(
            self._load_workspace, fresh=lambda _: FRESH, stale=STALE, size=MAX_WORKSPACES, clock=clock
        )

    async def catalogue(self) -> Catalogue:
        """All models that can be served; raises `StoreUnavailable` if there is not even a remembered copy."""
        try:
            return await self._catalogue.get(PARTITION)
        except AwsError as error:
            raise StoreUnavailable("The catalogue of models cannot be read at the moment.") from error

    async def workspace(self, name: str) -> Workspace:
        """A workspace's settings, the defaults where none (or none that can be read) were written.

        Where none were written it is not `is_set`.
        Raises `StoreUnavailable` like `catalogue`.
        """
        try:
            return await self._workspaces.get(name)
        except AwsError as error:
            raise StoreUnavailable("The settings of the workspace cannot be read at the moment.") from error

    async def _load_catalogue(self, partition: str) -> Catalogue:
        rows = [row async for row in self._rows(partition)]
        providers = {provider.name: provider for provider in _readable(rows, PROVIDER, _read_provider)}
        return Catalogue(_readable(rows, MODEL, lambda document: _read_model(document, providers)))

    async def _rows(self, partition: str) -> AsyncIterator["_Item"]:
        start = NOTHING
        while True:
            page = self._dynamodb.query(
                self._table, _Item, condition="pk = :pk", values={":pk": {"S": partition}}, start=start
            )
            for item in page.items:
                yield item
            if not (start := page.last_key):
                return

    async def _load_workspace(self, name: str) -> Workspace:
        key = {"pk": {"S": f"workspace#{name}"}, "sk": {"S": SETTINGS}}
        item = self._dynamodb.get_item(self._table, key, _Item)
        default = Workspace(name=name, is_set=item is not None)
        return next(_readable([item] if item else [], SETTINGS, _read_workspace), default)


class _Item(msgspec.Struct):
    sk: Attribute
    document: Attribute | None = None


def _readable(items: Iterable[_Item], kind: str, read: Callable[[str], Value]) -> Iterator[Value]:
    """What the items of a kind say; one that cannot be read is left out, so that it does not take the others down."""
    for item in items:
        sort_key = item.sk.S or ""
        if not sort_key.startswith(kind):
            continue
        try:
            yield read((item.document and item.document.S) or "")
        except MalformedRow as error:
            telemetry.logger().warning("row cannot be read and is left out", row=sort_key, reason=str(error))


def _read_provider(document: str) -> Provider:
    return to_provider(decode_row(document, ProviderRow))


def _read_model(document: str, providers: Mapping[str, Provider]) -> Model:
    return to_model(decode_row(document, ModelRow), providers)


def _read_workspace(document: str) -> Workspace:
    return to_workspace(decode_row(document, WorkspaceRow))


def _check_dimensions(row: ModelRow) -> None:
    if row.min_dimensions > row.dimensions:
        raise MalformedRow(
            f"min_dimensions is {row.min_dimensions}, more than the {row.dimensions} dimensions there are"
        )
    for choice in row.dimension_choices:
        if choice > row.dimensions:
            raise MalformedRow(f"dimension_choices has {choice}, more than the {row.dimensions} dimensions there are")


def _check_distinct(field: str, names: list[str]) -> None:
    for place, name in enumerate(names):
        if name in names[:place]:
            raise MalformedRow(f"{field} has {name!r} twice")


def _route(row: RouteRow, place: int, providers: Mapping[str, Provider]) -> Route:
    if row.provider not in providers:
        raise MalformedRow(f"routes[{place}].provider is {row.provider!r}, and there is no such provider")
    return Route(**{**_fields(row), "provider": providers[row.provider]})


def _rule(row: Literal["native"] | PrefixRow) -> PurposeRule:
    return PurposeRule(prefix=row.prefix) if isinstance(row, PrefixRow) else PurposeRule(native=True)


def _fields(row: msgspec.Struct) -> dict[str, Any]:  # Any: the fields have the types of the dataclass' own
    return {name: getattr(row, name) for name in row.__struct_fields__}
