"""`gateway models`."""

from pathlib import Path

from msgspec.structs import replace

from gateway.core.catalogue import Model, Route
from tests.contract.admin.command import VENDOR, a_model, a_provider, gateway, rows, write_folder


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

    assert gateway("models", "list").out.splitlines()[-2].split() == ["m", "8", "8192", "vendor/m", "yes"]
    assert gateway("models", "list", stage="us").out.splitlines()[-2].split()[-1] == "no"


def test_a_removed_model_is_gone(tmp_path: Path) -> None:
    gateway("catalogue", "load", write_folder(tmp_path, all={"providers": [a_provider()], "models": [a_model()]}))

    outcome = gateway("models", "remove", "m", "--yes")

    assert outcome.exit_code == 0
    assert rows().models == {}
    assert gateway("models", "remove", "m", "--yes").err == "Error: There is no model m.\n"
