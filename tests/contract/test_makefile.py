"""What `make` promises to whoever builds and deploys: it fetches what is missing, and says early what it cannot do.

Deploying itself, and its parameters, are in test_template.py.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from infra.local.places import ROOT, aws_environment

MAKE = shutil.which("make") or "make"
RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"

_RELEASES = "https://github.com/astral-sh/python-build-standalone/releases/download"
"""What UV_PYTHON_INSTALL_MIRROR stands in for."""
_NOT_NEEDED = {"test", "idlelib", "tkinter", "turtledemo", "site-packages", "dist-packages", "__pycache__"}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the Makefile and uv, as `make install` leaves it, and nothing else."""
    folder = tmp_path / "checkout"
    (folder / ".tools" / "bin").mkdir(parents=True)
    (folder / ".tools" / "bin" / "uv").symlink_to(ROOT / ".tools" / "bin" / "uv")
    shutil.copy(ROOT / "Makefile", folder)
    return folder


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """A mirror of uv's Pythons that holds one: the interpreter that runs these tests."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    with tarfile.open(folder / "python.tar.gz", "w:gz", compresslevel=1) as archive:
        archive.add(os.path.realpath(sys.executable), f"python/bin/{RUNTIME}")
        archive.add(Path(os.__file__).parent, f"python/lib/{RUNTIME}", filter=without_what_is_not_needed)
        for library in (Path(sys.base_prefix) / "lib").glob("libpython*"):
            archive.add(library, f"python/lib/{library.name}")
    download = {
        "name": "cpython", "major": sys.version_info.major, "minor": sys.version_info.minor,
        "patch": sys.version_info.micro, "prerelease": "", "variant": None, "build": "1",
        "os": "linux", "libc": "gnu", "arch": {"family": platform.machine(), "variant": None},
        "url": f"{_RELEASES}/python.tar.gz", "sha256": None,
    }  # fmt: skip
    version = ".".join(map(str, sys.version_info[:3]))
    key = f"cpython-{version}-linux-{platform.machine()}-gnu"
    (folder / "downloads.json").write_text(json.dumps({key: download}), encoding="utf-8")
    return folder


def without_what_is_not_needed(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    name = Path(member.name).name
    return None if name in _NOT_NEEDED or name.startswith("config-") else member


def make(folder: Path, *words: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([MAKE, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False)


def without_python(checkout: Path, mirror: Path) -> dict[str, str]:
    """An environment whose PATH leads to no Python, and where uv fetches from that mirror."""
    return {
        "PATH": "/nonexistent",
        "HOME": str(checkout),
        "UV_PYTHON_DOWNLOADS_JSON_URL": str(mirror / "downloads.json"),
        "UV_PYTHON_INSTALL_MIRROR": mirror.as_uri(),
    }


def test_the_functions_python_is_fetched_if_this_machine_has_none(checkout: Path, mirror: Path) -> None:
    environment = without_python(checkout, mirror)

    first = make(checkout, "runtime", f"RUNTIME={RUNTIME}", environment=environment)
    again = make(checkout, "runtime", f"RUNTIME={RUNTIME}", environment=environment)

    assert (first.returncode, first.stderr, again.returncode, again.stdout) == (0, "", 0, "")
    assert first.stdout == f"Fetching {RUNTIME}, which AWS runs, into {checkout}/.tools/python ...\n"
    assert compiles_byte_code(checkout, environment)


def compiles_byte_code(checkout: Path, environment: Mapping[str, str]) -> bool:
    """Whether the Python that `make build` would use is the fetched one, and works."""
    found = make(
        checkout, "--eval", "found:; @$(FIND_RUNTIME)", "found", f"RUNTIME={RUNTIME}", environment=environment
    ).stdout.strip()  # fmt: skip
    (checkout / "source.py").write_text("answer = 42\n")
    done = subprocess.run([found, "-m", "compileall", "-q", "source.py"], cwd=checkout, env=environment, check=False)
    return found.startswith(f"{checkout}/.tools/python/") and done.returncode == 0


def test_a_functions_python_that_cannot_be_fetched_is_a_sentence(checkout: Path, tmp_path: Path, mirror: Path) -> None:
    environment = without_python(checkout, mirror)
    (mirror / "python.tar.gz").unlink()

    done = make(checkout, "runtime", f"RUNTIME={RUNTIME}", environment=environment)

    sentence, *rest = done.stderr.splitlines()
    assert sentence == (
        f"{RUNTIME}, which AWS runs, was not found and cannot be fetched: "
        "install it, or connect to a network (.tools/python.log says more)."
    )
    assert all(line.startswith("make") for line in rest)
    assert done.returncode == 2
    assert str(tmp_path) in (checkout / ".tools" / "python.log").read_text()


@pytest.mark.parametrize("options", [(), ("-j4",)], ids=" ".join)
def test_deploying_without_credentials_is_refused_before_anything_is_built(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    nobody = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}

    done = make(ROOT, *options, "deploy", "STAGE=eu", environment=nobody)

    assert done.returncode == 2
    assert done.stderr.startswith("Error: There are no AWS credentials: set AWS_PROFILE, or sign in")
    assert "sam build" not in done.stdout


def test_credentials_that_aws_takes_let_the_build_begin(emulator: str) -> None:
    aws = {name: value for name, value in aws_environment(emulator).items() if name.startswith("AWS_")}

    done = make(ROOT, "credentials", "STAGE=eu", environment={"PATH": os.environ["PATH"], **aws})

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_any_python_make_says_what_it_needs(checkout: Path) -> None:
    (checkout / ".tools" / "bin" / "uv").unlink()

    done = make(checkout, ".tools/bin/uv", environment={"PATH": "/nonexistent"})

    assert done.stderr.startswith("A Python 3 is needed to begin with, and was not found: install one, or say where")
