"""Lambda: one operation. https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html"""

from urllib.parse import quote

from gateway.aws.client import AwsClient, Call, Operation
from gateway.aws.errors import FunctionFailed


class Functions:
    """Invokes functions; raises the errors of `errors.py`."""

    def __init__(self, aws: AwsClient) -> None:
        self._aws = aws
        self._endpoint = aws.endpoints("lambda")

    async def invoke(self, function_name: str, payload: bytes, *, timeout: float, alone: bool = False) -> bytes:  # noqa: ASYNC109
        """What the function returns, as JSON; unless the call is `alone`, other coroutines go on meanwhile.

        Invoking twice must do no harm. Raises `FunctionFailed` if the function raised, `AwsTimeout` after `timeout`
        seconds, `Throttled`, `NotFound`.
        """
        exchange = self._aws.begin(self._call(function_name, payload, timeout))
        reply = exchange.finish() if alone else await exchange.reply_from_thread()
        if kind := reply.headers.get("x-amz-function-error"):
            raise FunctionFailed(f"{function_name} failed ({kind}).", payload=bytes(reply.body))
        return bytes(reply.body)

    def _call(self, function_name: str, payload: bytes, timeout: float) -> Call:
        path = f"/2015-03-31/functions/{quote(function_name, safe='')}/invocations"
        headers = (("content-type", "application/json"),)
        return Call(Operation("lambda", self._endpoint, path, headers=headers), payload, timeout=timeout)
