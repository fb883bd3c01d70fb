"""Other processes: starting and ending them, and what the kernel says they used (Linux's /proc)."""

import ctypes
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.stage import Addresses

ROOT = Path(__file__).parents[1]
PATIENCE = 20.0
"""Seconds for a server to listen."""
LIBC = ctypes.CDLL(None)


@contextmanager
def server(module: str, *arguments: str) -> Iterator[tuple[int, str]]:
    """`python -m <module> <port> <arguments>` on a free port of loopback, while the block runs: its pid and address."""
    port = free_port()
    command = [sys.executable, "-m", module, str(port), *arguments]
    with running(command, python_environment()) as process:
        wait_until_listening(process, port)
        yield process.pid, f"http://127.0.0.1:{port}"


@contextmanager
def running(
    command: Sequence[str], environment: Mapping[str, str], folder: Path = ROOT
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in that folder, ended with the block; only its standard error is shown."""
    nothing = subprocess.DEVNULL
    process = subprocess.Popen(command, env=environment, cwd=folder, stdin=nothing, stdout=nothing)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


@contextmanager
def fakes(certificate: Path | None = None) -> Iterator[Addresses]:
    """The fake vendor and the fake AWS whose catalogue leads to it; AWS speaks TLS if it has a certificate."""
    with ExitStack() as stack:
        _, vendor = stack.enter_context(server("benchmarks.fake_vendor"))
        secure = (str(certificate),) if certificate else ()
        _, aws = stack.enter_context(server("benchmarks.fake_aws", vendor, *secure))
        yield Addresses(aws=aws.replace("http:", "https:") if secure else aws, vendor=vendor)


def python_environment() -> dict[str, str]:
    """This environment, with the packages of this repository in reach."""
    return {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'functions'}"}


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_until_listening(process: subprocess.Popen[bytes], port: int, patience: float = PATIENCE) -> None:
    """Return when somebody listens on that port; raises `RuntimeError` if the process ends, or takes too long."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise RuntimeError(f"{process.args!r} does not listen on port {port} (exit code {process.poll()}).")


def cpu_ms(pid: int) -> float:
    """CPU time that a process used so far, with that of threads which have ended (clock_getcpuclockid(3))."""
    clock = ctypes.c_int()
    if error := LIBC.clock_getcpuclockid(pid, ctypes.byref(clock)):
        raise OSError(error, f"{os.strerror(error)}: process {pid} has no clock")
    return time.clock_gettime(clock.value) * 1000


def peak_mb(pid: int) -> float:
    """The most resident memory that a process had so far."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(peak) / 1024


def children(pid: int) -> list[int]:
    """The processes that a process started and that still run."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for text in lists for child in text.read_text().split()]
