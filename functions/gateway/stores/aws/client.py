"""Signed calls to AWS over connections that are kept alive.

A Lambda function serves one request at a time, so a blocking socket holds nobody up; but two calls of one request
must overlap. So `begin` puts a call on the wire, and its `Exchange` reads the reply later:
`asyncio.gather(reserve(), get())` has both under way before either is read, without a thread.
"""

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ssl import SSLContext
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from gateway.http1 import BadHeader, HttpReply, MalformedReply, Unanswered
from gateway.stores.aws.connection import Connection, Endpoint, open_connection
from gateway.stores.aws.errors import AwsTimeout, AwsUnavailable, ConnectionLost, read_error
from gateway.stores.aws.signing import Credentials, Query, Scope, encode_query, sign, timestamp

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

CONNECT_TIMEOUT: Final = 0.5
"""Seconds to connect, name look-up aside; the handshake of TLS may take as long again."""
MOST_IDLE: Final = 60.0
"""Seconds after which an idle connection is not trusted any more: a router on the way may have forgotten it."""
MOST_LONG_CALLS: Final = 32
"""Calls at once that are awaited in threads; more wait for a thread, their replies for them."""

_FIRST_ERROR = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to one service.

    `path` is percent-encoded. `payload_hash` is the body's SHA-256, or `UNSIGNED`; `None` computes it.
    `timeout` is seconds to wait for the reply. `repeatable` says that carrying it out twice does no harm: it is sent
    once more if a kept-alive connection turns out to be closed.
    """

    service: str
    endpoint: Endpoint
    path: str = "/"
    method: str = "POST"
    query: Query = ()
    headers: Mapping[str, str] = field(default_factory=dict)
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
        return Scope(timestamp(self._clock()), self.region, service)

    def send(self, call: Call, *, fresh: bool = False) -> Connection:
        """Send on an idle connection, or a new one; the caller owns it until `keep`."""
        connection = None if fresh else self._idle_connection(call.endpoint)
        if connection is None:
            return self._send_on(self._connect(call.endpoint), call)
        try:
            return self._send_on(connection, call)
        except ConnectionLost:
            return self._send_on(self._connect(call.endpoint), call)

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

        return ThreadPoolExecutor(MOST_LONG_CALLS, thread_name_prefix="aws")

    def close(self) -> None:
        """Close the idle connections."""
        for idle in self._idle.values():
            while idle:
                idle.pop().close()

    def _idle_connection(self, endpoint: Endpoint) -> Connection | None:
        idle = self._idle.get(endpoint)
        while idle:
            connection = idle.pop()
            if self._clock() - connection.idle_since < MOST_IDLE and connection.is_quiet():
                connection.reused = True
                return connection
            connection.close()
        return None

    def _connect(self, endpoint: Endpoint) -> Connection:
        context = self._ssl_context() if endpoint.secure else None
        try:
            return open_connection(endpoint, context, self._connect_timeout)
        except TimeoutError as error:
            raise AwsTimeout(f"{endpoint.authority} did not take the connection in time.") from error
        except OSError as error:
            raise AwsUnavailable(f"{endpoint.authority} cannot be reached.") from error

    def _send_on(self, connection: Connection, call: Call) -> Connection:
        target = f"{call.path}?{encode_query(call.query)}" if call.query else call.path
        try:
            connection.send(call.method, target, self._signed(call), call.body, call.timeout)
        except TimeoutError as error:
            connection.close()
            raise AwsTimeout(f"{call.service} did not take the call in time.") from error
        except OSError as error:
            connection.close()
            raise ConnectionLost(f"{call.service} hung up.") from error
        except BadHeader as error:
            connection.close()
            raise AwsUnavailable(f"{call.service} cannot be asked: {error}") from error
        except BaseException:
            connection.close()
            raise
        return connection

    def _signed(self, call: Call) -> dict[str, str]:
        return sign(
            self.credentials(),
            self.scope(call.service),
            method=call.method,
            path=call.path,
            query=call.query,
            headers={"host": call.endpoint.authority, **call.headers},
            payload_hash=call.payload_hash or hashlib.sha256(call.body).hexdigest(),
        )


class Exchange:
    """A call under way: `reply`, `finish` or `abandon` it, once."""

    def __init__(self, client: AwsClient, call: Call) -> None:
        self._client = client
        self._call = call
        self._given_up = False
        self._connection = client.send(call)

    async def reply(self) -> HttpReply:
        """The reply, read after everybody else had a turn to put their calls on the wire."""
        try:
            await asyncio.sleep(0)
        except BaseException:
            self.abandon()
            raise
        return self.finish()

    async def reply_from_thread(self) -> HttpReply:
        """The reply to a call that takes long: it is awaited in a thread, and others go on."""
        waiting = self._client.threads.submit(self.finish)
        try:
            return await asyncio.wrap_future(waiting)
        except asyncio.CancelledError:
            self._given_up = True
            if waiting.cancel():
                self._connection.close()  # the thread had not yet begun, and will not
            elif not waiting.done():
                self._connection.interrupt()
            raise

    def finish(self, timeout: float | None = None) -> HttpReply:
        """Wait for the reply, at most `timeout` seconds from now (else the call's own)."""
        timeout = self._call.timeout if timeout is None else timeout
        try:
            reply = self._receive(timeout)
        except Unanswered as error:
            raise ConnectionLost(f"{self._call.service} hung up.") from error
        except TimeoutError as error:
            raise AwsTimeout(f"{self._call.service} did not answer within {timeout:.3f} s.") from error
        except (OSError, MalformedReply) as error:
            raise AwsUnavailable(f"{self._call.service} broke off its answer.") from error
        if reply.status >= _FIRST_ERROR:
            raise read_error(reply.status, reply.headers, reply.body)
        return reply

    def abandon(self) -> None:
        """Give up: the connection cannot be used again, its reply is still to come."""
        self._connection.close()

    def _receive(self, timeout: float) -> HttpReply:
        try:
            return self._receive_here(timeout)
        except Unanswered:
            if not (self._connection.reused and self._call.repeatable) or self._given_up:
                raise
        self._connection = self._client.send(self._call, fresh=True)
        return self._receive_here(timeout)

    def _receive_here(self, timeout: float) -> HttpReply:
        try:
            reply = self._connection.receive(timeout)
        except BaseException:
            self._connection.close()
            raise
        self._client.keep(self._call.endpoint, self._connection)
        return reply
