"""The embedded model's function as `sam build` makes it: from a copy of its folder, and runnable with nothing else."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import platform
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ELF_MACHINES = {"x86_64": 62, "arm64": 183}  # https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html
UNCHECKED_HASH = 0b01  # https://peps.python.org/pep-0552/


def build(folder: Path, **environment: str) -> Path:
    """What SAM does for `BuildMethod: makefile`."""
    source, artifacts = folder / "source", folder / "artifacts"
    shutil.copytree(ROOT / "functions/embedded_model", source, ignore=shutil.ignore_patterns("__pycache__"))
    artifacts.mkdir()
    cache = os.environ.get("EMBEDDED_MODEL_CACHE") or str(ROOT / ".local/embedded_model")
    settings = {"ARTIFACTS_DIR": str(artifacts), "EMBEDDED_MODEL_CACHE": cache, "RUNTIME_PYTHON": sys.executable}
    command = ["make", "build-EmbeddedModelFunction"]
    subprocess.run(command, cwd=source, env=os.environ | settings | environment, check=True, capture_output=True)
    return artifacts


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    own = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"
    return build(tmp_path_factory.mktemp("host"), ARCHITECTURE=own)


@pytest.fixture(scope="module", params=["x86_64", "arm64"])
def architecture_and_artifacts(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp(request.param)
    yield request.param, build(folder, ARCHITECTURE=request.param)
    shutil.rmtree(folder)


def invoke(artifacts: Path, event: dict[str, Any]) -> Any:
    """Calls the handler in an interpreter that sees the artefact and the standard library only."""
    script = (
        f"import json, sys; sys.path.insert(0, {str(artifacts)!r}); import app; "
        "print(json.dumps(app.handler(json.load(sys.stdin), None)))"
    )
    command = [sys.executable, "-I", "-S", "-c", script]
    done = subprocess.run(command, input=json.dumps(event), capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_the_handler_embeds_with_what_is_in_the_artefact(artifacts: Path) -> None:
    answered = invoke(artifacts, {"texts": ["hello", "The quick brown fox jumps over the lazy dog."]})

    vectors = struct.unpack("<768f", base64.b64decode(answered["vectors"]))
    assert answered["tokens"] == [3, 12]
    assert sum(value * value for value in vectors[:384]) == pytest.approx(1, abs=1e-5)
    assert sum(value * value for value in vectors[384:]) == pytest.approx(1, abs=1e-5)


def test_the_handler_can_be_warmed(artifacts: Path) -> None:
    answered = invoke(artifacts, {"warm": True})

    assert answered == {"ready": True}


def test_every_source_has_byte_code_of_this_python_that_is_never_checked(artifacts: Path) -> None:
    sources = list(artifacts.rglob("*.py"))

    headers = {source: Path(importlib.util.cache_from_source(str(source))).read_bytes()[:8] for source in sources}

    assert len(sources) > 100
    assert set(headers.values()) == {importlib.util.MAGIC_NUMBER + struct.pack("<I", UNCHECKED_HASH)}


def test_the_artefact_stays_well_under_the_limit_of_lambda(artifacts: Path) -> None:
    size = sum(path.stat().st_size for path in artifacts.rglob("*") if path.is_file())

    assert size < 200 * 1024 * 1024  # Lambda's is 250


def test_the_artefact_holds_no_more_than_it_needs(artifacts: Path) -> None:
    names = {path.name.split("-")[0] for path in artifacts.iterdir()}

    needed = {"app.py", "embedded_model", "model", "numpy", "numpy.libs", "onnxruntime", "tokenizers", "__pycache__"}
    assert names == needed
    assert not {"build.py", "convert.py"} & {path.name for path in (artifacts / "embedded_model").iterdir()}


def test_any_user_can_read_the_artefact(artifacts: Path) -> None:
    unreadable = [path for path in artifacts.rglob("*") if path.stat().st_mode & 0o044 != 0o044]

    assert unreadable == []


def test_the_runtime_has_nobody_to_report_to(architecture_and_artifacts: tuple[str, Path]) -> None:
    """From 1.29 on, onnxruntime sends events to a collector; whoever upgrades it is to find out here."""
    _, artifacts = architecture_and_artifacts

    libraries = list((artifacts / "onnxruntime").rglob("*.so*"))

    assert libraries
    assert all(b"events.data.microsoft.com" not in library.read_bytes() for library in libraries)


def test_a_missing_interpreter_is_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failure:
        build(tmp_path, RUNTIME_PYTHON="python0.1")

    assert failure.value.stderr.splitlines()[0] == (
        b"python0.1 compiles the byte code that Lambda runs, and was not found: "
        b"install it, or set RUNTIME_PYTHON to where it is."
    )


def test_libraries_are_for_the_architecture_asked_for(architecture_and_artifacts: tuple[str, Path]) -> None:
    architecture, artifacts = architecture_and_artifacts

    machines = {struct.unpack_from("<H", path.read_bytes(), 18)[0] for path in artifacts.rglob("*.so*")}

    assert machines == {ELF_MACHINES[architecture]}
