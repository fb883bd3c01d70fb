"""What would be at /var/task and /var/runtime, built once per content into `.local/benchmarks/`.

Bare FastAPI and the gateway are built by the same Makefile, the one that `sam build` runs: the same locked versions,
the same trimming, the same byte code.
"""

import hashlib
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

from benchmarks.processes import ROOT
from benchmarks.runtime import Artefact, base_python

BUILDS = ROOT / ".local" / "benchmarks"
FUNCTIONS = ROOT / "functions"
HANDLERS = ROOT / "benchmarks" / "handlers"
RUNTIME = (
    *("awslambdaric", "snapshot_restore_py", "simplejson"),
    *("boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3"),
)
"""What Lambda's own runtime brings; artefacts leave these out."""
BARE = {"fastapi", "mangum"}

Fill = Callable[[Path, Path], None]
"""Fills an artefact's folder (the second), given an empty one to work in (the first)."""


def empty() -> Artefact:
    """An empty handler."""
    handler = HANDLERS / "empty.py"

    def fill(_: Path, folder: Path) -> None:
        shutil.copy(handler, folder / "api.py")
        compile_folder(folder)

    return Artefact(folder=_built("empty", [handler], fill), handler="api.handler")


def bare() -> Artefact:
    """Bare FastAPI + Mangum."""
    handler, requirements = HANDLERS / "bare.py", FUNCTIONS / "requirements.txt"

    def fill(work: Path, folder: Path) -> None:
        shutil.copy(handler, work / "api.py")
        (work / "gateway").mkdir()
        (work / "requirements.txt").write_text(only_needed(requirements.read_text(), BARE))
        _make(work, folder)

    inputs = [handler, requirements, FUNCTIONS / "Makefile"]
    return Artefact(folder=_built("bare", inputs, fill), handler="api.handler")


@cache  # one run measures one state of the sources
def gateway() -> Artefact:
    """The API function, as it is deployed."""
    inputs = [FUNCTIONS / name for name in ("api.py", "requirements.txt", "Makefile")]
    inputs += sorted(path for path in (FUNCTIONS / "gateway").rglob("*") if path.is_file() and path.suffix != ".pyc")

    def fill(work: Path, folder: Path) -> None:
        for name in ("api.py", "requirements.txt"):
            shutil.copy(FUNCTIONS / name, work / name)
        shutil.copytree(FUNCTIONS / "gateway", work / "gateway", ignore=shutil.ignore_patterns("__pycache__"))
        _make(work, folder)

    return Artefact(folder=_built("gateway", inputs, fill), handler="api.handler")


def without_byte_code(artefact: Artefact) -> Artefact:
    """The same without byte code, which is what `sam build` makes of a function by itself."""

    def fill(_: Path, folder: Path) -> None:
        shutil.copytree(artefact.folder, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))

    name = f"{artefact.folder.name}-source"
    return Artefact(folder=_built(name, [], fill), handler=artefact.handler)


def runtime() -> Path:
    """Lambda's own runtime, as this environment has it installed."""
    packages = [path for name in RUNTIME for path in _installed(name)]

    def fill(_: Path, folder: Path) -> None:
        for package in packages:
            copy = shutil.copytree if package.is_dir() else shutil.copy
            copy(package, folder / package.name)
        compile_folder(folder)

    return _built("runtime", [path / "__init__.py" for path in packages if path.is_dir()], fill)


def size_mb(folder: Path) -> float:
    """Megabytes on disk, unzipped: Lambda's limit is 250."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def only_needed(requirements: str, roots: set[str]) -> str:
    """The part of a lock file's export that these packages need, by its `# via` comments."""
    blocks = re.split(r"^(?=[\w-]+==)", requirements, flags=re.MULTILINE)[1:]
    names = {
        block.partition("==")[0]: set(re.findall(r"#\s+(?:via )?([\w-]+)$", block, re.MULTILINE)) for block in blocks
    }
    needed: set[str] = set()
    more = roots
    while more:
        needed |= more
        more = {name for name, parents in names.items() if parents & needed} - needed
    return "".join(block for block in blocks if block.partition("==")[0] in needed)


def compile_folder(folder: Path) -> None:
    """Byte code beside every module, as the Makefile makes it."""
    command = [base_python(), "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(folder)]
    subprocess.run(command, check=True)


def _make(work: Path, folder: Path) -> None:
    shutil.copy(FUNCTIONS / "Makefile", work / "Makefile")
    architecture = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"
    settings = {"ARTIFACTS_DIR": folder, "RUNTIME_PYTHON": base_python(), "ARCHITECTURE": architecture}
    command = ["make", "--silent", "build-ApiFunction", *(f"{name}={value}" for name, value in settings.items())]
    subprocess.run(command, cwd=work, check=True)


def _built(name: str, inputs: Iterable[Path], fill: Fill) -> Path:
    digest = hashlib.sha256(sys.version.encode() + b"".join(path.read_bytes() for path in inputs)).hexdigest()
    folder = BUILDS / f"{name}-{digest[:12]}"
    if not folder.exists():
        print(f"building {folder.relative_to(ROOT)}", file=sys.stderr)
        for old in BUILDS.glob(f"{name}-????????????*"):
            shutil.rmtree(old)
        _fill_whole(folder, fill)
    return folder


def _fill_whole(folder: Path, fill: Fill) -> None:
    """A folder that exists is complete: one that could not be filled is not left behind."""
    work, half = folder.with_suffix(".work"), folder.with_suffix(".half")
    for place in (work, half):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
    fill(work, half)
    shutil.rmtree(work)
    half.rename(folder)


def _installed(name: str) -> set[Path]:
    """The top-level packages and modules of a distribution."""
    files = distribution(name).files or []
    tops = {Path(str(distribution(name).locate_file(file.parts[0]))) for file in files if file.parts[0] != ".."}
    return {top for top in tops if top.suffix != ".dist-info"}
