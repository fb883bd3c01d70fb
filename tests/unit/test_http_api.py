"""Events of API Gateway to an ASGI app and back."""

import asyncio
import base64
from types import SimpleNamespace
from typing import Any

import pytest
from mangum.types import Receive, Scope, Send

from gateway.http_api import HttpApi

CONTEXT: Any = SimpleNamespace(aws_request_id="c6af9ac6-7b61-11e6-9a41-93e8deadbeef")


def make_event(**changes: Any) -> dict[str, Any]:
    http = {"method": "POST", "path": "/a b", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "test"}
    return {
        "version": "2.0",
        "rawPath": "/a%20b",
        "rawQueryString": "key=one&key=two",
        "headers": {"host": "api.example", "x-forwarded-proto": "https", "x-many": "one,two"},
        "requestContext": {"http": http, "requestId": "r", "stage": "$default"},
        "body": "text",
        "isBase64Encoded": False,
        **changes,
    }


class App:
    """Answers what it was asked; `waits` is what it does before."""

    def __init__(self, waits: Any = None, body: bytes = b'{"some":"json"}', kind: bytes = b"application/json") -> None:
        self._waits = waits
        self._body = body
        self._kind = kind
        self.scope: Scope = {}
        self.asked = b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.asked = (await receive())["body"]
        if self._waits:
            await self._waits()
        await send({"type": "http.response.start", "status": 201, "headers": [(b"content-type", self._kind)]})
        await send({"type": "http.response.body", "body": self._body})


async def with_threads() -> None:
    await asyncio.sleep(0)
    done = await asyncio.gather(*(asyncio.to_thread(pow, 2, power) for power in range(5)))
    assert done == [1, 2, 4, 8, 16]


@pytest.fixture(autouse=True)
def event_loop_of_the_function() -> Any:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.mark.parametrize("waits", [None, with_threads])
def test_a_request_reaches_the_app_and_its_answer_the_caller(waits: Any) -> None:
    app = App(waits)

    answer = HttpApi(app)(make_event(), CONTEXT)

    assert (app.scope["method"], app.scope["path"], app.scope["query_string"]) == ("POST", "/a b", b"key=one&key=two")
    assert [b"x-many", b"one,two"] in app.scope["headers"]
    assert app.scope["aws.context"] is CONTEXT
    assert app.asked == b"text"
    assert (answer["statusCode"], answer["body"], answer["isBase64Encoded"]) == (201, '{"some":"json"}', False)
    assert answer["headers"] == {"content-type": "application/json"}


def test_requests_follow_each_other_whatever_they_waited_for() -> None:
    asked = [HttpApi(App(waits))(make_event(), CONTEXT) for waits in (with_threads, None, with_threads, None)]

    assert [answer["statusCode"] for answer in asked] == [201] * 4


def test_bytes_travel_in_base64_both_ways() -> None:
    app = App(body=b"\xff\x00", kind=b"application/octet-stream")

    answer = HttpApi(app)(make_event(body=base64.b64encode(b"\x00\xfe").decode(), isBase64Encoded=True), CONTEXT)

    assert app.asked == b"\x00\xfe"
    assert (base64.b64decode(answer["body"]), answer["isBase64Encoded"]) == (b"\xff\x00", True)


@pytest.mark.parametrize("late", [False, True])
def test_an_app_that_fails_is_a_500(late: bool) -> None:  # noqa: FBT001
    async def fail() -> None:
        if late:
            await asyncio.sleep(0)
        raise ZeroDivisionError

    answer = HttpApi(App(fail))(make_event(), CONTEXT)

    assert (answer["statusCode"], answer["body"]) == (500, "Internal Server Error")
