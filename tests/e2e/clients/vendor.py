"""A fake OpenAI in a process of its own, and the models that lead to it."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import yaml

from tests.e2e.clients.environments import ROOT
from tests.fakes.openai_vendor import vector

PROVIDER = "e2e-vendor"
HASTY_PROVIDER = "e2e-hasty-vendor"
"""The same vendor, with little patience for it."""

VENDOR_MODEL = "text-embedding-3-fake"  # litellm decides by such a name whether `dimensions` may be sent
VENDOR_DIMENSIONS = 1536
VENDOR_LIMIT = 8192
"""Tokens that one input may have."""

FAULTY_MODELS = {f"e2e-{fault}": fault for fault in ("fail-401", "fail-500", "fail-429-retry-after-1", "html", "nan")}
"""Public names of models that fail → the names under which the vendor fails so."""

SLOW_MODEL, SLOW = "e2e-slow", "slow-3s"


@dataclass(frozen=True, slots=True)
class Vendor:
    """A running fake OpenAI, at its base URL."""

    url: str

    def seen(self) -> Mapping[str, int]:
        """What it was asked since it was last reset: `requests`, `inputs` and more."""
        return self._ask("GET", "/_seen")

    def reset(self) -> None:
        """Forget what was asked."""
        self._ask("POST", "/_reset")

    def catalogue(self) -> str:
        """The provider and its models, as a file for `gateway catalogue load`."""
        return yaml.safe_dump(
            {
                "providers": [
                    {"name": PROVIDER, "kind": "openai", "url": self.url, "key": PROVIDER},
                    {"name": HASTY_PROVIDER, "kind": "openai", "url": self.url, "key": PROVIDER, "timeout": 1},
                ],
                "models": [
                    _model(VENDOR_MODEL, "text-embedding-3-small"),
                    *(_model(name, fault) for name, fault in FAULTY_MODELS.items()),
                    _model(SLOW_MODEL, SLOW, provider=HASTY_PROVIDER),
                ],
            }
        )

    def _ask(self, method: str, path: str) -> dict[str, int]:
        request = Request(self.url.removesuffix("/v1") + path, method=method)
        with urlopen(request, timeout=10) as reply:
            seen: dict[str, int] = json.load(reply)
        return seen


def expected_vector(item: str | list[int]) -> list[float]:
    """What the vendor makes of an input."""
    return vector(item, VENDOR_DIMENSIONS)


@contextmanager
def running_vendor(log: Path) -> Iterator[Vendor]:
    """A vendor on a free port of loopback, for as long as the context lasts."""
    command = (sys.executable, "-m", "tests.fakes.openai_vendor")
    with (
        log.open("w") as errors,
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        assert process.stdout
        try:
            yield Vendor(process.stdout.readline().strip())
        finally:
            process.terminate()


def _model(
    name: str, vendor_model: str, provider: str = PROVIDER
) -> dict[str, Any]:  # a row of the catalogue, as YAML has it
    return {
        "name": name,
        "dimensions": VENDOR_DIMENSIONS,
        "max_tokens": VENDOR_LIMIT,
        "shortenable": True,
        "vocabulary": "cl100k_base",
        "price": 0.02,
        "routes": [
            {
                "name": provider,
                "provider": provider,
                "vendor_model": vendor_model,
                "region": "eu",
                "accepts_tokens": True,
                "accepts_dimensions": True,
            }
        ],
    }
