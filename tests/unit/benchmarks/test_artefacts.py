"""Building blocks of what is measured."""

from pathlib import Path

from benchmarks.artefacts import compile_folder, only_needed, size_mb

LOCKED = """\
anyio==4.16.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via
    #   httpx
    #   starlette
fastapi==0.165.0 \\
    --hash=sha256:cc
    # via embeddings-gateway
httpx==0.28.1 \\
    --hash=sha256:dd
    # via embeddings-gateway
numpy==2.4.6 ; python_full_version < '3.12' \\
    --hash=sha256:ee
    # via embeddings-gateway
starlette==1.10.0 \\
    --hash=sha256:ff
    # via fastapi
"""


def test_only_what_a_package_needs_is_left_of_a_lock_file() -> None:
    needed = only_needed(LOCKED, {"fastapi"})

    assert [line.split("==")[0] for line in needed.splitlines() if "==" in line] == ["anyio", "fastapi", "starlette"]


def test_hashes_stay_with_their_package() -> None:
    needed = only_needed(LOCKED, {"starlette"})

    assert needed.count("--hash") == 3
    assert "sha256:bb" in needed


def test_compiled_code_does_not_look_at_its_source(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("answer = 42\n")

    compile_folder(tmp_path)

    (compiled,) = tmp_path.rglob("*.pyc")
    flags = int.from_bytes(compiled.read_bytes()[4:8], "little")
    assert flags == 0b01  # a hash of the source, and it is not checked


def test_size_counts_every_file(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "one").write_bytes(bytes(600_000))
    (tmp_path / "two").write_bytes(bytes(400_000))

    assert size_mb(tmp_path) == 1.0
