"""What the clients did, as the table in docs/clients.md; README.md shows its first row."""

from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path

from tests.e2e.clients.drivers import Outcome
from tests.e2e.clients.environments import ROOT
from tests.e2e.clients.play import Behaviour, Performance
from tests.e2e.clients.registry import Client

PAGE, FIRST_PAGE = ROOT / "docs" / "clients.md", ROOT / "README.md"
ROWS: Mapping[Path, int | None] = {PAGE: None, FIRST_PAGE: 1}
"""How many rows each page shows; None is all."""
BEGIN, END = "<!-- written by tests/e2e/clients: begin -->\n", "<!-- end -->"

COLUMNS = (
    "client", "version", "wire format", "one text", "many, in order", "dimensions", "asks for",
    "wrong key", "unknown model", "over-long input", "429 with `Retry-After`",
)  # fmt: skip


def replace_table(page: str, performances: Mapping[Client, Performance], rows: int | None) -> str:
    """The page with its table made anew, of the first `rows` clients or of all."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + _render(performances, rows) + END + after


def _render(performances: Mapping[Client, Performance], rows: int | None) -> str:
    shown = islice(performances.items(), rows)
    lines = [COLUMNS, ["---"] * len(COLUMNS), *(_row(client, did) for client, did in shown)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _row(client: Client, performance: Performance) -> Iterable[str]:
    did = performance.outcomes
    yield client.title
    yield performance.version
    yield client.wire
    for behaviour in (Behaviour.ONE_TEXT, Behaviour.MANY_TEXTS, Behaviour.DIMENSIONS):
        yield _error(did[behaviour]) or "✓"
    yield did[Behaviour.ONE_TEXT].exchanges[0].json.get("encoding_format", "its default")
    for behaviour in (Behaviour.WRONG_KEY, Behaviour.UNKNOWN_MODEL, Behaviour.TOO_LONG):
        yield _error(did[behaviour]) or "cuts it itself"
    yield _error(did[Behaviour.THROTTLED_BY_DEFAULT]) or "waits, succeeds"


def _error(outcome: Outcome) -> str | None:
    return f"`{outcome.error.kind}` ({outcome.exchanges[0].status})" if outcome.error else None
