"""What counts as a file and a function, and what is traced."""

import sys
from pathlib import Path

import pytest

from benchmarks import trace
from benchmarks.sizes import Function, functions_of, longest, size_of

SOURCE = '''\
@decorated
def outer(
    argument: int,
) -> int:
    """Say so."""

    async def inner() -> None:
        pass

    return argument


class Class:
    def method(self) -> None: ...
'''


def test_functions_are_counted_from_def_to_end_wherever_they_stand() -> None:
    functions = functions_of("a.py", SOURCE)

    assert {function.name: function.lines for function in functions} == {"outer": 9, "inner": 2, "method": 1}


def test_files_are_found_below_each_folder_and_named_from_the_root(tmp_path: Path) -> None:
    (tmp_path / "one" / "deep").mkdir(parents=True)
    (tmp_path / "one" / "deep" / "a.py").write_text(SOURCE)
    (tmp_path / "one" / "not_python.txt").write_text("no\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "b.py").write_text("")
    (tmp_path / "left_out.py").write_text("1\n")

    size = size_of(("one", "other"), tmp_path)

    assert size.file_lines == [len(SOURCE.splitlines()), 0]
    assert longest(size)[0] == Function(file="one/deep/a.py", name="outer", lines=9)


def test_calls_of_the_last_run_are_counted_in_every_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "OURS", str(Path(__file__).parent))

    calls = trace.count_calls(in_two_threads, runs=2)

    assert {code.co_name: count for code, count in calls.items()} == {"in_two_threads": 1, "work": 2, "<genexpr>": 4}


def in_two_threads(_: int) -> None:
    from threading import Thread  # noqa: PLC0415  (so that nothing else of this file runs)

    thread = Thread(target=work, args=(0,))
    thread.start()
    thread.join()
    work(0)


def work(_: int) -> int:
    return sum(number for number in [number for number in range(1)])  # noqa: C416  (a comprehension is no call)


def test_nothing_is_traced_any_more_afterwards() -> None:
    trace.count_calls(work, runs=1)

    assert sys.getprofile() is None


def test_a_traced_miss_runs_code_of_ours() -> None:
    traced = trace.trace_miss()

    assert "gateway/operations/embed.py" in traced.calls_by_file
    assert 1 < traced.files < traced.functions < traced.calls
