"""What reaches Lambda: everything the API function needs, nothing it does not, and byte code for all of it.

Built as `make run` builds it, with the real `sam build` of template.yaml; for AWS the same Makefile runs with another
interpreter and architecture.
"""

import asyncio
import importlib.util
import marshal
import subprocess
import sys
from pathlib import Path
from types import CodeType

import pytest

from infra.local.places import Home
from infra.local.sam import BUILD, build
from tests.contract.test_template import resources_of

UNCHECKED_HASH = 0b01
"""https://peps.python.org/pep-0552/"""

LAMBDA_LIMIT = 250 * 1024 * 1024


@pytest.fixture(scope="module")
def artefact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    asyncio.run(build(Home(tmp_path_factory.mktemp("home"))))
    return BUILD / "ApiFunction"


@pytest.fixture(scope="module")
def sources(artefact: Path) -> list[Path]:
    return sorted(artefact.rglob("*.py"))


def byte_code(source: Path) -> bytes:
    return Path(importlib.util.cache_from_source(str(source))).read_bytes()


def test_every_module_has_byte_code_of_the_runtimes_python(sources: list[Path]) -> None:
    foreign = [source for source in sources if byte_code(source)[:4] != importlib.util.MAGIC_NUMBER]

    assert len(sources) > 500
    assert foreign == []


def test_byte_code_is_taken_without_a_look_at_its_source(sources: list[Path]) -> None:
    looked_at = [source for source in sources if int.from_bytes(byte_code(source)[4:8], "little") != UNCHECKED_HASH]

    assert looked_at == []


def test_byte_code_is_that_of_the_source_beside_it(sources: list[Path]) -> None:
    stale = [source for source in sources if byte_code(source)[8:16] != importlib.util.source_hash(source.read_bytes())]

    assert stale == []


def test_tracebacks_name_files_as_they_are_called_on_lambda(artefact: Path) -> None:
    code: CodeType = marshal.loads(byte_code(artefact / "gateway" / "app.py")[16:])

    assert code.co_filename == "/var/task/gateway/app.py"


def test_the_function_starts_with_nothing_but_its_artefact(artefact: Path) -> None:
    """-I and -S: neither this checkout nor what is installed here can stand in for what is missing."""
    variables = resources_of("AWS::Serverless::Function")["ApiFunction"]["Properties"]["Environment"]["Variables"]
    environment = {**dict.fromkeys(variables, "x"), "STAGE": "eu", "LOG_LEVEL": "INFO", "AWS_REGION": "eu-central-1"}
    program = f"import sys; sys.path.insert(0, {str(artefact)!r}); import api; print(api.handler.__class__.__name__)"

    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", program], env=environment, capture_output=True, text=True, check=False
    )

    assert (done.stdout, done.stderr, done.returncode) == ("Mangum\n", "", 0)


def test_no_sdk_of_aws_is_loaded_on_the_way_to_the_first_answer(artefact: Path) -> None:
    assert not list(artefact.glob("boto*"))


def test_nothing_is_shipped_that_lambda_never_reads(artefact: Path) -> None:
    unread = [
        path for pattern in ("**/tests", "**/*.pyi", "**/*.h", "bin", "**/.pip") for path in artefact.glob(pattern)
    ]

    assert unread == []
    assert {path.name for path in artefact.iterdir()} >= {"api.py", "gateway"}
    assert not (artefact / "embedded_model").exists()


@pytest.mark.parametrize("function", ["ApiFunction", "EmbeddedModelFunction"])
@pytest.mark.usefixtures("artefact")
def test_every_function_is_small_enough_for_lambda(function: str) -> None:
    size = sum(path.stat().st_size for path in (BUILD / function).rglob("*") if path.is_file())

    assert size < LAMBDA_LIMIT
