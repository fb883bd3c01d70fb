"""LiteLLM's proxy, as fast as its documentation allows, in an environment of its own: `.local/peers/litellm`.

What is configured, here and in config.yaml beside this file:

- One worker under Uvicorn with uvloop, as its production page advises for each core. Granian, its other server, was
  tried: it uses as much CPU.
- No debug log: `set_verbose: false` and `LITELLM_LOG=ERROR`. `LITELLM_MODE=PRODUCTION`, which reads no .env file.
- No database, no Redis, no cache, no callbacks, no retries: it records no spend and enforces no limits. It does check
  a key, the master key, which needs no look-up. Turning off token counts and spend logs besides was tried: it makes no
  difference without a database.
- The price list that it brings, instead of a download at start.
- One model of provider `openai`, whose address is the fake vendor's; its default transport (aiohttp).

Its Rust core is not used: it supports Anthropic and Bedrock only, and no embeddings.
The version is the newest whose extra `proxy` could be resolved from the package index when this was written.
requirements.txt is made from requirements.in by `uv pip compile --universal --generate-hashes --python-version 3.11`.
https://docs.litellm.ai/docs/proxy/prod, https://docs.litellm.ai/docs/benchmarks
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.processes import ROOT, free_port, running, wait_until_listening

HERE = Path(__file__).parent
LOCK = HERE / "requirements.txt"
INSTALLED = ROOT / ".local" / "peers" / "litellm"
KEY = "sk-benchmark"
"""As in config.yaml."""
PATIENCE = 180.0
"""Seconds for it to listen: its first start compiles what was installed."""


@contextmanager
def proxy(vendor: str) -> Iterator[tuple[int, str]]:
    """The proxy in front of that vendor, while the block runs: its pid and address."""
    install()
    port = free_port()
    command = [str(INSTALLED / "bin" / "litellm"), "--config", str(HERE / "config.yaml")]
    command += ["--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    with (
        tempfile.TemporaryDirectory() as folder,
        running(command, _environment(vendor, folder), Path(folder)) as process,
    ):
        wait_until_listening(process, port, PATIENCE)
        yield process.pid, f"http://127.0.0.1:{port}"


def install() -> None:
    """Install what the lock file says, unless that was done."""
    wanted = hashlib.sha256(sys.version.encode() + LOCK.read_bytes()).hexdigest()
    stamp = INSTALLED / ".installed-from"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"installing LiteLLM's proxy into {INSTALLED.relative_to(ROOT)}", file=sys.stderr)
    shutil.rmtree(INSTALLED, ignore_errors=True)
    _uv("venv", "--quiet", "--python", sys.executable, str(INSTALLED))
    interpreter = str(INSTALLED / "bin" / "python")
    _uv("pip", "sync", "--quiet", "--require-hashes", "--only-binary", ":all:", "--python", interpreter, str(LOCK))
    stamp.write_text(wanted)


def _environment(vendor: str, home: str) -> dict[str, str]:
    """Nothing of this process' own: it may hold credentials, which are none of a foreign program's business."""
    return {
        "PATH": os.defpath,
        "HOME": home,
        "VENDOR_URL": vendor,
        "LITELLM_LOG": "ERROR",
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }


def _uv(*words: str) -> None:
    installed = ROOT / ".tools" / "bin" / "uv"
    uv = str(installed) if installed.exists() else "uv"
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}  # uv would remark on it
    subprocess.run([uv, *words], env=environment, check=True)
