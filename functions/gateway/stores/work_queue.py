"""Wakes the workers of batch jobs through SQS. A message says only that there is work; the board knows which."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, Final

MAX_DELAY: Final = 900
"""Seconds; the most that SQS grants. A longer wait is found out by whoever is woken then."""


class QueueSignal:
    """The port `WorkSignal`; errors of AWS come as boto3 raises them."""

    def __init__(self, client: Callable[[], Any], *, queue: str) -> None:
        """`client` makes boto3's client of SQS when it is first needed; `queue` is the queue's address."""
        self._make_client = client
        self._queue = queue

    def send(self, *, workers: int = 1, delay: int = 0) -> None:
        """Say that there is work, so that so many workers look for it, `delay` seconds from now."""
        for _ in range(workers):
            self._client.send_message(QueueUrl=self._queue, MessageBody="work", DelaySeconds=min(delay, MAX_DELAY))

    @cached_property
    def _client(self) -> Any:  # boto3 has no types
        return self._make_client()
