"""The local stack is like AWS where it matters: limits and rights; nothing of it is open to others or left behind."""

import contextlib
import json
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from infra.local.emulator import free_port
from infra.local.limits import BODY_LIMIT, EVENT_LIMIT
from infra.local.places import ROOT, Home
from tests.e2e.stack import PATIENCE, Stack, read_gateway_env

TOO_LARGE = (413, {"message": "Request Entity Too Large"})


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {stack.api_key}"}
    with httpx.Client(base_url=stack.base_url, headers=headers, timeout=60) as client:
        yield client


def embed(client: httpx.Client, stack: Stack, text: str) -> httpx.Response:
    return client.post("/v1/embeddings", json={"model": stack.model, "input": text})


def a_new_text() -> str:
    """One that no cache knows."""
    return f"text {secrets.token_hex(8)}"


def test_a_text_becomes_a_vector(client: httpx.Client, stack: Stack) -> None:
    answer = embed(client, stack, a_new_text())

    assert answer.status_code == 200
    assert len(answer.json()["data"][0]["embedding"]) == 384


def test_a_burst_is_answered(stack: Stack) -> None:
    headers = {"Authorization": f"Bearer {stack.api_key}"}
    with (
        httpx.Client(base_url=stack.base_url, headers=headers, timeout=60, limits=httpx.Limits()) as client,
        ThreadPoolExecutor(100) as threads,
    ):
        answers = list(threads.map(lambda text: embed(client, stack, text), [a_new_text() for _ in range(100)]))

    assert Counter(answer.status_code for answer in answers) == {200: 100}


def test_a_preflight_reaches_the_gateway(client: httpx.Client) -> None:
    answer = client.options("/v1/embeddings", headers={"Origin": "https://example.com"})

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize("path", ["/_ministack/health", "/restapis/a/b/_user_request_/c"])
def test_the_emulators_own_services_are_not_behind_the_door(client: httpx.Client, path: str) -> None:
    answer = client.get(path)

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_health_is_the_gateways_own_and_needs_no_key(stack: Stack) -> None:
    answer = httpx.get(f"{stack.base_url}/health")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_a_body_that_is_said_to_be_compressed_reaches_the_gateway(client: httpx.Client) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}

    answer = client.post("/v1/embeddings", content=b'{"input": "plain"}', headers=headers)

    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_content_type")


def test_api_gateway_takes_ten_megabytes(client: httpx.Client, stack: Stack) -> None:
    answer = embed(client, stack, "a" * BODY_LIMIT)

    assert (answer.status_code, answer.json()) == TOO_LARGE


@pytest.mark.parametrize("text", ["a" * EVENT_LIMIT, '"' * (EVENT_LIMIT // 4)], ids=["plain", "quotes"])
def test_lambda_takes_six_megabytes_of_event(client: httpx.Client, stack: Stack, text: str) -> None:
    answer = embed(client, stack, text)

    assert (answer.status_code, answer.json()) == TOO_LARGE


def test_what_lambda_takes_reaches_the_gateway(client: httpx.Client, stack: Stack) -> None:
    answer = embed(client, stack, "a" * (EVENT_LIMIT - 10_000))

    assert answer.json()["error"]["type"] == "invalid_request_error"


@contextlib.contextmanager
def without_policy(stack: Stack, name: str) -> Iterator[None]:
    """The API function's role without one of its policies."""
    iam, role = stack.client("iam"), stack.outputs["ApiFunctionRole"]
    policy: Any = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    iam.delete_role_policy(RoleName=role, PolicyName=name)
    try:
        yield
    finally:
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(policy))


def test_a_right_that_is_not_granted_is_denied(client: httpx.Client, stack: Stack) -> None:
    with without_policy(stack, "ask-embedded-model"):
        denied = embed(client, stack, a_new_text())
    allowed = embed(client, stack, a_new_text())

    assert (denied.status_code // 100, allowed.status_code) == (5, 200)


def test_functions_write_to_the_logs_that_the_template_gave_them(client: httpx.Client, stack: Stack) -> None:
    embed(client, stack, a_new_text())

    logs = stack.client("logs")
    for output in ("ApiFunctionLogGroup", "EmbeddedModelFunctionLogGroup"):
        assert logs.filter_log_events(logGroupName=stack.outputs[output], limit=1)["events"]


def test_metrics_are_published_as_alarms_and_dashboard_expect_them(client: httpx.Client, stack: Stack) -> None:
    embed(client, stack, a_new_text())

    events = stack.client("logs").filter_log_events(logGroupName=stack.outputs["ApiFunctionLogGroup"])["events"]
    lines = [json.loads(event["message"]) for event in events if "CloudWatchMetrics" in event["message"]]
    (directive,) = lines[-1]["_aws"]["CloudWatchMetrics"]

    assert directive["Namespace"] == "EmbeddingsGateway"
    assert lines[-1]["service"] == "api"
    assert sorted(map(sorted, directive["Dimensions"])) == [["model", "service"], ["service"]]
    assert {metric["Name"] for metric in directive["Metrics"]} >= {
        "Requests", "Errors", "InputTokens", "BilledTokens", "CacheHits", "CacheMisses", "UpstreamTime", "OwnTime",
    }  # fmt: skip
    assert fields_in_the_guide() - {"error"} <= lines[-1].keys()


def fields_in_the_guide() -> set[str]:
    """The fields of a request's line that docs/operating.md explains beside the metrics."""
    guide = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    _, _, section = guide.partition("## What the logs say")
    return set(re.findall(r"^\| `[A-Z]\w+` \| `(\w+)` \|", section, re.MULTILINE))


def test_nothing_listens_beyond_loopback(stack: Stack) -> None:
    for address in (stack.base_url, stack.endpoint):
        assert urlsplit(address).hostname == "127.0.0.1"
        # Loopback as well, but only what listens on every address answers there.
        assert not is_served("127.0.0.2", urlsplit(address).port or 80)


def is_served(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError:
        return False
    return True


def start(home: Home, log: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "infra.local", "--port", str(free_port()), "--home", str(home.path)]
    with log.open("wb") as output:
        return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output)


def await_ready(home: Home, process: subprocess.Popen[bytes]) -> dict[str, str]:
    deadline = time.monotonic() + PATIENCE
    while not home.gateway_env.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(0.5)  # the screen follows the file
    return read_gateway_env(home)


def run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.usefixtures("stack")  # one build for both
def test_make_run_keeps_its_promises_and_leaves_nothing_behind(tmp_path: Path) -> None:
    home, log = Home(tmp_path / "home"), tmp_path / "screen"
    process = start(home, log)
    try:
        gateway = await_ready(home, process)
        endpoint = json.loads(home.stack_json.read_text())["endpoint"]
        screen = log.read_text()

        (curl,) = re.findall(r"^  (curl .*)$", screen, re.MULTILINE)
        answer = json.loads(run("sh", "-c", f"{curl} --silent --show-error"))
        (snippet,) = re.findall(r"^  (from openai .*?)\n\n\S", screen, re.MULTILINE | re.DOTALL)
        printed = run(sys.executable, "-c", snippet.replace("\n  ", "\n"))
    finally:
        process.send_signal(signal.SIGTERM)
        ended = process.wait(timeout=60)

    assert len(answer["data"][0]["embedding"]) == 384
    assert printed.startswith("384 [")
    assert gateway.keys() == {"BASE_URL", "API_KEY", "MODEL"}
    assert "$" not in gateway["BASE_URL"]
    assert ended == 0
    assert sorted(path.name for path in home.path.iterdir()) == ["lock", "logs"]
    for address in (gateway["BASE_URL"], endpoint):
        assert not is_served("127.0.0.1", urlsplit(address).port or 80)


@pytest.mark.usefixtures("stack")
def test_a_stack_that_is_killed_takes_the_emulator_with_it(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    process = start(home, tmp_path / "screen")
    await_ready(home, process)
    endpoint = urlsplit(json.loads(home.stack_json.read_text())["endpoint"])

    process.kill()
    process.wait()

    deadline = time.monotonic() + 10
    while is_served("127.0.0.1", endpoint.port or 80) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_served("127.0.0.1", endpoint.port or 80)
