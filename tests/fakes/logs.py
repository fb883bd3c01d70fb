"""What the gateway would have written to CloudWatch."""

import json
from typing import Any

import pytest

from gateway import telemetry


def log_lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The JSON lines of our own logger; what others logged is not JSON on Lambda, and so is none of them."""
    logger = telemetry.logger()
    formatter = logger.registered_formatter
    return [json.loads(formatter.format(record)) for record in caplog.records if record.name == logger.name]
