"""What the deployed stack holds for these tests: a vendor on loopback, its model, workspaces and keys.

All of it is put in with the operator's own command.
"""

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from typer.testing import CliRunner

from gateway.core.api_key import ApiKey, parse
from infra.admin.app import app
from infra.local.places import aws_environment
from tests.e2e.clients.vendor import (
    FAULTY_MODELS,
    HASTY_PROVIDER,
    PROVIDER,
    SLOW_MODEL,
    VENDOR_MODEL,
    Vendor,
    running_vendor,
)
from tests.e2e.stack import Stack
from tests.fakes.openai_vendor import KEY

OWN_MODEL = "all-minilm-l6-v2"
OWN_LIMIT = 256
"""Tokens that one input of our own model may have."""

LIMITED_TOKENS = 6000
"""Tokens per minute of the workspace that runs out of them."""

PLENTY = ("--requests-per-minute", "100000", "--tokens-per-minute", "100000000")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """A workspace, and a key to it."""

    name: str
    key: str

    @property
    def wrong_key(self) -> str:
        """A key that looks right, of a workspace that exists, but was never made."""
        key = parse(self.key)
        return ApiKey(workspace=key.workspace, key_id=key.key_id, secret=key.secret[::-1]).text


@dataclass(frozen=True, slots=True)
class Operator:
    """The operator's command on the local stack, whose AWS is at `endpoint`; remembers the keys it made."""

    endpoint: str
    keys: list[str] = field(default_factory=list)

    def __call__(self, *words: str, given: str = "") -> str:
        """What `gateway <words>` prints; `given` is its standard input."""
        nothing_of_the_developers = {name: None for name in os.environ if name.startswith("AWS_")}
        environment = nothing_of_the_developers | aws_environment(self.endpoint) | {"GATEWAY_STAGE": "local"}
        done = CliRunner().invoke(app, words, input=given, env=environment)
        assert done.exit_code == 0, f"gateway {' '.join(words)}: {done.output}"
        return done.stdout

    def make_workspace(self, *limits: str) -> Workspace:
        """A workspace with a name of its own; `limits` as options of `workspaces set`."""
        name = f"e2e-{secrets.token_hex(4)}"
        self("workspaces", "set", name, *limits)
        return Workspace(name=name, key=self.make_key(name))

    def make_key(self, workspace: str, *options: str) -> str:
        """A key of that workspace; `options` as those of `keys create`."""
        key = self("keys", "create", workspace, "--plain", *options).strip()
        self.keys.append(key)
        return key


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back to a plain HTTP request."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything a test needs to know of the deployed stack."""

    stack: Stack
    marker: str
    """A word of this run that every text holds, so that logs can be searched for texts."""
    operator: Operator
    vendor: Vendor
    workspace: Workspace
    """One with room for everything."""
    limited: Workspace
    """One that can be exhausted."""

    @property
    def origin(self) -> str:
        """`http://host:port` of the front door."""
        return self.stack.base_url

    def embed(self, workspace: Workspace | None = None, **body: object) -> Reply:
        """What `POST /v1/embeddings` answers to that body, the model being the vendor's unless said otherwise."""
        key = (workspace or self.workspace).key
        return self.post("/v1/embeddings", {"model": VENDOR_MODEL, **body}, {"Authorization": f"Bearer {key}"})

    def post(self, path: str, body: object, headers: Mapping[str, str]) -> Reply:
        """What the front door answers to a JSON body."""
        text = json.dumps(body).encode()
        request = Request(f"{self.origin}{path}", text, {"Content-Type": "application/json", **headers})
        try:
            with urlopen(request, timeout=60) as reply:
                return _reply(reply)
        except HTTPError as refusal:
            with refusal:
                return _reply(refusal)

    def exhaust(self) -> None:
        """Use up this minute's tokens of the limited workspace, but for a few."""
        reply = self.embed(self.limited, input=[1] * (LIMITED_TOKENS - 3))
        assert reply.status == HTTPStatus.OK, reply.body

    def logs(self) -> str:
        """All that the stack wrote since it was started."""
        return "\n".join(_log_lines(self.stack))


def _reply(reply: HTTPResponse | HTTPError) -> Reply:
    headers = {name.lower(): value for name, value in reply.headers.items()}
    return Reply(status=reply.status or 0, headers=headers, body=reply.read())


@contextmanager
def vendor_in_catalogue(operator: Operator, logs: Path) -> Iterator[Vendor]:
    """A vendor whose models the stack offers, for as long as the context lasts."""
    with running_vendor(logs / "vendor.log") as vendor:
        folder = logs / "catalogue"
        folder.mkdir()
        (folder / "vendor.yaml").write_text(vendor.catalogue(), encoding="utf-8")
        operator("catalogue", "load", str(folder))
        operator("providers", "set", PROVIDER, "--key-stdin", given=KEY)
        yield vendor
        for model in (VENDOR_MODEL, SLOW_MODEL, *FAULTY_MODELS):
            operator("models", "remove", model, "--yes")
        for provider in (PROVIDER, HASTY_PROVIDER):
            operator("providers", "remove", provider, "--yes")


def make_stage(stack: Stack, operator: Operator, vendor: Vendor) -> Stage:
    """The deployed stack with workspaces of its own."""
    return Stage(
        stack=stack,
        marker=f"marker{secrets.token_hex(6)}",
        operator=operator,
        vendor=vendor,
        workspace=operator.make_workspace(*PLENTY),
        limited=operator.make_workspace("--tokens-per-minute", str(LIMITED_TOKENS)),
    )


def _log_lines(stack: Stack) -> Iterator[str]:
    """What the functions and the front door wrote to CloudWatch, and what the emulator wrote itself."""
    logs = stack.client("logs")
    for groups in logs.get_paginator("describe_log_groups").paginate():
        for group in groups["logGroups"]:
            for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"]):
                yield from (event["message"] for event in page["events"])
    yield (stack.home / "logs" / "emulator.log").read_text(encoding="utf-8", errors="replace")
