"""Answers too large for the front door: kept in S3, fetched at an address that needs no key and soon expires."""

import os
from collections.abc import Callable

from gateway.aws.errors import AwsError
from gateway.aws.s3 import Bucket
from gateway.core.errors import InternalError
from gateway.core.ports import LARGE_ANSWER_TIME


def random_name() -> str:
    """128 random bits: nobody guesses the name of another's answer."""
    return os.urandom(16).hex()


class BucketLargeAnswers:
    """The port `LargeAnswers` over S3."""

    def __init__(self, bucket: Bucket, *, name: Callable[[], str] = random_name) -> None:
        self._bucket = bucket
        self._name = name

    async def keep(self, body: bytes, content_type: str) -> str:
        """Store one answer; the address at which it can be fetched for a while. Raises `InternalError`."""
        key = f"answers/{self._name()}"
        try:
            self._bucket.put(key, body, content_type=content_type)
            return self._bucket.address(key, expires=LARGE_ANSWER_TIME)
        except AwsError as error:
            raise InternalError("The answer is too large to send at once, and could not be put aside.") from error
