"""What is measured warm: the function that Lambda runs, and servers that do the same work over HTTP.

Both get requests from this process and run in a process of their own, whose CPU is counted.
"""

import gzip
import http.client
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from urllib.parse import urlsplit

from benchmarks import stage
from benchmarks.aws_controls import AwsControls
from benchmarks.cases import REQUESTS, Case, Cost, Task
from benchmarks.fake_vendor import DIMENSIONS
from benchmarks.processes import ROOT, cpu_ms, peak_mb, python_environment

OK = 200
BASE64_LENGTH = DIMENSIONS * 4 // 3 * 4
"""Characters of a vector of float32."""


class Function:
    """The gateway's handler, warm, between the fake AWS and the fake vendor."""

    def __init__(self, process: "subprocess.Popen[str]", aws: AwsControls) -> None:
        self._process = process
        self._aws = aws

    def carry_out(self, case: Case, requests: int | None = None) -> Cost:
        """What it cost; raises `RuntimeError` unless every answer is good and came from where the case says."""
        self._aws.set_cache(case.known_to_cache)
        if case.answered_by == "memory":
            self._ask(case.remember())
        return self._ask(case.task(requests))

    def _ask(self, task: Task) -> Cost:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(asdict(task)), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"The function's process ended at {task}.")
        return Cost(**json.loads(line))


@contextmanager
def warm_function(addresses: stage.Addresses) -> Iterator[Function]:
    """The function in a process of its own, while the block runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.warm_function"],
        env={**python_environment(), **stage.environment(addresses)},
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Function(process, AwsControls(addresses.aws))
    finally:
        process.communicate()  # it ends with its input


class Server:
    """A server in one process. Each case has a new connection, because the server closes idle ones."""

    def __init__(self, pid: int, url: str, key: str = "") -> None:
        self._pid = pid
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc)
        self._headers = {
            "accept-encoding": "gzip, deflate",
            "authorization": f"Bearer {key}",
            "content-type": "application/json",
        }
        self._numbers = itertools.count()

    def carry_out(self, case: Case, requests: int | None = None) -> Cost:
        """What it cost, nothing being cached; raises `RuntimeError` unless the last answer holds the case's vectors."""
        count = requests or REQUESTS[case.inputs]
        bodies = [self._body(case) for _ in range(count)]
        self._connection.close()  # one connection for each case
        self._connection.connect()
        cpu, clock = cpu_ms(self._pid), time.perf_counter()
        for body in bodies:
            answer = self._ask(body)
        wall, cpu = (time.perf_counter() - clock) * 1000, cpu_ms(self._pid) - cpu
        check_answer(case, answer)
        return Cost(cpu_ms=cpu / count, wall_ms=wall / count, runtime_cpu_ms=0, peak_mb=peak_mb(self._pid))

    def close(self) -> None:
        """Give up the connection."""
        self._connection.close()

    def _body(self, case: Case) -> bytes:
        return stage.body(stage.texts(case.inputs, next(self._numbers), case.encoding), case.encoding).encode()

    def _ask(self, body: bytes) -> bytes:
        self._connection.request("POST", "/v1/embeddings", body, self._headers)
        reply = self._connection.getresponse()
        text = reply.read()
        if reply.status != OK:
            raise RuntimeError(f"Asked on {self._connection.port}, it answered {reply.status} {text[:300]!r}")
        return gzip.decompress(text) if reply.headers["content-encoding"] == "gzip" else text


def check_answer(case: Case, answer: bytes) -> None:
    """Raises `RuntimeError` unless the answer has as many vectors as inputs, whole, in the encoding asked for."""
    form, length = (str, BASE64_LENGTH) if case.encoding == "base64" else (list, DIMENSIONS)
    vectors = [item["embedding"] for item in json.loads(answer)["data"]]
    if len(vectors) != case.inputs or not all(isinstance(it, form) and len(it) == length for it in vectors):
        raise RuntimeError(f"{case.request} was answered {answer[:300]!r}")
