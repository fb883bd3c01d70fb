"""The front door, in front of a program that stands for the emulator."""

import asyncio
import io
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, web
from yarl import URL

from infra.local import door
from infra.local.door import open_door
from infra.local.emulator import free_port
from infra.local.limits import BODY_LIMIT, EVENT_LIMIT
from infra.local.places import LOOPBACK

API_HOST = "a1b2c3d4.execute-api.localhost:4566"
JSON = {"Content-Type": "application/json"}


async def behind(request: web.Request) -> web.Response:
    """Answers what it was asked, or as its path demands."""
    body = await request.read()
    match request.path:
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
        {"method": request.method, "path": request.raw_path, "headers": dict(request.headers), "bytes": len(body)},
        headers={"x-request-id": "1"},
    )


@pytest.fixture
async def client() -> AsyncIterator[ClientSession]:
    emulator, entrance = free_port(), free_port()
    application = web.Application(client_max_size=1 << 30)
    application.router.add_route("*", "/{path:.*}", behind)
    runner = web.AppRunner(application, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, emulator).start()
    async with (
        open_door(entrance, f"http://{LOOPBACK}:{emulator}", API_HOST),
        ClientSession(f"http://{LOOPBACK}:{entrance}") as session,
    ):
        yield session
    await runner.cleanup()


async def test_a_request_arrives_as_it_was_sent(client: ClientSession) -> None:
    address = URL("/v1/models/a%2Fb%20c//d?x=%20&x=2&y=%2B", encoded=True)

    async with client.post(address, data=b"[1]", headers=JSON) as reply:
        seen = await reply.json()

    assert (seen["method"], seen["path"], seen["bytes"]) == ("POST", "/v1/models/a%2Fb%20c//d?x=%20&x=2&y=%2B", 3)


async def test_a_request_carries_what_api_gateway_adds(client: ClientSession) -> None:
    async with client.get("/", headers={"X-Forwarded-For": "192.0.2.1"}) as reply:
        headers = {name.lower(): value for name, value in (await reply.json())["headers"].items()}

    assert headers["host"] == API_HOST
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
