"""The list of stages: its copies are fresh, and a mistake in it is refused."""

from pathlib import Path

import pytest

from infra.local.places import REGION
from infra.local.sam import STAGE
from infra.stages import ROOT, TAKEN, read_stages, rewritten

ENTRY = """
- name: {name}
  region: {region}
  log_retention_in_days: 30
  api_memory: 1769
  embedded_model_memory: 3008
  requests_per_second: 500
  burst_requests: 1000
  batch_workers: 10
"""


def written(tmp_path: Path, text: str) -> Path:
    place = tmp_path / "stages.yaml"
    place.write_text(text, "utf-8")
    return place


def entry(name: str = "ap", region: str = "ap-northeast-1") -> str:
    return ENTRY.format(name=name, region=region)


def test_every_copy_is_as_fresh_as_the_list() -> None:
    """`make stages` makes it so."""
    stale = [file.name for file, text in rewritten(ROOT, read_stages()) if file.read_text("utf-8") != text]

    assert stale == []


def test_the_local_stage_stands_in_for_one_of_the_list() -> None:
    assert (STAGE, REGION) in {(stage.name, stage.region) for stage in read_stages()}


def test_an_address_is_optional(tmp_path: Path) -> None:
    place = written(tmp_path, entry("ap") + entry("eu") + "  address: https://eu.example\n")

    assert [stage.address for stage in read_stages(place)] == [None, "https://eu.example"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "Expected `array`"),
        ("[]", "length >= 1"),
        ("- name: ap\n", "missing required field"),
        (entry() + "  colour: red\n", "unknown field `colour`"),
        (entry(name="AP"), r"\$\[0\]\.name"),
        (entry(name="a-p"), r"\$\[0\]\.name"),
        (entry(name="no"), r"got `bool`"),
        (entry(region="tokyo"), r"\$\[0\]\.region"),
        (entry() + "  address: http://ap.example\n", r"\$\[0\]\.address"),
        (entry() + "  address: https://ap.example us=https://evil.example\n", r"\$\[0\]\.address"),
        (entry().replace("1769", "0"), r"\$\[0\]\.api_memory"),
        (entry() + entry(), "the same name"),
    ],
)
def test_a_mistake_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        read_stages(written(tmp_path, text))


@pytest.mark.parametrize("name", [name for names in TAKEN.values() for name in sorted(names)])
def test_a_name_that_means_something_else_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=f"cannot be called {name}"):
        read_stages(written(tmp_path, entry(name=f'"{name}"')))


def test_a_file_without_marks_is_named(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text("Resources: {}\n", "utf-8")

    with pytest.raises(ValueError, match=r"template\.yaml lacks the line"):
        list(rewritten(tmp_path, read_stages()))
