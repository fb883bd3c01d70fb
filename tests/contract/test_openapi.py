"""The published document against the app: schemathesis asks for everything it allows, and for what it forbids.

Twice: a Google credential gets other answers on shared paths than a Bearer token.
"""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
import uvicorn

from gateway import telemetry
from gateway.core.catalogue import Model, Symmetry
from gateway.core.embedding import Purpose
from gateway.dialects._validation import MAX_DIMENSIONS
from gateway.stores.read_limits import OwnReadLimits
from tests.fakes.models import make_model
from tests.unit.dialects.golden import every_golden
from tests.unit.dialects.stage import KEY, Stage

ROOT = Path(__file__).parents[2]


def able(name: str) -> Model:
    """A model that does everything the document speaks of."""
    return make_model(
        name=name,
        dimensions=MAX_DIMENSIONS,
        shortenable=True,
        symmetry=Symmetry.BY_PURPOSE,
        purposes=dict.fromkeys(Purpose, "native"),
        accepts_title=True,
    )


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The app on memory and an echo, with the models of the document's examples."""
    monkeypatch.setattr(telemetry, "publish", lambda *_, **__: None)
    models = [able(name) for name in {golden.model["name"] for golden in every_golden()} | {"dep"}]
    # Every request has a minute of its own: the limit of reading would hide what is behind it.
    stage = Stage(models=models, reads=OwnReadLimits(count(0, 60).__next__))
    # Without the protocol's number asyncio does not know it is TCP, and every answer waits for 40 ms.
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(stage.app, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


# Checks that are not made, in schemathesis's own configuration. `ignored_auth` takes 401 and 403 alone for a refusal,
# and Google answers 400 to a wrong key; nor does it see that a made-up Bearer token beside the right Google key is one
# credential too many, of which the right one counts. `tests/unit/test_openapi.py` asks every path with wrong keys.
EXEMPTED = {
    "Authorization": """
        checks.enabled = true

        [[operations]]
        include-tag = "gemini"
        checks.ignored_auth.enabled = false

        [[operations]]
        include-operation-id = ["listModels", "retrieveModel"]
        checks.ignored_auth.enabled = false
    """,
    "x-goog-api-key": """
        checks.enabled = true
        checks.ignored_auth.enabled = false
    """,
}


@pytest.mark.parametrize(
    ("header", "value"), [("Authorization", f"Bearer {KEY}"), ("x-goog-api-key", KEY)], ids=EXEMPTED
)
def test_the_app_keeps_every_promise_of_the_document(address: str, header: str, value: str, tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(EXEMPTED[header], "utf-8")
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{address}/openapi.json", "--header", f"{header}: {value}"),
        *("--max-examples", "10", "--generation-deterministic", "--no-color"),
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.contract.openapi_hooks"}

    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout[-10_000:] + result.stderr[-2_000:]
