"""A vendor that speaks OpenAI and answers at once: `python -m benchmarks.fake_vendor PORT`.

Its vectors are the same for every text; each answer is made once and then sent from memory.
"""

import sys
from functools import cache

import msgspec
import numpy
import orjson
import pybase64

from benchmarks.http_fake import Asked, Reply, serve

DIMENSIONS = 1536
TOKENS = 8
"""Counted per input."""


class Body(msgspec.Struct):
    """The part of a request that decides the answer's form."""

    input: str | list[msgspec.Raw]
    encoding_format: str = "float"


def answer(asked: Asked) -> Reply:
    """Vectors for every input of the request; nothing else is to be had here."""
    if asked.path != "/v1/embeddings":
        return Reply(status=404, body=b'{"error":{"message":"Not found.","type":"invalid_request_error"}}')
    body = msgspec.json.decode(asked.body, type=Body)
    inputs = 1 if isinstance(body.input, str) else len(body.input)
    return Reply(body=reply_body(inputs, body.encoding_format))


@cache
def reply_body(inputs: int, encoding: str) -> bytes:
    """The JSON of an answer to that many inputs."""
    data = [
        {"object": "embedding", "index": index, "embedding": base64(index) if encoding == "base64" else vector(index)}
        for index in range(inputs)
    ]
    usage = {"prompt_tokens": TOKENS * inputs, "total_tokens": TOKENS * inputs}
    return orjson.dumps(
        {"object": "list", "data": data, "model": "text-embedding-3-small", "usage": usage},
        option=orjson.OPT_SERIALIZE_NUMPY,
    )


def base64(index: int) -> str:
    """The vector as a client asks for it by default."""
    return pybase64.b64encode_as_string(vector(index).tobytes())


def vector(index: int) -> "numpy.ndarray[tuple[int], numpy.dtype[numpy.float32]]":
    """A vector of length one, shape `(DIMENSIONS,)`: its digits are as long as a real one's."""
    components = numpy.random.default_rng(index).standard_normal(DIMENSIONS)
    return (components / numpy.linalg.norm(components)).astype("<f4")


if __name__ == "__main__":
    serve(answer, int(sys.argv[1]))
