"""A relay between one client and the stack: it changes nothing, and remembers what passed.

So a test can say how often a client asked, which encoding it wanted, and which headers came back, without
touching the client.
"""

import http.client
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

# Headers that concern one connection, not the exchange (RFC 9110, section 7.6.1), and the two this server writes.
OWN_HEADERS = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "date", "server"}

# The emulator starts a process for each request under way, and two cores cannot start many at once.
_under_way = threading.Semaphore(4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request as the client wrote it, and how it was answered."""

    method: str
    path: str
    body: bytes
    status: int
    headers: Mapping[str, str]
    """Of the answer; names in lower case."""

    @property
    def json(self) -> Any:
        """The request's body, read as JSON."""
        return json.loads(self.body)


class Relay:
    """A door for one client, on a free port of loopback, leading to `upstream` (`http://host:port`)."""

    def __init__(self, upstream: str) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.upstream = urlsplit(upstream).netloc
        self._server.exchanges = []
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.origin = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self) -> tuple[Exchange, ...]:
        """What passed since this was last asked."""
        taken, self._server.exchanges = tuple(self._server.exchanges), []
        return taken


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    upstream: str
    exchanges: list[Exchange]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer waits for the client's delayed acknowledgement
    server: _Server

    def _relay(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with _under_way:
            status, headers, answer = self._ask_upstream(body)
        self.server.exchanges.append(
            Exchange(
                method=self.command,
                path=self.path,
                body=body,
                status=status,
                headers={name.lower(): value for name, value in headers},
            )
        )
        self._answer(status, headers, answer)

    do_GET = do_POST = do_OPTIONS = _relay  # noqa: N815 - the names http.server looks for

    def _ask_upstream(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(self.server.upstream, timeout=60)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in OWN_HEADERS:
                    connection.putheader(name, value)
            connection.endheaders(body)
            reply = connection.getresponse()
            return reply.status, reply.getheaders(), reply.read()
        finally:
            connection.close()

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in OWN_HEADERS | {"content-length"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing: what passed is kept, not printed."""
