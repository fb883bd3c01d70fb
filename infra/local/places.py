"""Where the local stack keeps its files, and how it is found on this machine."""

import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOOPBACK = "127.0.0.1"
STACK = "embeddings-gateway-local"
REGION = "eu-central-1"
MODEL = "all-minilm-l6-v2"

# The emulator's root user. Functions do not get it: each has the credentials of its own role.
ROOT_IDENTITY = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}

RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
ARCHITECTURE = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one running local stack, which no other uses."""

    path: Path

    @property
    def gateway_env(self) -> Path:
        """BASE_URL, API_KEY and MODEL, for a shell that reads it with `source`, and for the programs it starts."""
        return self.path / "gateway.env"

    @property
    def stack_json(self) -> Path:
        """Where the emulated AWS is, for programs that operate the gateway."""
        return self.path / "stack.json"

    @property
    def lock(self) -> Path:
        """Held by the stack that runs here."""
        return self.path / "lock"

    @property
    def scratch(self) -> Path:
        """The emulator's temporary files, deleted when it stops."""
        return self.path / "scratch"

    def log(self, name: str) -> Path:
        """The output of a program that the stack starts."""
        return self.path / "logs" / f"{name}.log"


def aws_environment(endpoint: str) -> dict[str, str]:
    """This process's environment, in which AWS is the emulator at that endpoint.

    Profiles and credentials of the developer are left out, so that no call can reach a real account.
    """
    return {
        **without_aws(os.environ),
        **ROOT_IDENTITY,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def without_aws(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without any AWS account, and with SAM's telemetry off."""
    kept = {name: value for name, value in environment.items() if not name.startswith(("AWS_", "SAM_CLI_"))}
    return {**kept, "SAM_CLI_TELEMETRY": "0"}
