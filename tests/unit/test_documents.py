"""The pages for people lead to files and sections that exist."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", *sorted(f"docs/{page.name}" for page in ROOT.glob("docs/*.md")))
WITH_MAPS = ("README.md", "CONTRIBUTING.md")
FOLDERS = (ROOT, ROOT / "functions" / "gateway")
"""Where a page's paths begin."""

MADE_BY_COMMANDS = {".local/gateway.env"}


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def paths_in(page: str) -> Iterator[str]:
    """Each path between backticks; one without a folder continues the path before it in the same line."""
    for line in re.sub(r"^```.*?^```", "", read(page), flags=re.MULTILINE | re.DOTALL).splitlines():
        before = ""
        for path in re.findall(r"`(\.?[\w./-]*(?:/|\w\.(?:py|yaml|yml|md|toml)))`", line):
            folder = f"{before.rpartition('/')[0]}/" if "/" in before else ""
            before = path if "/" in path or is_there(path) else f"{folder}{path}"
            yield before


def is_there(path: str) -> bool:
    return any((folder / path).exists() for folder in FOLDERS)


def test_every_path_of_the_maps_exists() -> None:
    named = {path for page in WITH_MAPS for path in paths_in(page)} - MADE_BY_COMMANDS

    missing = {path for path in named if "NAME" not in path and not path.startswith("/") and not is_there(path)}

    assert len(named) > 50
    assert missing == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file_and_a_section_that_exist(page: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)(#[\w-]+)?\)", read(page))
    targets = [((ROOT / page).parent / file if file else ROOT / page, section) for file, section in links]

    lost = [f"{target}{section}" for target, section in targets if not leads_somewhere(target, section)]

    assert lost == []


def leads_somewhere(target: Path, section: str) -> bool:
    if not target.exists() or not section:
        return target.exists()
    titles = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
    return section in {f"#{re.sub(r'[^a-z0-9 -]', '', title.lower()).replace(' ', '-')}" for title in titles}


def test_github_runs_the_command_that_the_readme_names_for_all_tests() -> None:
    workflow = yaml.safe_load(read(".github/workflows/test.yml"))

    commands = [step["run"] for step in workflow["jobs"]["test"]["steps"] if "run" in step]

    assert commands == ["make test"]
    assert "| `make test` | everything:" in read("README.md")
