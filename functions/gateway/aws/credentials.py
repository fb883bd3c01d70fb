"""The credentials of a Lambda function.

They are in its environment: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
A function started from a snapshot fetches them instead: https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
"""

from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import datetime
from http.client import HTTPConnection, HTTPException
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from gateway.aws.connections import check_header
from gateway.aws.errors import AwsUnavailable
from gateway.aws.signing import Credentials

RENEW_BEFORE = 300
"""Seconds before temporary credentials expire at which new ones are fetched."""
TIMEOUT = 2.0
"""Seconds to connect, and again for the reply: the fetch never leaves the machine."""
MAX_REPLY = 64 * 1024
"""Bytes."""


class _Fetched(msgspec.Struct, rename="pascal"):
    access_key_id: str
    secret_access_key: str
    token: str
    expiration: Annotated[datetime, msgspec.Meta(tz=True)]


class FunctionCredentials:
    """The credentials that are valid now; called before each signature.

    Where several threads find them about to expire, each may fetch new ones, which does no harm.
    """

    def __init__(self, environment: Mapping[str, str], clock: Callable[[], float]) -> None:
        self._environment = environment
        self._clock = clock
        self._given: Credentials | None = None
        self._fetched: tuple[Credentials, float] | None = None

    def __call__(self) -> Credentials:
        """Raises `AwsUnavailable` if there are none."""
        if key := self._environment.get("AWS_ACCESS_KEY_ID"):
            if self._given is None or self._given.access_key_id != key:  # another id means another secret and session
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
        return credentials, fetched.expiration.timestamp()


def _get(host: str, port: int, path: str, token: str) -> _Fetched:
    check_header("authorization", token)
    try:
        with closing(HTTPConnection(host, port, timeout=TIMEOUT)) as connection:
            connection.request("GET", path, headers={"authorization": token})
            return msgspec.json.decode(connection.getresponse().read(MAX_REPLY), type=_Fetched)
    except (OSError, HTTPException, ValueError, msgspec.MsgspecError) as error:
        raise AwsUnavailable("The function's credentials could not be fetched.") from error
