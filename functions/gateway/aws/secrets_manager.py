"""Secrets Manager: one operation.

https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
"""

from typing import Protocol

import msgspec

from gateway.aws.client import AwsClient, Call, Operation
from gateway.aws.errors import AwsRefused, AwsUnavailable, NotFound

_MARKED_FOR_DELETION = "InvalidRequestException"
"""The code for a secret whose deletion is scheduled: it still exists, but cannot be read."""


class _SecretValue(msgspec.Struct):
    text: str | None = msgspec.field(default=None, name="SecretString")


class Vault(Protocol):
    """A place for secrets."""

    def text(self, name: str) -> str:
        """The current value of a secret that holds text; raises `NotFound` if there is none, and other `AwsError`s."""


class Secrets:
    """Blocking look-ups; raises the errors of `errors.py`. `timeout` is the number of seconds to wait for a reply."""

    def __init__(self, aws: AwsClient, *, timeout: float = 2.0) -> None:
        self._aws = aws
        headers = (("content-type", "application/x-amz-json-1.1"), ("x-amz-target", "secretsmanager.GetSecretValue"))
        self._get = Operation("secretsmanager", aws.endpoints("secretsmanager"), headers=headers)
        self._timeout = timeout

    def text(self, name: str) -> str:
        """The current value of a secret that holds text; raises `NotFound` if there is none."""
        try:
            body = msgspec.json.encode({"SecretId": name})
            reply = self._aws.call(Call(self._get, body, timeout=self._timeout))
        except AwsRefused as error:
            if error.code == _MARKED_FOR_DELETION:
                raise NotFound("The secret is being deleted.", code=error.code) from error
            raise
        value = _decode(reply.body)
        if value.text is None:
            raise NotFound("The secret holds no text.", code="NoSecretString")
        return value.text


def _decode(body: bytes) -> _SecretValue:
    try:
        return msgspec.json.decode(body, type=_SecretValue)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise AwsUnavailable("Secrets Manager sent a reply that cannot be read.") from error
