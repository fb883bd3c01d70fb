"""Signed calls to AWS over connections that are kept alive.

Two calls of one request must overlap. So `begin` puts a call on the wire, and its `Exchange` reads the reply later:
`together(reserve(), get())` has both under way before either is read, without a thread.
"""

import asyncio
import hashlib
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping
from functools import cached_property, lru_cache
from ssl import SSLContext
from types import coroutine
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from gateway.aws.errors import AwsTimeout, AwsUnavailable, ConnectionLost, read_error
from gateway.aws.signing import Credentials, Scope, Signer, timestamp
from gateway.connection import Connection, open_connection, seconds_until
from gateway.http1 import BadHeader, HttpReply, MalformedReply, Unanswered, write_head

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

CONNECT_TIMEOUT: Final = 0.5
"""Seconds to connect, name look-up aside; the handshake of TLS may take as long again."""
MAX_IDLE_TIME: Final = 60.0
"""Seconds after which an idle connection is not trusted any more: a router on the way may have forgotten it."""
MAX_LONG_CALLS: Final = 32
"""Calls at once that are awaited in threads; more wait for a thread, their replies for them."""

MAX_REPLY: Final = 32 * 1024 * 1024
"""Bytes: a query or batch of DynamoDB is 16 MB of items at most, which base64 makes a third larger."""

_FIRST_ERROR = 300


class Endpoint(NamedTuple):
    """Where a service listens."""

    secure: bool
    host: str
    port: int

    @property
    def authority(self) -> str:
        """The `Host` header."""
        return self.host if self.port == (443 if self.secure else 80) else f"{self.host}:{self.port}"


class Operation(NamedTuple):
    """What all calls of one kind have in common. `path` is percent-encoded; names of `headers` are in lower case."""

    service: str
    endpoint: Endpoint
    path: str = "/"
    method: str = "POST"
    headers: tuple[tuple[str, str], ...] = ()


class Call(NamedTuple):
    """One request to one service.

    `payload_hash` is the body's SHA-256, or `UNSIGNED`; `None` computes it. `timeout` is seconds to wait for the
    reply. `repeatable` says that carrying it out twice does no harm: it is sent once more if a kept-alive connection
    turns out to be closed.
    """

    operation: Operation
    body: bytes = b""
    payload_hash: str | None = None
    timeout: float = 2.0
    repeatable: bool = True


class Endpoints:
    """Where each service is: `AWS_ENDPOINT_URL_<SERVICE>`, `AWS_ENDPOINT_URL`, or AWS itself in that region."""

    def __init__(self, environment: Mapping[str, str], region: str) -> None:
        self._environment = environment
        self._region = region

    def __call__(self, service: str, *, host_prefix: str = "") -> Endpoint:
        """The endpoint of `secretsmanager`, …; `host_prefix` (with its dot) counts only on AWS itself."""
        if url := self.override(service):
            parts = urlsplit(url)
            secure = parts.scheme == "https"
            return Endpoint(secure, parts.hostname or "", parts.port or (443 if secure else 80))
        return Endpoint(secure=True, host=f"{host_prefix}{service}.{self._region}.amazonaws.com", port=443)

    def override(self, service: str) -> str | None:
        """The address that the environment gives in place of AWS."""
        named = "SECRETS_MANAGER" if service == "secretsmanager" else service.upper()
        read = self._environment.get
        return read(f"AWS_ENDPOINT_URL_{named}") or read("AWS_ENDPOINT_URL") or None


class AwsClient:
    """Signs, sends and reads; knows no service. Raises the errors of `errors.py`, and no others."""

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
        """`ssl_context` hands out one shared context, when it is first needed; `clock` is Unix time."""
        self.region = region
        self.endpoints = endpoints
        self.credentials = credentials
        self._ssl_context = ssl_context
        self._clock = clock
        self._connect_timeout = connect_timeout
        self._idle: dict[Endpoint, deque[Connection]] = {}

    async def call(self, call: Call) -> HttpReply:
        """The reply to one call; other calls begun in the meantime travel beside it."""
        return await self.begin(call).reply()

    def begin(self, call: Call) -> "Exchange":
        """Put a call on the wire."""
        return Exchange(self, call)

    def scope(self, service: str) -> Scope:
        """Where and when a signature made now is good."""
        return Scope(timestamp(int(self._clock())), self.region, service)

    def send(self, call: Call, *, fresh: bool = False) -> Connection:
        """Send on an idle connection, or a new one; the caller owns it until `keep`."""
        connection = None if fresh else self._idle_connection(call.operation.endpoint)
        if connection is None:
            return self._send_on(self._connect(call.operation.endpoint), call)
        try:
            return self._send_on(connection, call)
        except ConnectionLost:
            return self._send_on(self._connect(call.operation.endpoint), call)

    def keep(self, endpoint: Endpoint, connection: Connection) -> None:
        """Take back a connection whose reply was read."""
        if not connection.reusable:
            connection.close()
            return
        connection.idle_since = self._clock()
        self._idle.setdefault(endpoint, deque()).append(connection)

    @cached_property
    def threads(self) -> "ThreadPoolExecutor":
        """Threads that wait for long replies, made when first needed."""
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  (most functions never need one)

        return ThreadPoolExecutor(MAX_LONG_CALLS, thread_name_prefix="aws")

    def close(self) -> None:
        """Close the idle connections."""
        for idle in self._idle.values():
            while idle:
                idle.pop().close()

    def _idle_connection(self, endpoint: Endpoint) -> Connection | None:
        idle = self._idle.get(endpoint)
        while idle:
            connection = idle.pop()
            if self._clock() - connection.idle_since < MAX_IDLE_TIME and connection.is_quiet():
                connection.reused = True
                return connection
            connection.close()
        return None

    def _connect(self, endpoint: Endpoint) -> Connection:
        context = self._ssl_context() if endpoint.secure else None
        try:
            return open_connection(endpoint.host, endpoint.port, self._connect_timeout, context)
        except TimeoutError as error:
            raise AwsTimeout(f"{endpoint.authority} did not take the connection in time.") from error
        except OSError as error:
            raise AwsUnavailable(f"{endpoint.authority} cannot be reached.") from error

    def _send_on(self, connection: Connection, call: Call) -> Connection:
        service = call.operation.service
        try:
            connection.send(self._head(call), call.body, call.timeout)
        except TimeoutError as error:
            connection.close()
            raise AwsTimeout(f"{service} did not take the call in time.") from error
        except OSError as error:
            connection.close()
            raise ConnectionLost(f"{service} hung up.") from error
        except BadHeader as error:
            connection.close()
            raise AwsUnavailable(f"{service} cannot be asked: {error}") from error
        except BaseException:
            connection.close()
            raise
        return connection

    def _head(self, call: Call) -> bytes:
        at = timestamp(int(self._clock()))
        begin, signer = _prepared(call.operation, self.credentials(), self.region, at[:8])
        authorization = signer.authorization(at, call.payload_hash or hashlib.sha256(call.body).hexdigest())
        own = f"x-amz-date: {at}\r\nauthorization: {authorization}\r\ncontent-length: {len(call.body)}\r\n\r\n"
        return begin + own.encode()


@lru_cache(maxsize=32)
def _prepared(operation: Operation, credentials: Credentials, region: str, day: str) -> tuple[bytes, Signer]:
    """The head of HTTP that calls of this kind begin with, and who signs them; raises `BadHeader`."""
    service, endpoint, path, method, own = operation
    headers = {"host": endpoint.authority, **dict(own)}
    signer = Signer(credentials, Scope(day, region, service), method=method, path=path, headers=headers)
    if credentials.session_token:
        headers["x-amz-security-token"] = credentials.session_token
    return write_head(method, path, headers).removesuffix(b"\r\n"), signer


@coroutine
def giving_way() -> Generator[None, None, None]:
    """Lets others put their calls on the wire: `asyncio.sleep(0)`, for less."""
    yield


class Exchange:
    """A call under way: `reply`, `finish` or `abandon` it, once."""

    def __init__(self, client: AwsClient, call: Call) -> None:
        self._client = client
        self._call = call
        self._connection = client.send(call)

    async def reply(self) -> HttpReply:
        """The reply, read after everybody else had a turn to put their calls on the wire."""
        try:
            await giving_way()
        except BaseException:
            self.abandon()
            raise
        return self.finish()

    async def reply_from_thread(self) -> HttpReply:
        """The reply to a call that takes long: it is awaited in a thread, and others go on."""
        deadline = time.monotonic() + self._call.timeout
        return await asyncio.wrap_future(
            self._client.threads.submit(lambda: self.finish(seconds_until(deadline)))  # which counts the wait for it
        )

    def finish(self, timeout: float | None = None) -> HttpReply:
        """Wait for the reply, at most `timeout` seconds from now (else the call's own)."""
        timeout = self._call.timeout if timeout is None else timeout
        try:
            reply = self._receive(timeout)
        except Unanswered as error:
            raise ConnectionLost(f"{self._call.operation.service} hung up.") from error
        except TimeoutError as error:
            raise AwsTimeout(f"{self._call.operation.service} did not answer within {timeout:.3f} s.") from error
        except (OSError, MalformedReply) as error:
            raise AwsUnavailable(f"{self._call.operation.service} broke off its answer.") from error
        if reply.status >= _FIRST_ERROR:
            raise read_error(reply.status, reply.headers, reply.body)
        return reply

    def abandon(self) -> None:
        """Give up: the connection cannot be used again, its reply is still to come."""
        self._connection.close()

    def _receive(self, timeout: float) -> HttpReply:
        try:
            reply = self._connection.receive(timeout, MAX_REPLY)
        except BaseException as error:
            self._connection.close()
            if not (isinstance(error, Unanswered) and self._connection.reused and self._call.repeatable):
                raise
            self._connection = self._client.send(self._call, fresh=True)
            return self._receive(timeout)
        self._client.keep(self._call.operation.endpoint, self._connection)
        return reply
