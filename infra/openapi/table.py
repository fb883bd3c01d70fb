"""The table of causes in `docs/dialects.md`, written from the dialects' own."""

from gateway.app import ROUTERS
from gateway.core import errors
from gateway.core.errors import GatewayError
from infra.openapi.examples import ROOT

PLACE = ROOT / "docs" / "dialects.md"
BEGIN, END = "<!-- errors: begin -->\n", "<!-- errors: end -->\n"

DIALECTS = {router.dialect.name: router.dialect for router in reversed(ROUTERS)}
"""By name, those of the most clients first."""


def with_table(page: str) -> str:
    """The page with the table between its marks as it should be."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{_table()}{END}{after}"


def _table() -> str:
    head = ["", *DIALECTS]
    rows = [head, ["---"] * len(head), *map(_row, causes_in_order())]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def causes_in_order() -> list[type[GatewayError]]:
    """Every cause, as `core/errors.py` lists them."""
    found = [cause for cause in vars(errors).values() if isinstance(cause, type) and issubclass(cause, GatewayError)]
    return [cause for cause in found if cause is not GatewayError]


def _row(cause: type[GatewayError]) -> list[str]:
    cells = (dialect.wire_errors[cause] for dialect in DIALECTS.values())
    return [cause.__name__, *(f"{cell[0]} `{cell[-1]}`" for cell in cells)]
