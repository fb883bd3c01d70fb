from pathlib import Path

import pytest

from gateway.core.catalogue import Model, Provider, Route
from infra.admin.catalogue_files import read_folder
from infra.admin.catalogue_rows import Rows
from infra.admin.failures import NotTried

PROVIDERS = """
providers:
  - {name: vendor, kind: openai, url: https://vendor.example/v1}
"""
MODELS = """
models:
  - name: m
    dimensions: 8
    routes:
      - &route {name: r, provider: vendor, vendor_model: v, region: eu}
      - {<<: *route, name: s, region: us}
"""


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def test_the_files_of_a_folder_are_one_catalogue(tmp_path: Path) -> None:
    folder = write(tmp_path, models=MODELS, providers=PROVIDERS)

    here, there = [Route(name=n, provider="vendor", vendor_model="v", region=r) for n, r in (("r", "eu"), ("s", "us"))]
    assert read_folder(folder) == Rows(
        providers={"vendor": Provider(name="vendor", kind="openai", url="https://vendor.example/v1")},
        models={"m": Model(name="m", dimensions=8, routes=(here, there))},
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("models:\n- {name: m, dimensions: many, routes: []}", ["models[0] (m)", "dimensions"]),
        ("models:\n- {name: m, dimensions: 8}", ["(m)", "routes"]),
        ("models:\n- {name: m, dimensions: 8, routes: []}", ["(m)", "routes"]),
        ("models:\n- {name: m, dimensions: 8, colour: red}", ["(m)", "colour"]),
        (MODELS + "    min_dimensions: 9", ["(m)", "min_dimensions is 9"]),
        ("providers:\n- {kind: openai}", ["providers[0]", "name"]),
        ("providers: {name: p}", ["providers", "list"]),
        ("workspaces: []", ["providers", "models"]),
        ("- a", ["mapping"]),
        ("", ["mapping"]),
        ("models: [", ["cannot be read"]),
        ("models: []\nmodels: []", ["'models'", "twice"]),
    ],
)
def test_a_mistake_is_told_with_its_file_and_field(tmp_path: Path, text: str, words: list[str]) -> None:
    folder = write(tmp_path, wrong=text)

    with pytest.raises(NotTried) as caught:
        read_folder(folder)

    assert all(word in caught.value.sentence for word in ["wrong.yaml", *words])


def test_a_row_that_stands_in_two_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotTried, match=r"provider vendor stands in a\.yaml and in b\.yaml"):
        read_folder(write(tmp_path, a=PROVIDERS, b=PROVIDERS))


def test_a_folder_without_a_catalogue_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(NotTried, match="no catalogue"):
            read_folder(folder)
