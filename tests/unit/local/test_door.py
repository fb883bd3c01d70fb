"""The front door, in front of a program that stands for the emulator."""

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession, web
from yarl import URL

from infra.local import door
from infra.local.door import Api, open_door
from infra.local.emulator import free_port
from infra.local.limits import BODY_LIMIT, EVENT_LIMIT, HEAD_LIMIT
from infra.local.places import LOOPBACK

API = "/_aws/execute-api/a1b2c3d4/$default"
FUNCTION = "/2015-03-31/functions/api-function/invocations"
JSON = {"Content-Type": "application/json"}


async def emulated(request: web.Request) -> web.Response:
    """Stands for the emulator: its API Gateway, its Lambda, and at all other paths what nobody may reach."""
    if request.raw_path == FUNCTION:
        return invoked(await request.json())
    if not request.raw_path.startswith(f"{API}/"):
        return web.Response(text="the emulator's own", status=500)
    return await behind(request, request.raw_path.removeprefix(API))


def invoked(event: dict[str, Any]) -> web.Response:
    """A function that tells what it was asked, unless its path demands a crash."""
    if event["rawPath"] == "/crash":
        return web.json_response({"errorMessage": "KeyError: 'secret'", "errorType": "KeyError"})
    asked = event["requestContext"]["http"]["method"], event["rawPath"], event["headers"]["origin"]
    return web.json_response(
        {"statusCode": 405, "headers": {"allow": "POST"}, "body": json.dumps(asked), "isBase64Encoded": False}
    )


async def behind(request: web.Request, path: str) -> web.Response:
    """Answers what it was asked, or as its path demands."""
    body = await request.read()
    match path.partition("?")[0]:
        case "/crash":
            return web.json_response(
                {"errorMessage": "KeyError: 'secret'", "errorType": "Runtime.HandlerError"}, status=502
            )
        case "/refused-upstream":
            return web.json_response({"error": {"message": "The provider misbehaved."}}, status=502)
        case "/elsewhere":
            return web.Response(status=303, headers={"Location": "http://127.0.0.1:1/answers/1"})
        case "/slow":
            await asyncio.sleep(1)
        case "/large":
            return web.Response(body=b"a" * int(request.query["bytes"]), content_type="application/json")
    return web.json_response(
        {"method": request.method, "path": path, "headers": dict(request.headers), "bytes": len(body)},
        headers={"x-request-id": "1"},
    )


@contextlib.asynccontextmanager
async def door_to(application: web.Application, turns: int | None = None) -> AsyncIterator[ClientSession]:
    """A client at a door, behind which that application stands for the emulator."""
    emulator, entrance = free_port(), free_port()
    runner = web.AppRunner(application, shutdown_timeout=0, auto_decompress=False)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, emulator).start()
    api = Api(emulator=f"http://{LOOPBACK}:{emulator}", id="a1b2c3d4", function="api-function")
    async with open_door(entrance, api, turns), ClientSession(f"http://{LOOPBACK}:{entrance}") as session:
        yield session
    await runner.cleanup()


@pytest.fixture
async def client() -> AsyncIterator[ClientSession]:
    application = web.Application(client_max_size=1 << 30)
    application.router.add_route("*", "/{path:.*}", emulated)
    async with door_to(application) as session:
        yield session


async def say(client: ClientSession, request: bytes) -> tuple[int, bytes]:
    """Sends these bytes, whatever they are; gives status and body of the answer."""
    address = client._base_url
    assert address is not None
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(request)
    head, _, body = (await asyncio.wait_for(reader.read(), 10)).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return int(head.split()[1]), body


async def test_a_request_arrives_as_it_was_sent(client: ClientSession) -> None:
    address = URL("/v1/models/a%2Fb%20c//d?x=%20&x=2&y=%2B", encoded=True)

    async with client.post(address, data=b"[1]", headers=JSON) as reply:
        seen = await reply.json()

    assert (seen["method"], seen["path"], seen["bytes"]) == ("POST", "/v1/models/a%2Fb%20c//d?x=%20&x=2&y=%2B", 3)


async def test_a_request_carries_what_api_gateway_adds(client: ClientSession) -> None:
    async with client.get("/", headers={"X-Forwarded-For": "192.0.2.1"}) as reply:
        headers = {name.lower(): value for name, value in (await reply.json())["headers"].items()}

    assert headers["host"] == f"127.0.0.1:{headers['x-forwarded-port']}"
    assert headers["x-forwarded-for"] == "192.0.2.1, 127.0.0.1"
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-amzn-trace-id"].startswith("Root=1-")


async def test_an_answer_keeps_its_status_and_headers(client: ClientSession) -> None:
    async with client.get("/elsewhere", allow_redirects=False) as reply:
        assert (reply.status, reply.headers["Location"]) == (303, "http://127.0.0.1:1/answers/1")
    async with client.get("/") as reply:
        assert reply.headers["x-request-id"] == "1"


async def test_ten_megabytes_are_the_most_that_api_gateway_takes(client: ClientSession) -> None:
    async with client.post("/", data=io.BytesIO(b"a" * (BODY_LIMIT + 1)), headers=JSON) as reply:
        assert (reply.status, await reply.json()) == (413, {"message": "Request Entity Too Large"})


async def test_a_body_of_unknown_length_is_counted_as_it_comes(client: ClientSession) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b"a" * (1 << 20)

    async with client.post("/", data=pieces(), headers=JSON) as reply:
        assert reply.status == 413


@pytest.mark.parametrize(("letter", "count"), [(b"a", EVENT_LIMIT), (b'"', EVENT_LIMIT // 2)])
async def test_six_megabytes_of_event_are_the_most_that_lambda_takes(
    client: ClientSession, letter: bytes, count: int
) -> None:
    async with client.post("/", data=io.BytesIO(letter * count), headers=JSON) as reply:
        assert (reply.status, await reply.json()) == (413, {"message": "Request Entity Too Large"})
    async with client.post("/", data=io.BytesIO(letter * (count - 1000)), headers=JSON) as reply:
        assert (reply.status, (await reply.json())["bytes"]) == (200, count - 1000)


async def test_six_megabytes_of_answer_are_the_most_that_lambda_gives(client: ClientSession) -> None:
    async with client.get("/large", params={"bytes": EVENT_LIMIT - 1000}) as reply:
        assert (reply.status, len(await reply.read())) == (200, EVENT_LIMIT - 1000)
    async with client.get("/large", params={"bytes": EVENT_LIMIT + 1000}) as reply:
        assert (reply.status, await reply.json()) == (500, {"message": "Internal Server Error"})


async def test_a_request_ends_when_api_gateway_loses_patience(
    client: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "PATIENCE", 0.1)

    async with client.get("/slow") as reply:
        assert (reply.status, await reply.json()) == (503, {"message": "Service Unavailable"})


async def test_nobody_learns_why_a_function_crashed(client: ClientSession) -> None:
    async with client.get("/crash") as reply:
        assert (reply.status, await reply.json()) == (500, {"message": "Internal Server Error"})


async def test_a_bad_gateway_of_the_functions_own_making_passes(client: ClientSession) -> None:
    async with client.get("/refused-upstream") as reply:
        assert (reply.status, json.loads(await reply.read())["error"]["message"]) == (502, "The provider misbehaved.")


class Function:
    """A function that answers when told to, and counts how many it answers at the same time."""

    def __init__(self) -> None:
        self.running = self.most = 0
        self.asked = asyncio.Semaphore(0)
        self.told = asyncio.Event()

    async def answer(self, request: web.Request) -> web.Response:
        self.running += 1
        self.most = max(self.most, self.running)
        self.asked.release()
        await self.told.wait()
        await asyncio.sleep(0)
        self.running -= 1
        return web.json_response({})

    @property
    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self.answer)
        return application


async def status_of(client: ClientSession) -> int:
    async with client.get("/") as reply:
        await reply.read()
        return reply.status


async def test_a_burst_waits_for_its_turn_and_is_answered() -> None:
    function = Function()
    async with door_to(function.application, turns=2) as client:
        burst = [asyncio.create_task(status_of(client)) for _ in range(50)]
        await function.asked.acquire()
        await function.asked.acquire()
        function.told.set()

        statuses = await asyncio.gather(*burst)

    assert (set(statuses), function.most) == ({200}, 2)


async def test_who_waited_too_long_for_a_turn_is_told_to_come_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "TURN_PATIENCE", 0.1)
    function = Function()
    async with door_to(function.application, turns=1) as client:
        first = asyncio.create_task(status_of(client))
        await function.asked.acquire()

        second = await status_of(client)
        function.told.set()

        assert (second, await first) == (429, 200)


async def test_a_turn_ends_with_a_request_that_took_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "PATIENCE", 0.1)
    function = Function()
    async with door_to(function.application, turns=1) as client:
        first = await status_of(client)
        function.told.set()

        assert (first, await status_of(client)) == (503, 200)


async def test_a_compressed_body_arrives_as_it_was_sent(client: ClientSession) -> None:
    headers = {**JSON, "Content-Encoding": "gzip"}

    async with client.post("/", data=b"this is not gzip", headers=headers) as reply:
        seen = await reply.json()

    assert (reply.status, seen["bytes"], seen["headers"]["Content-Encoding"]) == (200, 16, "gzip")


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("http://example.com/v1/models?a=%2F", "/v1/models?a=%2F"),
        ("HTTP://example.com?a=b", "/?a=b"),
        ("/a:b://c", "/a:b://c"),
    ],
)
async def test_a_client_may_take_the_door_for_a_proxy(client: ClientSession, target: str, path: str) -> None:
    status, body = await say(client, f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())

    assert (status, json.loads(body)["path"]) == (200, path)


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
        b"BREW /v1/models HTTP/1.1\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"CONNECT example.com:443 HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nno header\r\n\r\n",
        b"GET / HTTP/1.1\r\nConnection: close\r\nx: \xff\r\n\r\n",
        b"GET /" + b"a" * HEAD_LIMIT + b" HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nnumber\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    ],
)
async def test_what_is_no_http_is_refused_without_a_word_in_the_terminal(
    client: ClientSession, request_: bytes, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    status, body = await say(client, request_)

    assert (status, json.loads(body)) == (400, {"message": "Bad Request"})
    assert (caplog.text, capfd.readouterr()) == ("", ("", ""))


UNFINISHED = {
    "in the headers": b"POST /v1 HTTP/1.1\r\nHost: a\r\nContent-Le",
    "in the body": b"POST /v1 HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc",
    "in a chunk": b"POST /v1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    "when told to go on": b"POST /v1 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
    "while the function works": b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n",
    "while the answer is sent": b"GET /large?bytes=6000000 HTTP/1.1\r\nHost: a\r\n\r\n",
}


@pytest.mark.parametrize("abruptly", [False, True])
@pytest.mark.parametrize("sent", UNFINISHED.values(), ids=list(UNFINISHED))
async def test_a_client_that_hangs_up_leaves_no_word_in_the_terminal_and_the_next_is_served(
    client: ClientSession, caplog: pytest.LogCaptureFixture, sent: bytes, *, abruptly: bool
) -> None:
    address = client._base_url
    assert address is not None
    for wait in (0.0, 0.05):
        _, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(sent)
        await writer.drain()
        await asyncio.sleep(wait)
        writer.transport.abort() if abruptly else writer.close()

    async with client.get("/slow") as reply:  # takes longer than what was hung up on
        assert reply.status == 200
    assert caplog.messages == []


async def test_ten_kilobytes_of_headers_are_the_most_that_api_gateway_takes(client: ClientSession) -> None:
    headers = {f"x-{number}": "a" * (HEAD_LIMIT // 3) for number in range(3)}

    async with client.get("/", headers=headers) as reply:
        assert (reply.status, await reply.json()) == (431, {"message": "Request Header Fields Too Large"})


@pytest.mark.parametrize("path", ["/health", "/_ministack/reset", "/_aws/x", "/%2e%2e/%2e%2e/health", "//health"])
async def test_no_path_leads_to_the_emulators_own_services(client: ClientSession, path: str) -> None:
    status, body = await say(
        client, f"GET {path} HTTP/1.1\r\nHost: bucket.s3.localhost\r\nConnection: close\r\n\r\n".encode()
    )
    seen = json.loads(body)

    assert (status, seen["path"], seen["headers"]["Host"].split(":")[0]) == (200, path, "127.0.0.1")


async def test_a_client_that_asks_first_is_told_to_go_on(client: ClientSession) -> None:
    async with client.post("/", data=b"[1]", headers=JSON, expect100=True) as reply:
        assert (await reply.json())["bytes"] == 3


async def test_the_function_is_asked_about_options(client: ClientSession) -> None:
    async with client.options("/v1/a%20b", headers={"Origin": "https://example.com"}) as reply:
        assert (reply.status, reply.headers["allow"]) == (405, "POST")
        assert json.loads(await reply.read()) == ["OPTIONS", "/v1/a b", "https://example.com"]


async def test_nobody_learns_why_a_function_crashed_over_options(client: ClientSession) -> None:
    async with client.options("/crash") as reply:
        assert (reply.status, await reply.json()) == (500, {"message": "Internal Server Error"})
