"""S3: put an object, and sign an address at which anybody may get it for some time.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html,
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

from urllib.parse import quote

from gateway.aws.client import AwsClient, Call, Operation
from gateway.aws.connections import Endpoint
from gateway.aws.signing import UNSIGNED, presign


class Bucket:
    """One bucket; raises the errors of `errors.py`. `timeout` is the number of seconds to wait for a reply."""

    def __init__(self, aws: AwsClient, name: str, *, timeout: float = 10.0) -> None:
        self._aws = aws
        # On AWS the bucket is part of the host name; an emulator finds it in the path.
        self._endpoint = aws.endpoints("s3", host_prefix=f"{name}.")
        self._root = f"/{name}/" if aws.endpoints.override("s3") else "/"
        self._timeout = timeout

    def put(self, key: str, body: bytes, *, content_type: str) -> None:
        """PutObject; blocks until S3 has stored the object."""
        headers = (("content-type", content_type), ("x-amz-content-sha256", UNSIGNED))
        operation = Operation("s3", self._endpoint, self._path(key), "PUT", headers)
        self._aws.call(Call(operation, body, payload_hash=UNSIGNED, timeout=self._timeout))

    def address(self, key: str, *, expires: int) -> str:
        """The address at which anybody can GET the object for `expires` seconds (or until our own session ends)."""
        path = self._path(key)
        query = presign(
            self._aws.credentials(),
            self._aws.scope("s3"),
            method="GET",
            host=self._endpoint.authority,
            path=path,
            expires=expires,
        )
        return f"{_origin(self._endpoint)}{path}?{query}"

    def _path(self, key: str) -> str:
        return self._root + quote(key, safe="/-_.~")


def _origin(endpoint: Endpoint) -> str:
    return f"{'https' if endpoint.secure else 'http'}://{endpoint.authority}"
