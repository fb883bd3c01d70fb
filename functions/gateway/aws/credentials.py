"""Where a Lambda function finds its credentials.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html and, for a function started from a snapshot,
which gets none in its environment, https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
"""

import calendar
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import msgspec

from gateway.aws.errors import AwsUnavailable
from gateway.aws.signing import Credentials
from gateway.connection import open_connection
from gateway.http1 import BadHeader, MalformedReply, write_head

RENEW_BEFORE = 300
"""Seconds before the end of temporary credentials at which new ones are fetched."""
TIMEOUT = 2.0
"""Seconds for the fetch: it never leaves the machine."""
MAX_REPLY = 64 * 1024
"""Bytes."""


class _Fetched(msgspec.Struct, rename="pascal"):
    access_key_id: str
    secret_access_key: str
    token: str
    expiration: str


class FunctionCredentials:
    """The credentials of the function it runs in, as they are now: called before each signature."""

    def __init__(self, environment: Mapping[str, str], clock: Callable[[], float]) -> None:
        self._environment = environment
        self._clock = clock
        self._given: Credentials | None = None
        self._fetched: tuple[Credentials, float] | None = None

    def __call__(self) -> Credentials:
        """Raises `AwsUnavailable` where there are none."""
        if key := self._environment.get("AWS_ACCESS_KEY_ID"):
            if self._given is None or self._given.access_key_id != key:  # an id belongs to one secret and session
                read = self._environment.get
                self._given = Credentials(key, read("AWS_SECRET_ACCESS_KEY", ""), read("AWS_SESSION_TOKEN") or None)
            return self._given
        if self._fetched is None or self._clock() > self._fetched[1] - RENEW_BEFORE:
            self._fetched = self._fetch()
        return self._fetched[0]

    def _fetch(self) -> tuple[Credentials, float]:
        url = urlsplit(self._environment.get("AWS_CONTAINER_CREDENTIALS_FULL_URI", ""))
        if not url.hostname:
            raise AwsUnavailable("There are no AWS credentials in the environment.")
        token = self._environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
        fetched = _get(url.hostname, url.port or 80, url.path, token)
        credentials = Credentials(fetched.access_key_id, fetched.secret_access_key, fetched.token)
        return credentials, calendar.timegm(time.strptime(fetched.expiration, "%Y-%m-%dT%H:%M:%SZ"))


def _get(host: str, port: int, path: str, token: str) -> _Fetched:
    try:
        with open_connection(host, port, TIMEOUT) as connection:
            connection.send(write_head("GET", path, {"host": f"{host}:{port}", "authorization": token}), b"", TIMEOUT)
            return msgspec.json.decode(connection.receive(TIMEOUT, MAX_REPLY).body, type=_Fetched)
    except (OSError, BadHeader, MalformedReply, msgspec.MsgspecError) as error:
        raise AwsUnavailable("The function's credentials could not be fetched.") from error
