"""Lambda: works on batch jobs while there is work and time. SQS invokes it, and a rule every five minutes."""

import asyncio
import os
from typing import Any

from gateway.frugal_imports import frugal_imports

with frugal_imports():
    from gateway.settings import read_settings
    from gateway.wiring_batch import wire_batch_worker

run_batch = wire_batch_worker(read_settings(os.environ), os.environ)
runner = asyncio.Runner()  # one event loop for all invocations, because connections are kept between them


def handler(event: dict[str, Any], context: Any) -> None:  # Lambda's context has no type of its own
    if "Records" not in event:
        run_batch.sweep()
        return
    runner.run(run_batch(context.get_remaining_time_in_millis() / 1000))
