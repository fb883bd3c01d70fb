"""What README.md shows to a newcomer runs as it stands: the curl line, and the snippet of each family of clients."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e.clients.environments import ROOT, Environments
from tests.e2e.stack import Stack

README = (ROOT / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"^```python\n(# (.*?):.*?)^```$", README, re.MULTILINE | re.DOTALL)
CURL = re.search(r"^```sh\n(source .*?curl .*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, stack: Stack) -> Path:
    """An empty folder, with what `make run` leaves for newcomers."""
    (tmp_path / ".local").symlink_to(stack.home)
    return tmp_path


def run(folder: Path, program: str) -> str:
    """What bash prints for a program, in an environment that knows nothing of the gateway."""
    nothing = {"PATH": "/usr/bin:/bin", "HOME": str(folder)}
    done = subprocess.run(["bash", "-c", program], cwd=folder, env=nothing, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_curl_line_gives_two_vectors(folder: Path) -> None:
    assert CURL

    answer = json.loads(run(folder, CURL[1]))

    assert [len(item["embedding"]) for item in answer["data"]] == [384, 384]


def test_every_family_of_clients_has_a_snippet() -> None:
    families = [family for _, family in SNIPPETS]

    assert [family.partition(",")[0] for family in families] == [
        "OpenAI", "LangChain", "Gemini", "Azure OpenAI", "Azure AI inference",
    ]  # fmt: skip


@pytest.mark.parametrize("snippet", [snippet for snippet, _ in SNIPPETS], ids=[family for _, family in SNIPPETS])
def test_a_snippet_gives_two_vectors(snippet: str, folder: Path, environments: Environments) -> None:
    (folder / "snippet.py").write_text(snippet, encoding="utf-8")

    printed = run(folder, f"source .local/gateway.env; exec {environments.python('established')} snippet.py")

    assert printed == "[384, 384]\n"
