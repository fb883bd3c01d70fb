"""What keeps the local stack to itself, and what it tells when it cannot start."""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local import scratch
from infra.local.emulator import free_port
from infra.local.failures import NotStarted
from infra.local.places import LOOPBACK, ROOT, Home, aws_environment
from infra.local.programs import finish, last_words, read, running
from infra.local.sam import sources_digest
from infra.local.scratch import scratch_folder
from infra.local.vacancy import HIGHEST_PORT, alone, check_port, read_port


def test_a_free_port_is_free() -> None:
    check_port(free_port())


def test_a_taken_port_is_told_in_one_sentence() -> None:
    with socket.create_server((LOOPBACK, 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(NotStarted, match=f"Port {port} is taken by another program: choose another with") as told:
            check_port(port)

    assert "\n" not in str(told.value)


def test_beyond_the_highest_port_none_is_recommended() -> None:
    with socket.socket() as other:
        with contextlib.suppress(OSError):  # then another program has it, which does as well
            other.bind((LOOPBACK, HIGHEST_PORT))
            other.listen()

        with pytest.raises(NotStarted, match=f"make run PORT={HIGHEST_PORT - 1}`"):
            check_port(HIGHEST_PORT)


@pytest.mark.parametrize(("text", "port"), [("1", 1), ("8080", 8080), ("65535", HIGHEST_PORT)])
def test_a_port_is_a_number_in_its_range(text: str, port: int) -> None:
    assert read_port(text) == port


@pytest.mark.parametrize("text", ["0", "-1", "65536", "99999", "http", "", "80.5", "\u0668\u0660"])
def test_any_other_port_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(NotStarted, match=f"^'{text}' is no port: choose one from 1 to 65535, such as [^\\n]*$"):
        read_port(text)


@pytest.mark.parametrize("module", ["infra.local", "infra.local.vacancy"])
@pytest.mark.parametrize("port", ["99999", ""])
def test_the_commands_refuse_it_with_that_sentence_and_nothing_else(module: str, port: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "--port", port], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith(f"'{port}' is no port")


def test_the_command_ends_with_that_sentence_and_nothing_else(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as other:
        port = str(other.getsockname()[1])

        done = subprocess.run(
            [sys.executable, "-m", "infra.local", "--port", port, "--home", str(tmp_path)],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "is taken by another program" in done.stderr


def test_a_taken_port_is_noticed_before_anything_is_installed(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "infra" / "local", tmp_path / "infra" / "local")
    shutil.copy(ROOT / "infra" / "__init__.py", tmp_path / "infra")
    shutil.copy(ROOT / "Makefile", tmp_path)
    with socket.create_server((LOOPBACK, 0)) as other:
        port = other.getsockname()[1]

        done = subprocess.run(
            ["make", "run", f"PORT={port}", f"PYTHON={sys.executable}"],
            cwd=tmp_path, env=outside_make(), capture_output=True, text=True, check=False,
        )  # fmt: skip

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Port {port} is taken by another program: choose another with")
    assert names_in(tmp_path) == [".local", "Makefile", "infra"]
    assert names_in(tmp_path / ".local") == ["lock"]


def test_a_second_stack_is_told_where_the_first_one_is(tmp_path: Path) -> None:
    home = Home(tmp_path)

    with alone(home):
        home.gateway_env.touch()
        with pytest.raises(NotStarted, match=f"is running already: {home.gateway_env} says where"), alone(home):
            pass


def test_a_second_stack_is_told_to_wait_while_the_first_one_starts_or_stops(tmp_path: Path) -> None:
    home = Home(tmp_path)

    with alone(home), pytest.raises(NotStarted, match="just starting or stopping in"), alone(home):
        pass


async def test_scratch_is_empty_at_first_and_gone_at_last(tmp_path: Path) -> None:
    home = Home(tmp_path)
    (home.scratch / "of a stack that was killed").mkdir(parents=True)
    (tmp_path / "scratch-1.rubbish" / "of one before").mkdir(parents=True)

    async with scratch_folder(home):
        before = names_in(home.scratch)
        (home.scratch / "function").mkdir()
        (home.scratch / "function" / "code.zip").write_bytes(b"PK")

    assert before == []
    assert names_in(tmp_path) == []


async def test_stopping_waits_for_a_slow_disk_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = slow_home(tmp_path, monkeypatch, 'sleep 0.3; exec /bin/rm "$@"')
    monkeypatch.setattr(scratch, "QUIET", 0.1)

    async with scratch_folder(home):
        (home.scratch / "function").mkdir()

    assert names_in(home.path) == []
    assert capsys.readouterr().out == "Deleting temporary files ...\n"


async def test_a_disk_that_is_too_slow_keeps_nobody_from_starting_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = slow_home(tmp_path, monkeypatch, "exec sleep 1")
    monkeypatch.setattr(scratch, "QUIET", 0.1)
    monkeypatch.setattr(scratch, "PATIENCE", 0.1)

    async with scratch_folder(home):
        (home.scratch / "function").mkdir()

    assert "is deleted in the background" in capsys.readouterr().out
    async with scratch_folder(home):
        assert names_in(home.scratch) == []


def slow_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> Home:
    """A folder for a stack, on a machine whose `rm` is that shell program."""
    (tmp_path / "rm").write_text(f"#!/bin/sh\n{program}\n")
    (tmp_path / "rm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return Home(tmp_path / "home")


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


async def test_a_program_goes_with_all_that_it_started_even_if_the_stack_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    stack = await asyncio.create_subprocess_exec(sys.executable, "-c", _STACK, _STUBBORN, str(log), cwd=ROOT)
    while not log.exists() or not (port := log.read_text().strip()):
        assert stack.returncode is None
        await asyncio.sleep(0.01)

    stack.kill()
    await stack.wait()

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


def outside_make() -> dict[str, str]:
    """This environment without what a `make` that runs these tests adds: its inner ones would tell their folders."""
    return {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}}


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


_STUBBORN = """
import signal, socket, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
time.sleep(60)
"""

_STACK = """
import asyncio, os, pathlib, sys
from infra.local.programs import running

async def main(child, log):
    parent = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(60)"
    async with running(sys.executable, "-c", parent, environment=dict(os.environ), log=pathlib.Path(log)):
        await asyncio.sleep(60)

asyncio.run(main(*sys.argv[1:]))
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
