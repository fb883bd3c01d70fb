"""The switches of the fake AWS, and the calls that it was asked."""

import json
import ssl
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

CONTROLS = "/_fake"
"""The path of the fake's own switches, which AWS does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call to AWS: seconds on the fake's own clock, and whether the fake could not answer it."""

    operation: str
    begun: float
    ended: float
    failed: bool = False


class AwsControls:
    """Of the fake that listens at this address."""

    def __init__(self, address: str) -> None:
        self._url = address + CONTROLS
        self._any_certificate = ssl.create_default_context()
        self._any_certificate.check_hostname = False
        self._any_certificate.verify_mode = ssl.CERT_NONE

    def set_cache(self, knows: str) -> None:
        """What the table of vectors knows from now on: one of `fake_aws.CACHES`."""
        self._ask(cache=knows)

    def set_latency(self, seconds: float) -> None:
        """How long AWS takes for every call from now on."""
        self._ask(latency=seconds)

    def take_calls(self) -> list[Call]:
        """The calls since this was last asked; raises `RuntimeError` if the fake could not answer one of them.

        The gateway would go on without that store, and the measured cost would be wrong.
        """
        calls = [Call(**call) for call in self._ask()]
        if failed := sorted({call.operation for call in calls if call.failed}):
            raise RuntimeError(f"The fake AWS could not answer {', '.join(failed)}; its traceback stands above.")
        return calls

    def _ask(self, **switches: str | float) -> list[dict[str, Any]]:  # Any: JSON
        url = f"{self._url}?{urlencode(switches)}"
        with urllib.request.urlopen(url, data=b"", context=self._any_certificate) as reply:
            calls: list[dict[str, Any]] = json.loads(reply.read())
            return calls
