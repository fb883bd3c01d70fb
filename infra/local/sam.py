"""The real `sam build` and `sam deploy`, with the emulator in place of AWS."""

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3

from infra.local.places import (
    ARCHITECTURE,
    REGION,
    ROOT,
    ROOT_IDENTITY,
    RUNTIME,
    STACK,
    Home,
    aws_environment,
    without_aws,
)
from infra.local.programs import finish

BUILD = ROOT / ".local" / "build"
"""Apart from .aws-sam, because what is built for this machine must never be deployed to AWS."""

_DIGEST = BUILD.with_suffix(".digest")
_SAM = Path(sys.executable).with_name("sam")
_BUILT_FROM = ("template.yaml", "infra/alarms.yaml", "infra/dashboard.yaml", "functions")
# Read by functions/Makefile and functions/embedded_model/Makefile.
_FOR_BUILD = {
    "RUNTIME_PYTHON": sys.executable,
    "ARCHITECTURE": ARCHITECTURE,
    "BUILD_CACHE": str(BUILD.with_name("api")),
    "EMBEDDED_MODEL_CACHE": str(BUILD.with_name("embedded_model")),
}
STAGE = "eu"
"""The stage of infra/stages.yaml whose region, routes and numbers the local stack has."""

_PARAMETERS = {
    "Stage": STAGE,
    "Runtime": RUNTIME,
    "Architecture": ARCHITECTURE,
    "AllowLoopbackProviders": "true",  # tests keep fake vendors there
}


def is_built() -> bool:
    """Whether the last build was made from the sources as they are now."""
    return built_digest() == sources_digest()


def built_digest() -> str | None:
    """The digest of the sources that the last build was made from."""
    return _DIGEST.read_text() if _DIGEST.exists() else None


def sources_digest() -> str:
    """A SHA-256 of everything that decides what the build makes."""
    digest = hashlib.sha256(json.dumps([sys.version, _PARAMETERS]).encode())
    for path in _source_files():
        digest.update(f"{path.relative_to(ROOT)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _source_files() -> Iterator[Path]:
    for name in _BUILT_FROM:
        path = ROOT / name
        found = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (file for file in found if file.is_file() and "__pycache__" not in file.parts)


async def build(home: Home) -> None:
    """Builds every function for this machine, unless nothing has changed since the last build."""
    with _alone():
        if is_built():
            return
        digest = sources_digest()
        _DIGEST.unlink(missing_ok=True)
        await finish(
            str(_SAM), "build", *_where(), "--template-file", str(ROOT / "template.yaml"),
            "--build-dir", str(BUILD), "--parameter-overrides", *_overrides(),
            environment={**without_aws(os.environ), **_FOR_BUILD},
            log=home.log("sam-build"),
            trouble="The functions cannot be built",
        )  # fmt: skip
        await asyncio.to_thread(_pack, BUILD / "template.yaml")
        _DIGEST.write_text(digest)


def _pack(template: Path) -> None:
    """Zips each function once per build; `sam deploy` would do it at each start, and that is its slowest step."""

    def zip_folder(code: re.Match[str]) -> str:
        folder = BUILD / code["folder"]
        shutil.make_archive(str(folder), "zip", folder)
        return f"{code[0]}.zip"

    template.write_text(re.sub(r"CodeUri: (?P<folder>\w+)$", zip_folder, template.read_text(), flags=re.MULTILINE))


async def deploy(home: Home, emulator: str) -> Mapping[str, str]:
    """Deploys what was built to the emulator, and returns the outputs of the stack."""
    await finish(
        str(_SAM), "deploy", *_where(), "--template-file", str(BUILD / "template.yaml"),
        "--no-progressbar", "--parameter-overrides", *_overrides(),
        environment={**aws_environment(emulator), "SAM_CLI_POLL_DELAY": "0.5"},  # it asks every 5 s otherwise
        log=home.log("sam-deploy"),
        trouble="The stack cannot be deployed",
    )  # fmt: skip
    return read_outputs(emulator)


def read_outputs(emulator: str) -> Mapping[str, str]:
    """The outputs of the deployed stack, by name."""
    (stack,) = client_of("cloudformation", emulator).describe_stacks(StackName=STACK)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


async def wake(emulator: str, function: str) -> None:
    """Starts the embedded model's function, so that the first request does not wait for it."""
    await invoke(emulator, function, {"warm": True})


async def invoke(emulator: str, function: str, event: Mapping[str, Any]) -> Any:
    """Invokes a function; returns the JSON that it returned."""
    payload = json.dumps(event).encode()
    reply = await asyncio.to_thread(client_of("lambda", emulator).invoke, FunctionName=function, Payload=payload)
    return json.loads(reply["Payload"].read())


def client_of(service: str, emulator: str) -> Any:  # boto3 has no types
    session: Any = boto3.Session(
        ROOT_IDENTITY["AWS_ACCESS_KEY_ID"], ROOT_IDENTITY["AWS_SECRET_ACCESS_KEY"], region_name=REGION
    )
    return session.client(service, endpoint_url=emulator)


def _where() -> tuple[str, ...]:
    return "--config-file", str(ROOT / "samconfig.toml"), "--config-env", "local"


def _overrides() -> list[str]:
    return [f"{name}={value}" for name, value in _PARAMETERS.items()]


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """One build at a time: the stack of `make run` and that of the tests share what is built."""
    BUILD.parent.mkdir(parents=True, exist_ok=True)
    with BUILD.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
