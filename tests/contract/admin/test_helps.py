"""What `--help` says is what happens."""

import pytest
from typer.testing import CliRunner

from infra.admin.app import app


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("keys revoke", "it may work for 5 more minutes, and for 15 while Secrets Manager is down"),
        ("keys rotate", "Default: it lasts as long as the old one was to"),
        ("keys pack", "may be interrupted and repeated"),
        ("models set", "every change is shown"),
        ("models set", "Replaces all that there are"),
        ("models set", "callers see it in /v1/models"),
        ("models revise", "vectors that are cached of it are not served any more"),
        ("models show", "as it would stand in a file"),
        ("providers set", "every change is shown"),
        ("workspaces set", "every change is shown"),
        ("workspaces erase-cache", "it reads the whole cache"),
    ],
)
def test_a_help_says_what_the_command_does(command: str, words: str) -> None:
    shown = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "400"}).stdout

    assert words in " ".join(shown.split())
