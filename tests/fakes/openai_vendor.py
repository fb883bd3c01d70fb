"""A fake OpenAI: a real HTTP server on loopback, trusted because OpenAI's own SDK can talk to it (see
tests/contract/test_openai_vendor.py). Cheap enough to stand behind benchmarks.

Vectors depend on nothing but the input and the length asked for, have length one, and shorten as OpenAI's do: the
first n components, renormalised, are the shorter vector. `vector` tells a test what to expect.

Run: `python -m tests.fakes.openai_vendor --port 0`; it prints its base URL. Keys: `Authorization: Bearer` or
`api-key`. Paths: `/v1/embeddings` and `/openai/deployments/{model}/embeddings`. Beside them, without a key:
`GET /_seen` (requests, inputs, connections, bodies' models and encodings), `POST /_reset`.

Faults: by the model's name, or, for models that work, by the header `x-fault`. See `FAULTS` and `Fault`.
"""

import hashlib
import json
import random
import re
import struct
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import pybase64

from tests.fakes import vendor_server
from tests.fakes.vendor_server import Answer, running

__all__ = ["KEY", "Vendor", "count_tokens", "running", "vector"]

KEY = "sk-fake-vendor-0123456789abcdef"
DIMENSIONS = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536}
FIXED = frozenset({"text-embedding-ada-002"})
"""Models without a `dimensions` parameter."""
OTHERS = 1536
"""Dimensions of a model that is only a fault's name."""
MAX_INPUTS, MAX_TOKENS, MAX_REQUEST_TOKENS = 2048, 8192, 300_000

_GROUPS = 12
"""Bytes of an input's digest that decide signs: 8 components each. Their 384 bytes of float32 are 512 of base64."""

Input = str | list[int]


def vector(item: Input | Sequence[int], dimensions: int) -> list[float]:
    """What the vendor answers for an input, as float32 values."""
    return list(struct.unpack(f"<{dimensions}f", _vector_bytes(item, dimensions)))


def count_tokens(item: Input | Sequence[int]) -> int:
    """Token ids count themselves; of a text, about four bytes make a token."""
    return max(1, len(item.encode()) // 4) if isinstance(item, str) else len(item)


@dataclass(frozen=True)
class Rendering:
    """One length of vector, prepared: a digest picks the signs of the first 96 components, the rest is always equal."""

    heads: tuple[tuple[bytes, ...], ...]
    tail: bytes
    heads_text: tuple[tuple[str, ...], ...]
    tail_text: str
    tail_base64: str

    def base64(self, digest: bytes) -> str:
        head = b"".join(map(tuple.__getitem__, self.heads, digest))
        return pybase64.b64encode_as_string(head) + self.tail_base64

    def numbers(self, digest: bytes) -> str:
        return "[" + ",".join(map(tuple.__getitem__, self.heads_text, digest)) + self.tail_text + "]"


@cache
def rendering(dimensions: int) -> Rendering:
    """Takes some milliseconds, once per length."""
    base = _base(dimensions)
    head, rest = base[: 8 * _GROUPS], base[8 * _GROUPS :]
    groups = [head[start : start + 8] for start in range(0, len(head), 8)]
    signed = [[_signed(group, byte) for byte in range(256)] for group in groups]
    tail = _floats(rest)
    return Rendering(
        heads=tuple(tuple(map(_floats, choices)) for choices in signed),
        tail=tail,
        heads_text=tuple(tuple(",".join(map(_text, values)) for values in choices) for choices in signed),
        tail_text="".join("," + _text(value) for value in rest),
        tail_base64=pybase64.b64encode_as_string(tail),
    )


def _base(dimensions: int) -> list[float]:
    numbers = random.Random(20)
    values = [numbers.gauss(0, 1) for _ in range(dimensions)]
    length = sum(value * value for value in values) ** 0.5
    return list(struct.unpack(f"<{dimensions}f", _floats([value / length for value in values])))


def _floats(values: Sequence[float]) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def _signed(values: Sequence[float], byte: int) -> list[float]:
    return [-value if byte >> bit & 1 else value for bit, value in enumerate(values)]


def _text(value: float) -> str:
    """Nine digits tell every float32 from its neighbours, so both encodings are the same vector."""
    return f"{value:.9g}"


def _digest(item: Input | Sequence[int]) -> bytes:
    data = item.encode() if isinstance(item, str) else b"tokens" + struct.pack(f"<{len(item)}q", *item)
    return hashlib.blake2b(data, digest_size=_GROUPS).digest()


def _vector_bytes(item: Input | Sequence[int], dimensions: int) -> bytes:
    prepared = rendering(dimensions)
    return b"".join(map(tuple.__getitem__, prepared.heads, _digest(item))) + prepared.tail


@dataclass
class Refusal(Exception):
    """An error of the vendor's, in its own words."""

    status: int
    message: str
    type: str = "invalid_request_error"
    param: str | None = None
    code: str | None = None

    def answer(self) -> Answer:
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return Answer(self.status, _json({"error": error}))


@dataclass
class Question:
    """A request for embeddings that was found right."""

    model: str
    inputs: list[Input]
    base64: bool
    dimensions: int

    @property
    def tokens(self) -> int:
        return sum(map(count_tokens, self.inputs))

    def items(self) -> list[str]:
        """The JSON of each vector, in order."""
        return [self.item(index, item) for index, item in enumerate(self.inputs)]

    def item(self, index: int, item: Input, *, base64: bool | None = None, dimensions: int | None = None) -> str:
        prepared, digest = rendering(dimensions or self.dimensions), _digest(item)
        as_text = self.base64 if base64 is None else base64
        shown = f'"{prepared.base64(digest)}"' if as_text else prepared.numbers(digest)
        return _item(index, shown)

    def answer(self, items: Sequence[str], usage: str | None = None) -> Answer:
        counted = f'{{"prompt_tokens":{self.tokens},"total_tokens":{self.tokens}}}' if usage is None else usage
        body = f'{{"object":"list","data":[{",".join(items)}],"model":{json.dumps(self.model)},"usage":{counted}}}'
        return Answer(200, body.encode())


def _item(index: int, shown: str) -> str:
    return f'{{"object":"embedding","index":{index},"embedding":{shown}}}'


Fault = Callable[[Question], Answer]


def _shuffled_index(question: Question) -> Answer:
    items = question.items()
    random.Random(len(items)).shuffle(items)
    return question.answer(items)


def _nan(question: Question) -> Answer:
    bad = struct.pack("<f", float("nan")) * question.dimensions
    return question.answer([_item(0, f'"{pybase64.b64encode_as_string(bad)}"'), *question.items()[1:]])


def _mixed(question: Question) -> Answer:
    return question.answer([question.item(at, item, base64=at % 2 == 0) for at, item in enumerate(question.inputs)])


def _short_vector(question: Question) -> Answer:
    short = question.item(0, question.inputs[0], dimensions=question.dimensions - 8)
    return question.answer([short, *question.items()[1:]])


def _over_context(_question: Question) -> Answer:
    raise _too_long(51435)


def _page(status: int) -> Fault:
    page = b"<html><body><h1>Something happened</h1></body></html>"
    return lambda _: Answer(status, page, {"content-type": "text/html"})


def _text_usage(usage: str) -> Fault:
    return lambda question: question.answer(question.items(), usage)


def _sent(**changes: Any) -> Fault:  # fields of Answer
    def fault(question: Question) -> Answer:
        answer = question.answer(question.items())
        return Answer(answer.status, answer.body, **changes)

    return fault


FAULTS: Mapping[str, Fault] = {
    "shuffled-index": _shuffled_index,
    "duplicate-index": lambda q: q.answer([q.item(0, item) for item in q.inputs]),
    "index-out-of-range": lambda q: q.answer([q.item(at + 1, item) for at, item in enumerate(q.inputs)]),
    "wrong-count": lambda q: q.answer(q.items()[:-1]),
    "short-vector": _short_vector,
    "nan": _nan,
    "floats-only": lambda q: q.answer([q.item(at, item, base64=False) for at, item in enumerate(q.inputs)]),
    "mixed": _mixed,
    "no-usage": _text_usage("null"),
    "total-only": lambda q: q.answer(q.items(), f'{{"total_tokens":{q.tokens}}}'),
    "over-context": _over_context,
    "html": _page(200),
    "html-502": _page(502),
    "empty": lambda _: Answer(200, b""),
    "not-json": lambda _: Answer(200, b"ok"),
    "redirect": lambda _: Answer(307, b"", {"location": "/v1/elsewhere"}),
    "hang-up": _sent(cut=0),
    "cut-short": _sent(cut=300),
    "chunked": _sent(chunked=True),
    "close-after": _sent(headers={"connection": "close"}),
}
"""Faults of one name each. Besides: `fail-<status>`, `fail-429-retry-after-<seconds>`, `fail-429-quota`,
`fail-once-<status>` (every second request works), `slow-<seconds>s`."""

_FAIL = re.compile(r"fail-(?P<once>once-)?(?P<status>\d{3})(?:-(?P<quota>quota)|-retry-after-(?P<wait>[\d.]+))?")
_SLOW = re.compile(r"slow-(?P<seconds>[\d.]+)s")

_WORDS = {
    401: ("Incorrect API key provided: sk-fake*************cdef.", "invalid_request_error", "invalid_api_key"),
    403: ("Country, region, or territory not supported", "request_forbidden", "unsupported_country_region_territory"),
    404: (
        "The model `gone` does not exist or you do not have access to it.",
        "invalid_request_error",
        "model_not_found",
    ),
    429: ("Rate limit reached for requests", "requests", "rate_limit_exceeded"),
    503: ("The engine is currently overloaded, please try again later", "server_error", None),
}
_QUOTA = ("You exceeded your current quota, please check your plan and billing details.", "insufficient_quota")


class Vendor:
    """Answers, without sockets."""

    PATH = "/v1"
    HEADERS: Mapping[str, str] = {
        "openai-organization": "fake",
        "openai-processing-ms": "1",
        "openai-version": "2020-10-01",
        "x-request-id": "req_fake",
        "x-ratelimit-limit-requests": "10000",
        "x-ratelimit-remaining-requests": "9999",
        "x-ratelimit-reset-requests": "6ms",
    }

    def __init__(self, key: str = KEY) -> None:
        self._key = key
        self._failed_once: set[str] = set()
        self.seen: Counter[str] = Counter()
        self.reset()

    def reset(self) -> None:
        self.seen.clear()
        self.seen.update(requests=0, inputs=0, connections=0)
        self._failed_once.clear()

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        path = urlsplit(target).path
        try:
            if path.startswith("/_"):
                return self._about_itself(method, path)
            self.seen["requests"] += 1
            self._authenticate(headers)
            return self._embed(_path_model(method, path), headers, body)
        except Refusal as refusal:
            return refusal.answer()

    def _about_itself(self, method: str, path: str) -> Answer:
        if (method, path) == ("POST", "/_reset"):
            self.reset()
        elif (method, path) != ("GET", "/_seen"):
            raise Refusal(404, "Nothing is here.")
        return Answer(200, _json(dict(self.seen)))

    def _authenticate(self, headers: Mapping[str, str]) -> None:
        given = headers.get("api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        if not given:
            raise Refusal(401, "You didn't provide an API key.")
        if given != self._key:
            message = f"Incorrect API key provided: {given[:8]}***."
            raise Refusal(401, message, "invalid_request_error", None, "invalid_api_key")

    def _embed(self, path_model: str | None, headers: Mapping[str, str], body: bytes) -> Answer:
        asked = _read_json(body)
        model = path_model or asked.get("model")
        fault = _fault(headers.get("x-fault") or "") or _fault(str(model))
        question = _question(str(model), asked, strict=fault is None)
        self.seen["inputs"] += len(question.inputs)
        self.seen[f"model {model}"] += 1
        self.seen["base64" if question.base64 else "float"] += 1
        if fault is None:
            return question.answer(question.items())
        return self._with_fault(fault, question)

    def _with_fault(self, fault: "Fault | re.Match[str]", question: Question) -> Answer:
        if not isinstance(fault, re.Match):
            return fault(question)
        told = fault.groupdict()
        usual = question.answer(question.items())
        if "seconds" in told:
            usual.delay = float(told["seconds"])
            return usual
        if told["once"] and fault[0] in self._failed_once:
            self._failed_once.discard(fault[0])
            return usual
        self._failed_once.add(fault[0])
        return _failure(int(told["status"]), wait=told["wait"], quota=bool(told["quota"]))


def _fault(name: str) -> "Fault | re.Match[str] | None":
    return FAULTS.get(name) or _FAIL.fullmatch(name) or _SLOW.fullmatch(name)


def _failure(status: int, *, wait: str | None, quota: bool) -> Answer:
    if quota:
        return Refusal(status, _QUOTA[0], _QUOTA[1], None, _QUOTA[1]).answer()
    message, kind, code = _WORDS.get(status, (f"This is a {status}.", "server_error", None))
    answer = Refusal(status, message, kind, None, code).answer()
    if wait:
        answer.headers |= {"retry-after": wait}
    return answer


def _path_model(method: str, path: str) -> str | None:
    """The deployment a path names, if any."""
    if method != "POST":
        raise Refusal(405, f"Not allowed to {method} on {path}.")
    if path == "/v1/embeddings":
        return None
    found = re.fullmatch(r"/openai/deployments/([^/]+)/embeddings", path)
    if not found:
        raise Refusal(404, f"Invalid URL ({method} {path})")
    return unquote(found[1])


def _read_json(body: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(body)
    except ValueError:
        raise Refusal(400, "We could not parse the JSON body of your request.") from None
    if not isinstance(asked, dict):
        raise Refusal(400, "We expected an object.")
    return asked


def _question(model: str, asked: Mapping[str, Any], *, strict: bool) -> Question:
    if strict and model not in DIMENSIONS:
        message = f"The model `{model}` does not exist or you do not have access to it."
        raise Refusal(404, message, "invalid_request_error", None, "model_not_found")
    unknown = asked.keys() - {"model", "input", "encoding_format", "dimensions", "user"}
    if unknown:
        raise Refusal(400, f"Unrecognized request argument supplied: {', '.join(sorted(unknown))}")
    inputs = _inputs(asked.get("input"))
    _check_tokens(inputs)
    encoding = asked.get("encoding_format", "float")
    if encoding not in {"float", "base64"}:
        raise Refusal(400, f"Invalid value: '{encoding}'.", param="encoding_format", code="invalid_value")
    return Question(model, inputs, encoding == "base64", _dimensions(model, asked.get("dimensions")))


def _inputs(told: Any) -> list[Input]:  # whatever JSON there is
    inputs = [told] if isinstance(told, str) or _are_tokens(told) else told
    right = isinstance(inputs, list) and inputs and all(isinstance(item, str) or _are_tokens(item) for item in inputs)
    if not right or "" in inputs or len({type(item) for item in inputs}) > 1:
        raise Refusal(400, "'$.input' is invalid. Please check the API reference.")
    if len(inputs) > MAX_INPUTS:
        raise Refusal(400, f"'$.input' is invalid: array too long, at most {MAX_INPUTS} items.")
    return cast("list[Input]", inputs)


def _are_tokens(told: Any) -> bool:  # whatever JSON there is
    return isinstance(told, list) and bool(told) and all(type(token) is int for token in told)


def _check_tokens(inputs: Sequence[Input]) -> None:
    counts = list(map(count_tokens, inputs))
    if max(counts) > MAX_TOKENS:
        raise _too_long(max(counts))
    if sum(counts) > MAX_REQUEST_TOKENS:
        message = f"Requested {sum(counts)} tokens, max {MAX_REQUEST_TOKENS} tokens per request"
        raise Refusal(400, message, "max_tokens_per_request", None, "max_tokens_per_request")


def _too_long(tokens: int) -> Refusal:
    return Refusal(
        400,
        f"This model's maximum context length is {MAX_TOKENS} tokens, however you requested {tokens} tokens "
        f"({tokens} in your prompt; 0 for the completion). Please reduce your prompt; or completion length.",
    )


def _dimensions(model: str, told: Any) -> int:  # whatever JSON there is
    most = DIMENSIONS.get(model, OTHERS)
    if told is None:
        return most
    if model in FIXED:
        raise Refusal(400, "This model does not support specifying dimensions.")
    if type(told) is not int or not 1 <= told <= most:
        raise Refusal(400, f"Invalid value for 'dimensions' = {told}. Must be less than or equal to {most}.")
    return told


def _json(document: object) -> bytes:
    return json.dumps(document).encode()


def main() -> None:
    vendor_server.main(Vendor, KEY, __doc__ or "")


if __name__ == "__main__":
    main()
