"""What keeps the local stack to itself, and what it tells when it cannot start."""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.emulator import free_port
from infra.local.failures import NotStarted
from infra.local.places import LOOPBACK, ROOT, aws_environment
from infra.local.programs import finish, last_words, read, running
from infra.local.sam import sources_digest
from infra.local.stack import check_port


def test_a_free_port_is_free() -> None:
    check_port(free_port())


def test_a_taken_port_is_told_in_one_sentence() -> None:
    with socket.create_server((LOOPBACK, 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(NotStarted, match=f"Port {port} is taken by another program: choose another with") as told:
            check_port(port)

    assert "\n" not in str(told.value)


def test_the_command_ends_with_that_sentence_and_nothing_else(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as other:
        port = str(other.getsockname()[1])

        done = subprocess.run(
            [sys.executable, "-m", "infra.local", "--port", port, "--home", str(tmp_path)],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "is taken by another program" in done.stderr


def test_no_program_of_the_stack_can_reach_a_real_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://s3.example.com")

    environment = aws_environment("http://127.0.0.1:4566")

    assert {name: value for name, value in environment.items() if name.startswith("AWS_")} == {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


async def test_a_program_goes_with_all_that_it_started(tmp_path: Path) -> None:
    parent = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {_STUBBORN!r}]); time.sleep(60)"
    log = tmp_path / "parent.log"

    async with running(sys.executable, "-c", parent, environment=dict(os.environ), log=log) as process:
        while not (port := log.read_text().strip()):
            assert process.returncode is None
            await asyncio.sleep(0.01)
        assert not is_refused(int(port))

    assert await is_soon_refused(int(port))


async def test_a_program_that_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    command = sys.executable, "-c", "import sys; print('This went wrong.'); sys.exit(3)"

    with pytest.raises(NotStarted, match="It cannot be done: This went wrong\\."):
        await finish(*command, environment=dict(os.environ), log=tmp_path / "log", trouble="It cannot be done")


async def test_what_a_program_prints_is_not_kept_on_disk(tmp_path: Path) -> None:
    command = sys.executable, "-c", "print('egw_demo_key')"

    printed = await read(*command, environment=dict(os.environ), log=tmp_path / "log", trouble="It cannot be done")

    assert (printed, (tmp_path / "log").read_text()) == ("egw_demo_key", "")


def test_last_words_leave_out_noise(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("first\n\nWARNING: noise\nThe reason.\nmake: *** [build] Error 1\n")

    assert last_words(log, lines=1) == "The reason."


def test_the_same_sources_have_the_same_digest() -> None:
    assert sources_digest() == sources_digest()


_STUBBORN = """
import signal, socket, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
time.sleep(60)
"""


async def is_soon_refused(port: int) -> bool:
    """A moment may pass between a signal and its effect."""
    for _ in range(500):
        if is_refused(port):
            return True
        await asyncio.sleep(0.01)
    return False


def is_refused(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port)).close()
    except ConnectionRefusedError:
        return True
    return False
