"""Signed calls to AWS. Every call blocks: it takes milliseconds, and a Lambda function serves one request at a time.

Where two calls must overlap, `begin` sends one and returns at once, and its reply is read later with `finish`.
"""

import hashlib
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from http.client import HTTPException
from ssl import SSLContext
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from gateway.aws.connections import AwsReply, Connection, ConnectionPool, Endpoint, Unanswered, check_header
from gateway.aws.errors import AwsTimeout, AwsUnavailable, ConnectionLost, read_error
from gateway.aws.signing import Credentials, Scope, Signer, timestamp

CONNECT_TIMEOUT: Final = 0.5
"""Seconds to connect, without the DNS look-up; the handshake of TLS may take as long again."""
MAX_REPLY: Final = 32 * 1024 * 1024
"""Bytes. A query or a batch of DynamoDB returns at most 16 MB of items, and base64 adds a third."""

_SUCCESS: Final = range(200, 300)


class Operation(NamedTuple):
    """What all calls of one kind share. `path` is percent-encoded; names of `headers` are in lower case."""

    service: str
    endpoint: Endpoint
    path: str = "/"
    method: str = "POST"
    headers: tuple[tuple[str, str], ...] = ()


class Call(NamedTuple):
    """One request to one service.

    `payload_hash` is the SHA-256 of the body in hex, or `UNSIGNED`; `None` computes it. `timeout` is the number of
    seconds to wait for the reply. `repeatable` says that carrying it out twice does no harm: it is then sent once more
    if a kept-alive connection turns out to be closed.
    """

    operation: Operation
    body: bytes = b""
    payload_hash: str | None = None
    timeout: float = 2.0
    repeatable: bool = True


class Endpoints:
    """The address of each service: `AWS_ENDPOINT_URL_<SERVICE>`, `AWS_ENDPOINT_URL`, or AWS itself in that region."""

    def __init__(self, environment: Mapping[str, str], region: str) -> None:
        self._environment = environment
        self._region = region

    def __call__(self, service: str, *, host_prefix: str = "") -> Endpoint:
        """The endpoint of `secretsmanager`, …; `host_prefix` (with its dot) is used only on AWS itself."""
        if url := self.override(service):
            parts = urlsplit(url)
            secure = parts.scheme == "https"
            return Endpoint(secure, parts.hostname or "", parts.port or (443 if secure else 80))
        return Endpoint(secure=True, host=f"{host_prefix}{service}.{self._region}.amazonaws.com", port=443)

    def override(self, service: str) -> str | None:
        """The address that the environment sets instead of AWS."""
        name = "SECRETS_MANAGER" if service == "secretsmanager" else service.upper()
        read = self._environment.get
        return read(f"AWS_ENDPOINT_URL_{name}") or read("AWS_ENDPOINT_URL") or None


class AwsClient:
    """Signs, sends and reads; knows no service. Raises the errors of `errors.py`, and no others.

    Several threads may use it at once (see `ConnectionPool`).
    """

    def __init__(
        self,
        *,
        region: str,
        endpoints: Endpoints,
        credentials: Callable[[], Credentials],
        ssl_context: Callable[[], SSLContext],
        clock: Callable[[], float],
        connect_timeout: float = CONNECT_TIMEOUT,
    ) -> None:
        """`ssl_context` returns one shared context and is called when it is first needed; `clock` is Unix time."""
        self.region = region
        self.endpoints = endpoints
        self.credentials = credentials
        self._clock = clock
        self._pool = ConnectionPool(connect_timeout=connect_timeout, ssl_context=ssl_context, clock=clock)

    def call(self, call: Call) -> AwsReply:
        """Send a call and wait for its reply."""
        return self.begin(call).finish()

    def begin(self, call: Call) -> "PendingCall":
        """Send a call now; its reply is read later."""
        return PendingCall(self, call)

    def scope(self, service: str) -> Scope:
        """Where and when a signature made now is valid."""
        return Scope(timestamp(int(self._clock())), self.region, service)

    def send(self, call: Call, *, fresh: bool = False) -> Connection:
        """Send on an idle connection, or on a new one; the connection is the caller's until `receive` or `close`."""
        headers = self._headers(call)
        connection = None if fresh else self._pool.take(call.operation.endpoint)
        if connection is None:
            return _send_on(self._connect(call.operation.endpoint), call, headers)
        try:
            return _send_on(connection, call, headers)
        except ConnectionLost:  # the call was not sent to its end, so AWS has not carried it out
            return _send_on(self._connect(call.operation.endpoint), call, headers)

    def receive(self, connection: Connection, timeout: float) -> AwsReply:
        """The reply, within `timeout` seconds; raises what `Connection` raises."""
        reply = connection.receive(timeout, max_bytes=MAX_REPLY)
        self._pool.keep(connection)
        return reply

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.close()

    def _connect(self, endpoint: Endpoint) -> Connection:
        try:
            return self._pool.open(endpoint)
        except TimeoutError as error:
            raise AwsTimeout(f"{endpoint.authority} did not take the connection in time.") from error
        except (OSError, HTTPException, ValueError) as error:
            raise AwsUnavailable(f"{endpoint.authority} cannot be reached.") from error

    def _headers(self, call: Call) -> dict[str, str]:
        at = timestamp(int(self._clock()))
        headers, signer = _prepared(call.operation, self.credentials(), self.region, at[:8])
        payload_hash = call.payload_hash or hashlib.sha256(call.body).hexdigest()
        return {**headers, "x-amz-date": at, "authorization": signer.authorization(at, payload_hash)}


class PendingCall:
    """A call that was sent: `finish` it or `abandon` it, once."""

    def __init__(self, client: AwsClient, call: Call) -> None:
        self._client = client
        self._call = call
        self._connection = client.send(call)

    def finish(self, timeout: float | None = None) -> AwsReply:
        """Wait for the reply, at most `timeout` seconds from now; `None` means the call's own timeout."""
        timeout = self._call.timeout if timeout is None else timeout
        service = self._call.operation.service
        try:
            reply = self._receive(time.monotonic() + timeout)
        except Unanswered as error:
            raise ConnectionLost(f"{service} hung up.") from error
        except TimeoutError as error:
            raise AwsTimeout(f"{service} did not answer within {timeout:.3f} s.") from error
        except (OSError, HTTPException, ValueError) as error:
            raise AwsUnavailable(f"{service} broke off its answer.") from error
        if reply.status not in _SUCCESS:
            raise read_error(reply.status, reply.headers, reply.body)
        return reply

    def abandon(self) -> None:
        """Give up: the connection is closed, because its reply would answer the next call."""
        self._connection.close()

    def _receive(self, deadline: float) -> AwsReply:
        try:
            return self._client.receive(self._connection, deadline - time.monotonic())
        except Unanswered:
            if not (self._connection.is_reused and self._call.repeatable):
                raise
        self._connection = self._client.send(self._call, fresh=True)
        return self._client.receive(self._connection, deadline - time.monotonic())


@lru_cache(maxsize=32)
def _prepared(operation: Operation, credentials: Credentials, region: str, day: str) -> tuple[dict[str, str], Signer]:
    """The headers that all calls of this kind share, and what signs them; raises `AwsUnavailable` for a bad header."""
    service, endpoint, path, method, own = operation
    headers = {"host": endpoint.authority, **dict(own)}
    signer = Signer(credentials, Scope(day, region, service), method=method, path=path, headers=headers)
    if credentials.session_token:
        headers["x-amz-security-token"] = credentials.session_token
    for name, value in (*headers.items(), ("authorization", credentials.access_key_id)):
        check_header(name, value)
    return headers, signer


def _send_on(connection: Connection, call: Call, headers: Mapping[str, str]) -> Connection:
    service, _, path, method, _ = call.operation
    try:
        connection.send(method, path, headers, call.body, call.timeout)
    except TimeoutError as error:
        raise AwsTimeout(f"{service} did not take the call in time.") from error
    except OSError as error:
        raise ConnectionLost(f"{service} hung up.") from error
    except (HTTPException, ValueError) as error:
        raise AwsUnavailable(f"{service} cannot be asked.") from error
    return connection
