"""How much there is to read: lines, files and functions, and what of it one miss runs.

    python -m benchmarks.sizes

Lines are all lines of Python files, as an editor counts them; tests' drivers in JavaScript, templates and tables are
not Python. A function has the lines from its `def` to its end. Files of one line or none are not files to read.
"of 5 / 14 / 39 lines" is median, p90 and maximum.
"""

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import ROOT
from benchmarks.targets import Summary
from benchmarks.trace import Trace, trace_miss

PRODUCT = ("functions", "infra")
PARTS = ("functions/gateway", "functions/embedded_model", "infra", "tests", "benchmarks")
LONGEST = 10
NOT_OURS = {"node_modules", "__pycache__"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function's place and lines."""

    file: str
    name: str
    lines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Lines of each file, and every function."""

    file_lines: Sequence[int]
    functions: Sequence[Function]

    @property
    def lines(self) -> int:
        return sum(self.file_lines)

    def __str__(self) -> str:
        files = [lines for lines in self.file_lines if lines > 1]
        functions = [function.lines for function in self.functions]
        return (
            f"{self.lines:,} lines; {len(files)} files of {spread(files)} lines; "
            f"{len(functions)} functions of {spread(functions)} lines"
        )


def measure() -> Summary:
    """Measure, and print tables."""
    product, tests, trace = size_of(PRODUCT), size_of(("tests",)), trace_miss()
    for part in PARTS:
        print(f"{part}: {size_of((part,))}")
    print(f"the {LONGEST} longest functions of {' and '.join(PRODUCT)}:")
    for function in longest(product):
        print(f"  {function.lines} {function.file} {function.name}")
    print("calls in one miss, by file:")
    for file, calls in trace.calls_by_file.items():
        print(f"  {calls} {file}")
    return summarise(product, tests, trace)


def summarise(product: Size, tests: Size, trace: Trace) -> Summary:
    miss = f"one miss runs {trace.files} files, {trace.functions} functions, {trace.calls} calls of ours"
    return Summary(measurement="sizes", besides=[f"product {product}", f"tests {tests}", miss])


def size_of(folders: Iterable[str], root: Path = ROOT) -> Size:
    """Of all Python files below these folders."""
    paths = sorted(path for folder in folders for path in (root / folder).rglob("*.py") if not NOT_OURS & {*path.parts})
    texts = {str(path.relative_to(root)): path.read_text() for path in paths}
    functions = [function for file, text in texts.items() for function in functions_of(file, text)]
    return Size(file_lines=[len(text.splitlines()) for text in texts.values()], functions=functions)


def functions_of(file: str, text: str) -> list[Function]:
    """Every function and method of a file, those within others too."""
    return [
        Function(file=file, name=node.name, lines=node.end_lineno - node.lineno + 1)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None
    ]


def longest(size: Size) -> list[Function]:
    """The longest functions, longest first."""
    return sorted(size.functions, key=lambda function: function.lines, reverse=True)[:LONGEST]


def spread(lines: Sequence[int]) -> str:
    """Median, p90 and maximum, such as `5 / 14 / 39`."""
    ordered = sorted(lines)
    places = (len(ordered) // 2, len(ordered) * 9 // 10, len(ordered) - 1)
    return " / ".join(str(ordered[place]) for place in places)


if __name__ == "__main__":
    print(measure())
