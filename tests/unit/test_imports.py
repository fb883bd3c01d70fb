"""Who may import whom: all arrows point to the core, and dialects never meet providers."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "functions" / "gateway"

MAY_IMPORT: dict[str, set[str]] = {
    # room: rooms of ours, and packages of others
    "core": {"core", "msgspec", "numpy", "orjson", "pybase64"},
    "operations": {"core", "operations", "telemetry", "msgspec"},
    "dialects": {"core", "operations", "dialects", "telemetry", "fastapi", "starlette", "pydantic", "pydantic_core"}
    | {"msgspec", "orjson", "python_multipart"},
    "providers": {"core", "providers", "outbound", "aws", "telemetry", "msgspec", "pybase64", "jwt"},
    "stores": {"core", "stores", "outbound", "aws", "telemetry", "msgspec", "jwt", "boto3"},
    "outbound": {"outbound", "msgspec", "certifi", "httpx", "httpcore"},
    "aws": {"aws", "msgspec"},
    "openapi": {"fastapi", "starlette"},
    "vocabularies": {"core"},
    "app": {"core", "operations", "dialects", "openapi", "front_door", "telemetry", "fastapi", "starlette"},
    "front_door": {"operations", "dialects", "openapi", "fastapi", "starlette", "orjson"},
    "wiring": {"core", "operations", "providers", "settings", "stores", "aws", "outbound", "telemetry"}
    | {"vocabularies", "wiring_batch"},
    "wiring_batch": {"core", "operations", "dialects", "settings", "stores", "wiring", "boto3", "botocore"},
    "telemetry": {"aws_lambda_powertools"},
    "frugal_imports": {"pydantic"},
    "settings": set(),
}


def room_of(file: Path) -> str:
    parts = file.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else file.stem


def imported(file: Path) -> Iterator[str]:
    """Rooms of ours and packages of others that a file names, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        for module in _modules(node):
            package, _, rest = module.partition(".")
            if package == "gateway":
                yield rest.partition(".")[0]
            elif package not in sys.stdlib_module_names:
                yield package


def _modules(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [name.name for name in names]
        case ast.ImportFrom(module="gateway", names=names):
            return [f"gateway.{name.name}" for name in names]
        case ast.ImportFrom(module=str(module), level=0):
            return [module]
    return []


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_file_imports_only_what_its_room_may(file: Path) -> None:
    room = room_of(file)
    allowed = MAY_IMPORT.get(room, set())

    assert set(imported(file)) - allowed - ({room} if room == "__init__" else set()) == set()


def test_every_room_has_its_rule() -> None:
    rooms = {room_of(file) for file in PACKAGE.rglob("*.py")} - {"__init__"}

    assert rooms == set(MAY_IMPORT)


def test_handlers_only_decorate_build_and_delegate() -> None:
    handler = PACKAGE.parent / "api.py"

    assert set(imported(handler)) <= {"app", "wiring", "settings", "frugal_imports", "mangum"}
    assert len(handler.read_text("utf-8").splitlines()) < 30
