"""The front door of the local stack: a proxy that does to requests and answers what AWS would do.

The emulator runs API Gateway and Lambda, but with no limits of size and time, and shows clients why a function crashed.
"""

import asyncio
import base64
import contextlib
import io
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Self

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web
from multidict import CIMultiDict
from yarl import URL

from infra.local.incoming import OF_ONE_CONNECTION, Refused, Request, read_request
from infra.local.limits import ANSWER_LIMIT, HEAD_LIMIT, PATIENCE, answer_size
from infra.local.places import LOOPBACK
from infra.local.sam import invoke

TURN_PATIENCE = 20.0
"""Seconds a request waits for its turn; then the answer is 429, as from a stage that is asked too often."""

_CLIENT_ADDS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
_CRASH = {"errorMessage", "errorType"}
# In AWS' words rather than in those of one Python or another.
_AWS_SAYS = {HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Request Entity Too Large"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The deployed API, as the emulator knows it."""

    emulator: str
    """The emulator's address."""
    id: str
    function: str
    """The name of the function behind `$default`."""

    @property
    def address(self) -> str:
        """The URL of the API; the emulator's own services are not below it."""
        return f"{self.emulator}/_aws/execute-api/{self.id}/$default"


@contextlib.asynccontextmanager
async def open_door(port: int, api: Api, turns: int | None = None) -> AsyncIterator[None]:
    """Accepts requests at a loopback port while the context lasts.

    turns: how many are answered at the same time while others wait; if not given, what suits this machine.
    """
    async with _client() as client:
        door = Door(client, api, port, asyncio.Semaphore(turns or fitting_turns()))
        # Compressed bodies are passed on as they are; the function reads them.
        server = _Server(
            door.answer, access_log=None, auto_decompress=False, max_line_size=HEAD_LIMIT, max_field_size=HEAD_LIMIT
        )
        runner = web.ServerRunner(server, shutdown_timeout=0.2)  # seconds for requests under way
        await runner.setup()
        try:
            await web.TCPSite(runner, LOOPBACK, port).start()
            yield
        finally:
            await runner.cleanup()


def fitting_turns() -> int:
    """The emulator starts a process and copies the function for each request in flight: more turns make none faster."""
    return min(16, 2 * max(2, os.cpu_count() or 1))


def _client() -> ClientSession:
    return ClientSession(
        auto_decompress=False,
        connector=TCPConnector(limit=0),
        cookie_jar=DummyCookieJar(),
        skip_auto_headers=_CLIENT_ADDS,
        timeout=ClientTimeout(total=None),
    )


class _Connection(web.RequestHandler):
    def handle_error(
        self,
        request: web.BaseRequest,  # noqa: ARG002  # aiohttp gives it
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002  # likewise
    ) -> web.StreamResponse:
        """Refuses what is not HTTP; only faults of the door itself are printed in the terminal."""
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self.log_exception("The front door failed", exc_info=exc)
        refusal = _refuse(HTTPStatus(status))
        refusal.force_close()
        return refusal


class _Server(web.Server):
    def __call__(self) -> _Connection:
        return _Connection(self, loop=self._loop, **self._kwargs)


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of the function, or of the emulator if the function gave none."""

    status: int
    headers: CIMultiDict[str]
    body: bytes

    @classmethod
    def returned(cls, document: Any) -> Self:  # JSON
        """The answer that API Gateway makes of the document that a function returned."""
        if set(document) >= _CRASH:
            raise Refused(HTTPStatus.INTERNAL_SERVER_ERROR)
        body = document["body"]
        return cls(
            document["statusCode"],
            CIMultiDict(document["headers"]),
            base64.b64decode(body) if document["isBase64Encoded"] else body.encode(),
        )

    @property
    def is_crash(self) -> bool:
        """Whether the function raised or ran out of time; the emulator's answer then holds the details."""
        if self.status != HTTPStatus.BAD_GATEWAY:
            return False
        try:
            return set(json.loads(self.body)) >= _CRASH
        except (ValueError, TypeError):
            return False

    @property
    def is_too_large(self) -> bool:
        """Whether it exceeds Lambda's limit."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        return len(self.body) > ANSWER_LIMIT // 2 and answer_size(self.status, headers, self.body) > ANSWER_LIMIT


@dataclass(frozen=True, slots=True)
class Door:
    """Answers one request as API Gateway would."""

    client: ClientSession
    api: Api
    port: int
    turns: asyncio.Semaphore

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """Passes the request on, unless AWS would refuse it."""
        try:
            answer = await self._hand_on(await read_request(request, self.port))
        except Refused as refused:
            return _refuse(refused.status)
        except ClientError:
            return _refuse(HTTPStatus.INTERNAL_SERVER_ERROR)
        if answer.is_crash or answer.is_too_large:
            return _refuse(HTTPStatus.INTERNAL_SERVER_ERROR)
        return web.Response(status=answer.status, headers=_own_headers(answer.headers), body=answer.body)

    async def _hand_on(self, request: Request) -> Answer:
        # The emulator answers every OPTIONS request as CORS; our API passes them to the function.
        ask = self._ask_function if request.method == "OPTIONS" else self._ask_api
        try:
            async with asyncio.timeout(PATIENCE), self._turn():
                return await ask(request)
        except TimeoutError as error:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE) from error

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(TURN_PATIENCE):
                await self.turns.acquire()
        except TimeoutError as error:
            raise Refused(HTTPStatus.TOO_MANY_REQUESTS) from error
        try:
            yield
        finally:
            self.turns.release()

    async def _ask_api(self, request: Request) -> Answer:
        # encoded=True: the client's percent-encoding is kept.
        address = URL(f"{self.api.address}{request.target}", encoded=True)
        # The door's host name: at others the emulator has other services.
        headers = {**request.headers, "host": f"{LOOPBACK}:{self.port}"}
        body = io.BytesIO(request.body) if request.body else None
        async with self.client.request(
            request.method, address, headers=headers, data=body, allow_redirects=False
        ) as reply:
            return Answer(reply.status, CIMultiDict(reply.headers), await reply.read())

    async def _ask_function(self, request: Request) -> Answer:
        return Answer.returned(await invoke(self.api.emulator, self.api.function, request.event))


def _own_headers(headers: CIMultiDict[str]) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in OF_ONE_CONNECTION)


def _refuse(status: HTTPStatus) -> web.Response:
    return web.json_response({"message": _AWS_SAYS.get(status, status.phrase)}, status=status)
