"""AWS as a test wants it: a server on loopback whose every answer a function of the test makes."""

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from gateway.aws.client import AwsClient, Endpoints
from gateway.aws.credentials import FunctionCredentials

REGION = "eu-central-1"
ROOT_IDENTITY = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


def make_aws(address: str, **changes: Any) -> AwsClient:
    """A client whose environment leads every service to that address."""
    environment = {**ROOT_IDENTITY, "AWS_ENDPOINT_URL": address}
    usual: dict[str, Any] = {
        "region": REGION,
        "endpoints": Endpoints(environment, REGION),
        "credentials": FunctionCredentials(environment, time.time),
        "ssl_context": ssl.create_default_context,
        "clock": time.time,
    }
    return AwsClient(**{**usual, **changes})


@dataclass(frozen=True, slots=True)
class Request:
    """What arrived; `connection` numbers the connections, header names are lower-case."""

    connection: int
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def operation(self) -> str:
        """`GetItem`, for example."""
        return self.headers["x-amz-target"].rpartition(".")[2]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Answer = Callable[[Request], bytes | None]
"""The whole reply as it goes over the wire; `None` hangs up instead."""


def reply(body: object = None, status: int = 200, **headers: str) -> bytes:
    """A reply with a length; what is not bytes becomes JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = "\r\n".join([f"HTTP/1.1 {status} Some Words", *lines, f"Content-Length: {len(content)}", "", ""])
    return head.encode() + content


def failure(code: str, status: int = 400, **fields: object) -> bytes:
    """An error in DynamoDB's words."""
    return reply({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": f"said {code}", **fields}, status)


class ScriptedAws:
    """Serves until the context ends; `requests` are all that arrived."""

    def __init__(self, answer: Answer, tls: ssl.SSLContext | None = None) -> None:
        self._answer = answer
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self._clients: list[AwsClient] = []
        self.requests: list[Request] = []

    @property
    def address(self) -> str:
        scheme = "https" if self._tls else "http"
        return f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()
        for client in self._clients:
            client.close()

    def client(self, **changes: Any) -> AwsClient:
        """A client that is led here; it is closed with the server."""
        self._clients.append(make_aws(self.address, **changes))
        return self._clients[-1]

    def hang_up(self) -> None:
        """End every connection, as AWS does with those that were idle for long."""
        for connection in self._connections:
            with contextlib.suppress(OSError):  # the other side may be quicker
                connection.shutdown(socket.SHUT_RDWR)
        self._connections.clear()

    def _accept(self) -> None:
        number = 0
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()
            number += 1

    def _serve(self, connection: socket.socket, number: int) -> None:
        try:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as incoming:
                while request := _read_request(incoming, number):
                    self.requests.append(request)
                    answer = self._answer(request)
                    if answer is None:
                        return
                    connection.sendall(answer)
        except OSError:
            return


_WORDS_OF_A_REQUEST_LINE = 3


def _read_request(incoming: Any, number: int) -> Request | None:  # a file of bytes
    first = incoming.readline().decode("latin-1").split()
    if len(first) != _WORDS_OF_A_REQUEST_LINE:
        return None
    headers = {}
    while line := incoming.readline().decode("latin-1").strip():
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    return Request(number, first[0], first[1], headers, incoming.read(int(headers.get("content-length", 0))))
