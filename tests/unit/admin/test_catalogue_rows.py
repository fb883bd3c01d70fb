import itertools
from datetime import date
from typing import Any

import pytest

from gateway.core.catalogue import Model, Provider, Route
from gateway.core.embedding import Purpose
from infra.admin.catalogue_rows import Change, Rows, check_change, compare, find_endings, find_problems
from infra.admin.failures import Failure


def a_provider(name: str = "p", *, url: str | None = "https://vendor.example/v1", kind: str = "openai") -> Provider:
    return Provider(name=name, kind=kind, url=url)


def a_model(
    name: str = "m", provider: str = "p", aliases: tuple[str, ...] = (), dimensions: int = 8, **more: Any
) -> Model:
    route = Route(name="r", provider=provider, vendor_model="v", region="eu")
    return Model(name=name, dimensions=dimensions, routes=(route,), aliases=aliases, **more)


STATES = [
    Rows(),
    Rows().put(a_provider("p"), a_model("m", "p")),
    Rows().put(a_provider("q"), a_model("m", "q"), a_model("n", "q")),
]


def test_equal_rows_need_no_change() -> None:
    rows = Rows().put(a_provider(), a_model())

    assert compare(rows, rows) == []


def test_a_change_names_the_fields_that_differ() -> None:
    before = Rows().put(a_provider(), a_model(dimensions=8))

    changes = compare(before, before.put(a_model(dimensions=16)))

    assert changes == [Change(verb="change", key="model#m", row=a_model(dimensions=16), fields=("dimensions: 8 → 16",))]


@pytest.mark.parametrize(
    ("before", "after"),
    list(itertools.permutations(STATES, 2)),
)
def test_after_every_single_change_all_models_have_their_providers(before: Rows, after: Rows) -> None:
    """So a failure between two transactions leaves a catalogue that can be served."""
    rows = before

    for change in compare(before, after):
        rows = rows.put(change.row) if change.row else rows.drop(change.key)
        assert find_problems(rows, allows_loopback=False) == []

    assert rows == after


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (Rows().put(a_model(provider="nobody")), "do not exist: nobody"),
        (Rows().put(a_provider(kind="pigeon")), "pigeon"),
        (Rows().put(a_provider(url=None)), "needs an address"),
        (Rows().put(a_provider(url="https://10.1.2.3/v1")), "10.1.2.3"),
        (Rows().put(a_provider(), a_model("m", aliases=("n",)), a_model("n")), "'n' is that of two models"),
        (Rows().put(a_provider(), a_model("m", aliases=("x",)), a_model("n", aliases=("x",))), "'x' is that of two"),
        (Rows().put(a_provider(), a_model(purposes={Purpose.QUERY: "native"})), "'m'.*'p' has no word for query"),
        (Rows().put(a_provider(kind="cohere"), a_model(accepts_title=True)), "no place for a title"),
    ],
)
def test_what_cannot_be_served_is_refused(rows: Rows, problem: str) -> None:
    with pytest.raises(Failure, match=problem):
        check_change(Rows(), rows, allows_loopback=False)


def test_a_provider_that_is_wrong_is_reported_once_however_many_models_lead_to_it() -> None:
    wrong = Provider(name="p", kind="openai", url="https://vendor.example", settings={"pth": "/x"})
    native: Any = {Purpose.QUERY: "native"}

    problems = find_problems(
        Rows().put(wrong, a_model("m", purposes=native), a_model("n", purposes=native)), allows_loopback=False
    )

    assert len(problems) == 1


def test_what_was_wrong_before_does_not_stand_in_the_way_of_mending() -> None:
    before = Rows().put(a_model("a", "nobody"), a_model("b", "nobody"))

    check_change(before, before.drop("model#a"), allows_loopback=False)


def test_a_provider_on_this_machine_is_right_where_that_is_allowed() -> None:
    rows = Rows().put(a_provider(url="http://127.0.0.1:8000/v1"))

    assert find_problems(rows, allows_loopback=True) == []
    assert len(find_problems(rows, allows_loopback=False)) == 1


def test_a_row_that_cannot_be_read_is_mended_by_writing_it_or_removed() -> None:
    before = Rows(broken={"model#m": "why", "provider#q": "why"}).put(a_provider())

    mended = before.put(a_model()).drop("provider#q")

    assert [(change.verb, change.key) for change in compare(before, mended)] == [
        ("change", "model#m"),
        ("remove", "provider#q"),
    ]


def test_a_model_is_found_by_its_name_or_an_alias() -> None:
    rows = Rows().put(a_provider(), a_model("m", aliases=("n",)))

    assert rows.find_model("m") == rows.find_model("n") == rows.models["m"]
    with pytest.raises(Failure, match="'x'"):
        rows.find_model("x")


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        ("2027-05-26", ["ends on 2027-05-26"]),
        ("2027-05-27", []),
        ("2026-11-27", ["ended on 2026-11-27"]),
        ("2020-01-01", ["ended on 2020-01-01"]),
        (None, []),
    ],
)
def test_an_end_within_half_a_year_is_told(ends: str | None, told: list[str]) -> None:
    row = Route(name="r", provider="p", vendor_model="m", region="eu", ends=date.fromisoformat(ends) if ends else None)

    found = find_endings([Model(name="m", dimensions=2, routes=(row,))], date(2026, 11, 27))

    assert len(found) == len(told)
    assert all(part in sentence for part, sentence in zip(told, found, strict=True))
