"""What operators see: sentences and tables on standard output, errors on standard error."""

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

# Wide enough that no id is broken in two when a script reads a table through a pipe.
_WIDTH_OF_A_PIPE = 240


def say(sentence: str, *, style: str | None = None) -> None:
    """One line on standard output, never broken: it may hold a key or an address to be copied."""
    _console().print(escape(sentence), style=style, soft_wrap=True)


def say_error(sentence: str) -> None:
    """One line on standard error."""
    _console(stderr=True).print(f"[bold red]Error:[/] {escape(sentence)}", soft_wrap=True)


def note(sentence: str) -> None:
    """A remark beside the result: on standard error, so that a script's standard output holds the result alone."""
    _console(stderr=True).print(escape(sentence), style="yellow", soft_wrap=True)


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table, one line per row."""
    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    _console().print(table)


def _console(*, stderr: bool = False) -> Console:
    console = Console(stderr=stderr, highlight=False)
    # Rich takes 80 columns for a pipe, and would fold ids there.
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=_WIDTH_OF_A_PIPE)
