"""`gateway models`."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from gateway.core.catalogue import Model, Route
from tests.contract.admin.command import VENDOR, Outcome, a_model, a_provider, gateway, rows, write_folder


def test_a_model_is_made_of_a_few_words() -> None:
    gateway("providers", "set", "vendor", *VENDOR)

    gateway(
        "models", "set", "m", "--dimensions", "8", "--price", "0.5", "--alias", "n", "--max-tokens", "99",
        "--route", "provider=vendor,max_inputs=32,accepts_base64=false", "--set", "shortenable=true",
    )  # fmt: skip

    route = Route(name="vendor", provider="vendor", vendor_model="m", region="eu", max_inputs=32, accepts_base64=False)
    assert rows().models["m"] == Model(
        name="m", dimensions=8, price=0.5, aliases=("n",), max_tokens=99, shortenable=True, routes=(route,)
    )


def test_what_is_not_mentioned_stays(tmp_path: Path) -> None:
    gateway("catalogue", "load", write_folder(tmp_path, all={"providers": [a_provider()], "models": [a_model()]}))
    before = rows().models["m"]

    gateway("models", "set", "m", "--price", "0.25")

    assert rows().models["m"] == replace(before, price=0.25)


def test_a_route_to_an_unknown_provider_is_refused() -> None:
    outcome = gateway("models", "set", "m", "--dimensions", "8", "--route", "provider=nobody")

    assert outcome.exit_code == 1
    assert "do not exist: nobody" in outcome.err
    assert rows().models == {}


def test_a_wrong_field_is_named() -> None:
    outcome = gateway("models", "set", "m", "--dimensions", "8", "--set", "colour=red")

    assert outcome.exit_code == 2
    assert "colour" in outcome.err


def test_a_name_that_another_model_answers_to_is_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, all={"providers": [a_provider()], "models": [a_model(aliases=["n"])]})
    gateway("catalogue", "load", folder)

    outcome = gateway("models", "set", "n", "--dimensions", "8", "--route", "provider=vendor")

    assert outcome.exit_code == 1
    assert "two models" in outcome.err


def test_the_list_tells_where_models_lead_and_whether_this_stage_serves_them(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, all={"providers": [a_provider()], "models": [a_model()]})
    gateway("catalogue", "load", folder)
    gateway("catalogue", "load", folder, stage="us")

    assert gateway("models", "list").out.splitlines()[-2].split() == ["m", "8", "8192", "vendor/m", "(eu)", "yes"]
    assert gateway("models", "list", stage="us").out.splitlines()[-2].split()[-1] == "no"


def test_a_removed_model_is_gone(tmp_path: Path) -> None:
    gateway("catalogue", "load", write_folder(tmp_path, all={"providers": [a_provider()], "models": [a_model()]}))

    outcome = gateway("models", "remove", "m", "--yes")

    assert outcome.exit_code == 0
    assert rows().models == {}
    assert gateway("models", "remove", "m", "--yes").err == "Error: There is no model m.\n"


def load(tmp_path: Path, **fields: Any) -> Model:
    """A model as it stands in the stage after this catalogue was loaded."""
    routes = [
        {
            "name": "a",
            "provider": "vendor",
            "vendor_model": "v",
            "region": "eu",
            "max_tokens": 9,
            "accepts_tokens": True,
        },
        {"name": "b", "provider": "vendor", "vendor_model": "v", "region": "us"},
    ]
    model = a_model(routes=routes, aliases=["n", "o"], **fields)
    gateway("catalogue", "load", write_folder(tmp_path, all={"providers": [a_provider()], "models": [model]}))
    return rows().models["m"]


def test_a_route_is_revised_and_nothing_else_changed(tmp_path: Path) -> None:
    before = load(tmp_path)

    outcome = gateway("models", "revise", "n", "--route", "a", "--revision", "2026-01")

    first, second = before.routes
    assert rows().models["m"] == replace(before, routes=(replace(first, revision="2026-01"), second))
    assert outcome.out == 'The model m is set.\n    routes.a.revision: "" → "2026-01"\n'


def test_a_route_that_does_not_exist_cannot_be_revised(tmp_path: Path) -> None:
    load(tmp_path)

    outcome = gateway("models", "revise", "m", "--route", "c", "--revision", "2")

    assert outcome == Outcome(1, "", "Error: The model m has no route 'c': it has a, b.\n")


def test_setting_a_field_of_a_route_leaves_its_others_and_the_other_routes(tmp_path: Path) -> None:
    before = load(tmp_path)

    outcome = gateway("models", "set", "m", "--route", "name=a,revision='2'", "--price", "0.5")

    first, second = before.routes
    assert rows().models["m"] == replace(before, price=0.5, routes=(replace(first, revision="2"), second))
    assert outcome.out == 'The model m is set.\n    price: nothing → 0.5\n    routes.a.revision: "" → "2"\n'


def test_a_route_is_added_and_another_removed(tmp_path: Path) -> None:
    before = load(tmp_path)

    outcome = gateway("models", "set", "m", "--route", "provider=vendor", "--without-route", "b")

    added = Route(name="vendor", provider="vendor", vendor_model="m", region="eu")
    assert rows().models["m"] == replace(before, routes=(before.routes[0], added))
    assert "routes.b: {" in outcome.out
    assert "routes.vendor: nothing → {" in outcome.out
    assert gateway("models", "set", "m", "--without-route", "b").exit_code == 1


def test_what_changes_nothing_says_so(tmp_path: Path) -> None:
    load(tmp_path)

    outcome = gateway("models", "set", "m", "--dimensions", "8", "--alias", "n", "--alias", "o")

    assert outcome == Outcome(0, "The model m is as it was: nothing changed.\n", "")


def test_lost_aliases_are_shown(tmp_path: Path) -> None:
    load(tmp_path)

    one, none = (gateway("models", "set", "m", "--alias", alias).out for alias in ("p", ""))

    assert one == 'The model m is set.\n    aliases: ["n","o"] → ["p"]\n'
    assert none == 'The model m is set.\n    aliases: ["p"] → []\n'


def test_a_model_is_shown_as_a_file_would_have_it(tmp_path: Path) -> None:
    before = load(tmp_path, price=0.5, description="é\n東京")

    shown = yaml.safe_load(gateway("models", "show", "o").out)
    (tmp_path / "all.yaml").write_text(yaml.safe_dump({"models": [shown]}), encoding="utf-8")

    assert shown["name"] == "m"
    assert gateway("catalogue", "diff", str(tmp_path)).exit_code == 0
    assert rows().models["m"] == before


@pytest.mark.parametrize("words", [("show", "x"), ("revise", "x", "--route", "a", "--revision", "2")])
def test_a_model_that_does_not_exist_is_named(words: tuple[str, ...]) -> None:
    outcome = gateway("models", *words)

    assert outcome.exit_code == 1
    assert outcome.err.startswith("Error: There is no model 'x'")


@pytest.mark.parametrize("route", ["max_tokens=9", "provider", "=p", "provider=vendor,max_tokens=many"])
def test_a_route_that_cannot_be_read_is_refused(tmp_path: Path, route: str) -> None:
    before = load(tmp_path)

    outcome = gateway("models", "set", "m", "--route", route)

    assert outcome.exit_code == 2
    assert rows().models["m"] == before


def test_a_model_keeps_at_least_one_route(tmp_path: Path) -> None:
    before = load(tmp_path)

    outcome = gateway("models", "set", "m", "--without-route", "a", "--without-route", "b")

    assert (outcome.exit_code, "routes" in outcome.err) == (2, True)
    assert rows().models["m"] == before
