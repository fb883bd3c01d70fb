"""Bodies of up to 5 MiB that ask for as much work as they can: a few bytes, repeated until the body is full.

They are made by expansion, so that a test can draw one and a benchmark can send them all.
"""

import resource
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from time import process_time
from typing import NamedTuple

FULL = 5 * 1024 * 1024 - 4096
"""Bytes: just below what the gateway reads at all."""

PATHS = {
    "openai": "/v1/embeddings",
    "azure-openai": "/openai/v1/embeddings",
    "azure": "/embeddings",
    "ctyun": "/ctyun/v1/embeddings",
    "gemini": "/v1beta/models/echo:embedContent",
    "gemini, a batch": "/v1beta/models/echo:batchEmbedContents",
}
"""Where bodies are sent, by dialect."""

UNITS: Mapping[str, bytes] = {
    "ints": b"1",
    "larger ints": b"100000",
    "negative ints": b"-1",
    "fractions": b"1.5",
    "exponents": b"1e9",
    "nulls": b"null",
    "truths": b"true",
    "empty texts": b'""',
    "texts": b'"a"',
    "escapes": b'"\\u00e9"',
    "surrogate pairs": b'"\\ud83d\\ude00"',
    "foreign words": '"ж ж ж ж"'.encode(),
    "words": b'"a b c d e f"',
    "empty objects": b"{}",
    "empty arrays": b"[]",
    "token ids": b"[1]",
    "objects": b'{"a":1}',
    "equal names": b'{"a":1,"a":1,"a":1,"a":1}',
    "wide objects": b"{" + b",".join(b'"%d":1' % number for number in range(5_000)) + b"}",
    "deep objects": b'{"a":' * 150 + b"1" + b"}" * 150,
    "deep arrays": b"[" * 150 + b"]" * 150,
    "too deep arrays": b"[" * 5_000 + b"]" * 5_000,
    "contents": b'{"content":{"parts":[{"text":"a"}]}}',
    "contents without parts": b'{"content":{}}',
    "contents of wrong parts": b'{"content":{"parts":[1]}}',
    "unknown names": b'{"colour":1}',
    "parts": b'{"text":"a"}',
    "wrong parts": b'{"inlineData":{}}',
    "numbers of 4,000 digits": b"9" * 4_000,
    "numbers of 100,000 digits": b"9" * 100_000,
    "texts of 100,000 letters": b'"' + b"a" * 100_000 + b'"',
    "texts of 100,000 words": b'"' + b"a " * 50_000 + b'"',
}
"""Elements of an array."""

PLACES: Mapping[str, tuple[bytes, bytes]] = {
    "input": (b'{"model":"echo","input":[', b"]}"),
    "input of one text, then": (b'{"model":"echo","input":["a",', b"]}"),
    "input of token ids, then": (b'{"model":"echo","input":[[1,', b"]]}"),
    "requests": (b'{"requests":[', b"]}"),
    "requests, the last wrong": (b'{"requests":[', b",1]}"),
    "parts": (b'{"content":{"parts":[', b"]}}"),
    "parts of a request": (b'{"requests":[{"content":{"parts":[', b"]}}]}"),
    "an unknown parameter": (b'{"model":"echo","input":"a","colour":[', b"]}"),
    "the model": (b'{"input":"a","model":[', b"]}"),
    "the whole body": (b"[", b"]"),
}
"""Where the array stands."""


def array(place: str, unit: str) -> bytes:
    """A body full of that element at that place."""
    before, after = PLACES[place]
    element = UNITS[unit]
    return before + b",".join([element] * ((FULL - len(before)) // (len(element) + 1))) + after


def names(before: bytes, after: bytes) -> bytes:
    """A body of half a million names that all differ."""
    count = (FULL - len(before) - len(after)) // 11
    return before + b",".join(b'"%06x":1' % number for number in range(count)) + after


def text(before: bytes, letter: bytes, after: bytes) -> bytes:
    """A body that is full of one text."""
    return before + letter * ((FULL - len(before)) // len(letter)) + after


def variants() -> bytes:
    """A batch in which every request asks for a vector of its own kind."""
    each = b'{"content":{"parts":[{"text":"a"}]},"taskType":"RETRIEVAL_DOCUMENT","title":"%d"}'
    count = FULL // 100
    return b'{"requests":[' + b",".join(each % number for number in range(count)) + b"]}"


WHOLE: Mapping[str, Callable[[], bytes]] = {
    "half a million parameters": lambda: names(b"{", b"}"),
    "half a million parameters of a request": lambda: names(b'{"requests":[{', b"}]}"),
    "half a million names in a part": lambda: names(b'{"content":{"parts":[{', b"}]}}"),
    "half a million extra parameters": lambda: names(b'{"model":"echo","input":"a",', b"}"),
    "one text": lambda: text(b'{"model":"echo","input":"', b"x", b'"}'),
    "one text of words": lambda: text(b'{"model":"echo","input":"', b"a ", b'"}'),
    "one text of signs": lambda: text(b'{"model":"echo","input":"', b"#", b'"}'),
    "one text of braces": lambda: text(b'{"model":"echo","input":"', b"{[", b'"}'),
    "one text of escaped quotes": lambda: text(b'{"model":"echo","input":"', b'\\"', b'"}'),
    "one foreign text": lambda: text(b'{"model":"echo","input":"', "ж".encode(), b'"}'),
    "one content": lambda: text(b'{"content":{"parts":[{"text":"', b"a ", b'"}]}}'),
    "a title": lambda: text(
        b'{"title":"', b"x", b'","content":{"parts":[{"text":"a"}]},"taskType":"RETRIEVAL_DOCUMENT"}'
    ),
    "a user": lambda: text(b'{"model":"echo","input":"a","user":"', b"x", b'"}'),
    "a model": lambda: text(b'{"input":"a","model":"', b"x", b'"}'),
    "dimensions": lambda: text(b'{"model":"echo","input":"a","dimensions":', b"9", b"}"),
    "an unknown name": lambda: text(b'{"model":"echo","input":"a","', b"x", b'":1}'),
    "blanks": lambda: text(b'{"model":"echo","input":"a"', b" ", b"}"),
    "quotes": lambda: text(b"", b'"', b""),
    "backslashes in a text": lambda: text(b'["', b"\\", b""),
    "opening brackets": lambda: text(b"", b"[", b""),
    "opening braces": lambda: text(b"", b'{"a":', b""),
    "a number": lambda: text(b"", b"9", b""),
    "zero bytes": lambda: text(b"", b"\x00", b""),
    "bytes that are no UTF-8": lambda: text(b'{"input":"', b"\xff", b'"}'),
    "a batch of variants": variants,
}
"""Bodies that are no array."""


class Cost(NamedTuple):
    """What one request took: seconds of CPU, megabytes above what was there before, and its HTTP status."""

    seconds: float
    megabytes: float
    status: int


@dataclass(frozen=True, slots=True)
class Request:
    """A body, and the path it is sent to."""

    path: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


def cost_of(send: Callable[[Request], int], request: Request) -> Cost:
    """The cost of `send`, which answers the status, in a process of its own: memory is given back to none."""
    context = get_context("fork")
    reader, writer = context.Pipe(duplex=False)
    child = context.Process(target=_measure, args=(send, request, writer))
    child.start()
    writer.close()
    cost: Cost = reader.recv()
    child.join()
    return cost


def _measure(send: Callable[[Request], int], request: Request, writer: Connection) -> None:
    before, began = _resident(), process_time()
    status = send(request)
    seconds = process_time() - began
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    writer.send(Cost(seconds=seconds, megabytes=(most - before) / 1e6, status=status))


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize()
