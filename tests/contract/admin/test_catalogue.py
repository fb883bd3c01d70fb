"""`gateway catalogue`: a folder and a stage, compared and made equal."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.core.catalogue import Model, Route
from infra.admin.catalogue_rows import Rows
from infra.admin.catalogue_table import CatalogueTable, open_catalogue
from infra.admin.failures import Failure
from infra.admin.stages import find_stage
from tests.contract.admin.command import ROOT, VENDOR, Outcome, a_model, a_provider, gateway, item, rows, write_folder


def test_loading_twice_changes_nothing_the_second_time() -> None:
    first = gateway("catalogue", "load", str(ROOT / "infra" / "catalogue"))
    second = gateway("catalogue", "load", str(ROOT / "infra" / "catalogue"))

    assert "+ model all-minilm-l6-v2" in first.out
    assert second.out.startswith("0 added, 0 changed, 0 removed;")


def test_loading_ends_with_the_keys_that_are_still_to_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENDOR_KEY", "sk-1")
    words = ("catalogue", "load", str(ROOT / "infra" / "catalogue"))

    without = gateway(*words)
    gateway("providers", "set", "openai-eu", "--key-from-env", "VENDOR_KEY")
    with_key = gateway(*words)

    assert without.err == (
        "The key openai of openai-eu, openai-us is not set: models that lead there are listed and answer 503 "
        "until `gateway providers set openai-eu --key-from-env VARIABLE` stores it.\n"
    )
    assert (with_key.exit_code, with_key.err) == (0, "")


def test_a_row_is_kept_as_the_gateway_reads_it(tmp_path: Path) -> None:
    gateway("catalogue", "load", write_folder(tmp_path, all={"providers": [a_provider()]}))

    kept = item("provider#vendor")

    assert kept.keys() == {"pk", "sk", "document"}
    assert json.loads(kept["document"]["S"])["url"] == "https://vendor.example/v1"


def test_diff_shows_what_load_would_do_and_tells_scripts(tmp_path: Path) -> None:
    gateway("catalogue", "load", write_folder(tmp_path, p={"providers": [a_provider()]}, m={"models": [a_model()]}))
    folder = write_folder(tmp_path, m={"models": [a_model(price=0.5), a_model("new")]})

    different = gateway("catalogue", "diff", folder)
    before = rows()
    gateway("catalogue", "load", folder)
    same = gateway("catalogue", "diff", folder)

    assert different.exit_code == 1
    assert different.out.splitlines() == [
        "~ model m", "    price: nothing → 0.5", "+ model new", "Would be done: 1 added, 1 changed, 0 removed.",
    ]  # fmt: skip
    assert before.models["m"].price is None
    assert (same.exit_code, same.out) == (0, "The stage is as the folder says.\n")


def test_what_is_not_in_the_folder_stays_unless_pruned(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, all={"providers": [a_provider()], "models": [a_model("old"), a_model("new")]})
    gateway("catalogue", "load", folder)
    write_folder(tmp_path, all={"providers": [a_provider()], "models": [a_model("new")]})

    kept, told = gateway("catalogue", "load", folder), gateway("catalogue", "diff", folder)
    declined = gateway("catalogue", "load", folder, "--prune", stdin="n\n")
    still_there = rows().models.keys()
    pruned = gateway("catalogue", "load", folder, "--prune", "--yes")

    assert (kept.exit_code, told.exit_code, declined.exit_code, pruned.exit_code) == (0, 0, 1, 0)
    assert "model old" in told.err
    assert still_there == {"old", "new"}
    assert rows().models.keys() == {"new"}


def test_if_one_row_is_wrong_none_is_written(tmp_path: Path) -> None:
    models = [a_model("right"), a_model("wrong", provider="nobody")]
    folder = write_folder(tmp_path, all={"providers": [a_provider()], "models": models})

    outcome = gateway("catalogue", "load", folder)

    assert outcome.exit_code == 1
    assert "do not exist: nobody" in outcome.err
    assert rows() == Rows()


def test_more_rows_than_one_transaction_takes_are_loaded(tmp_path: Path) -> None:
    models = [a_model(f"m{number}") for number in range(250)]

    gateway("catalogue", "load", write_folder(tmp_path, all={"providers": [a_provider()], "models": models}))

    assert len(rows().models) == 250


def test_changes_made_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    gateway("catalogue", "load", write_folder(tmp_path, all={"providers": [a_provider()]}))
    table = open_catalogue(find_stage("local"))
    row = Route(name="r", provider="vendor", vendor_model="m", region="eu")

    def add(number: int) -> None:
        model = Model(name=f"m{number}", dimensions=8, routes=(row,))
        table.edit(lambda found: found.put(model))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(add, range(18)))

    assert rows().models.keys() == {f"m{number}" for number in range(18)}


def test_a_provider_cannot_vanish_under_a_model_that_is_being_made() -> None:
    gateway("providers", "set", "vendor", *VENDOR)
    table = open_catalogue(find_stage("local"))
    model = Model(name="m", dimensions=8, routes=(Route(name="r", provider="vendor", vendor_model="m", region="eu"),))

    outcomes: list[Outcome] = []

    def change(found: Rows) -> Rows:
        if not outcomes:
            outcomes.append(gateway("providers", "remove", "vendor", "--yes"))
        return found.put(model)

    with pytest.raises(Failure, match="do not exist: vendor"):
        table.edit(change)

    assert outcomes[0].exit_code == 0
    assert rows().models == {}


def test_a_stored_row_that_cannot_be_read_is_told_and_can_be_mended(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, all={"providers": [a_provider()], "models": [a_model()]})
    gateway("catalogue", "load", folder)
    spoil("model#m", "{}")
    spoil("model#gone", "{}")

    told = gateway("models", "list")
    loaded = gateway("catalogue", "load", folder)
    removed = gateway("models", "remove", "gone", "--yes")

    assert "model m cannot be read" in told.err
    assert "~ model m" in loaded.out
    assert removed.exit_code == 0
    assert rows().broken == {}
    assert rows().models.keys() == {"m"}


def spoil(key: str, document: str) -> None:
    """Write what no command would."""
    place = find_stage("local")
    found: CatalogueTable = open_catalogue(place)
    entry = {"pk": {"S": "catalogue"}, "sk": {"S": key}, "document": {"S": document}}
    found.client.put_item(TableName=found.table, Item=entry)


VENDORS = str(ROOT / "infra" / "catalogue" / "vendors")


def test_only_the_vendors_that_are_named_are_loaded() -> None:
    outcome = gateway("catalogue", "load", VENDORS, "--only", "voyage, bedrock")

    assert outcome.exit_code == 0
    assert {row.split("-")[0] for row in rows().providers} == {"voyage", "bedrock"}


def test_a_vendor_that_has_no_file_is_refused_with_those_that_have() -> None:
    outcome = gateway("catalogue", "load", VENDORS, "--only", "voyage,nobody")

    assert outcome.exit_code == 2
    assert "has no nobody, only azure, bedrock" in outcome.err
    assert not rows().providers


def test_a_choice_and_the_removal_of_all_else_exclude_each_other() -> None:
    outcome = gateway("catalogue", "load", VENDORS, "--only", "voyage", "--prune", "--yes")

    assert outcome.exit_code == 2
    assert "say one of them" in outcome.err


def test_a_model_that_ends_soon_is_told_and_listed(tmp_path: Path) -> None:
    route = {
        "name": "r",
        "provider": "vendor",
        "vendor_model": "m",
        "region": "eu",
        "ends": "2020-01-01",
        "price": 0.25,
    }
    folder = write_folder(tmp_path, all={"providers": [a_provider()], "models": [a_model(routes=[route])]})

    outcome = gateway("catalogue", "load", folder)
    listed = gateway("models", "list").out

    assert "The model m over r ended on 2020-01-01" in outcome.err
    assert "2020-01-01" in listed
    assert "0.25" in listed
