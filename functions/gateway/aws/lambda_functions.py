"""Lambda: one operation. https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html"""

import asyncio
import time
from functools import cached_property
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from gateway.aws.client import AwsClient, Call, Operation
from gateway.aws.connections import AwsReply
from gateway.aws.errors import AwsTimeout, FunctionFailed

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

MAX_THREADS: Final = 32
"""Invocations that are waited for at the same time; further ones queue for a thread."""


class Functions:
    """Invokes functions; raises the errors of `errors.py`.

    An invocation takes as long as the function does, so each waits in a thread of its own. The threads are ours because
    asyncio's own are few: four more than there are processors.
    """

    def __init__(self, aws: AwsClient, *, max_threads: int = MAX_THREADS) -> None:
        self._aws = aws
        self._endpoint = aws.endpoints("lambda")
        self._max_threads = max_threads

    async def invoke(self, function_name: str, payload: bytes, *, timeout: float) -> bytes:  # noqa: ASYNC109
        """What the function returns, as JSON. It may be invoked twice, if a kept-alive connection was closed.

        Raises `AwsTimeout` after `timeout` seconds, which include the wait for a thread; `FunctionFailed` if the
        function raised; `Throttled`; `NotFound`.
        """
        call, deadline = self._call(function_name, payload), time.monotonic() + timeout
        try:
            async with asyncio.timeout(timeout):
                reply = await asyncio.get_running_loop().run_in_executor(self._threads, self._wait, call, deadline)
        except TimeoutError as error:
            raise AwsTimeout(f"{function_name} did not answer within {timeout:.3f} s.") from error
        if kind := reply.headers.get("x-amz-function-error"):
            raise FunctionFailed(f"{function_name} failed ({kind}).", payload=reply.body)
        return reply.body

    @cached_property
    def _threads(self) -> "ThreadPoolExecutor":
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  (many functions never need one)

        return ThreadPoolExecutor(self._max_threads, thread_name_prefix="invoke")

    def _wait(self, call: Call, deadline: float) -> AwsReply:
        """Runs in a thread. A call past its deadline is not sent: it would cost money."""
        seconds = deadline - time.monotonic()
        if seconds <= 0:
            raise AwsTimeout("No time was left for the call.")
        return self._aws.begin(call._replace(timeout=seconds)).finish(deadline - time.monotonic())

    def _call(self, function_name: str, payload: bytes) -> Call:
        path = f"/2015-03-31/functions/{quote(function_name, safe='')}/invocations"
        headers = (("content-type", "application/json"),)
        return Call(Operation("lambda", self._endpoint, path, headers=headers), payload)
