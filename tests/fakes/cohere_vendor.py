"""A fake Cohere, version 2: a real HTTP server on loopback, trusted because Cohere's own SDK can talk to it (see
tests/contract/test_cohere_vendor.py). Its vectors are those of the fake OpenAI, and its tokens are counted as there.

Run: `python -m tests.fakes.cohere_vendor --port 0`; it prints its base URL. The key goes into `Authorization: Bearer`.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.fakes import vendor_server
from tests.fakes.openai_vendor import count_tokens, vector
from tests.fakes.vendor_server import Answer, running

__all__ = ["KEY", "Vendor", "running"]

KEY = "co-fake-vendor-0123456789abcdef"
DIMENSIONS = {
    "embed-v5.0-pro": (2048, 256, 512, 768, 1024, 1536),
    "embed-v5.0-fast": (2048, 256, 512, 768, 1024, 1536),
    "embed-v4.0": (1536, 256, 512, 1024),
    "embed-v-4-0": (1536, 256, 512, 1024),  # its name in Azure Foundry
    "embed-english-v3.0": (1024,),
    "embed-multilingual-v3.0": (1024,),
    "embed-english-light-v3.0": (384,),
    "embed-multilingual-light-v3.0": (384,),
}
"""The default, and other lengths that may be asked for."""
MAX_TEXTS, MAX_TOKENS = 96, 512
INPUT_TYPES = frozenset({"search_query", "search_document", "classification", "clustering"})
TRUNCATIONS = frozenset({"NONE", "START", "END"})
FIELDS = frozenset({"model", "texts", "input_type", "embedding_types", "truncate", "output_dimension", "priority"})


@dataclass
class Refusal(Exception):
    """An error of the vendor's, in its own words."""

    status: int
    message: str

    def answer(self) -> Answer:
        headers = {"retry-after": "2"} if self.status == 429 else {}
        return Answer(self.status, _json({"id": "3f2a", "message": self.message}), headers)


FAULTS = {
    "fail-402": Refusal(402, "Please add or update your payment method."),
    "fail-429": Refusal(429, "You are using a Trial key, which is limited to 2000 inputs / minute."),
    "fail-500": Refusal(500, "internal server error"),
}
"""By the model's name."""


class Vendor:
    """Answers, without sockets."""

    PATH = ""
    HEADERS: Mapping[str, str] = {"x-debug-trace-id": "fake", "x-endpoint-monthly-call-limit": "1000"}

    def __init__(self, key: str = KEY) -> None:
        self._key = key
        self.seen: Counter[str] = Counter(requests=0, connections=0)

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        self.seen["requests"] += 1
        try:
            self._admit(f"{method} {target}", headers)
            return _embed(_read_json(body))
        except Refusal as refusal:
            return refusal.answer()

    def _admit(self, path: str, headers: Mapping[str, str]) -> None:
        in_foundry = path == "POST /providers/cohere/v2/embed"
        if path != "POST /v2/embed" and not in_foundry:
            raise Refusal(404, "page not found")
        given = headers.get("api-key") if in_foundry else headers.get("authorization", "").removeprefix("Bearer ")
        if given != self._key:
            raise Refusal(401, "invalid api token")


def _embed(asked: Mapping[str, Any]) -> Answer:
    model = str(asked.get("model"))
    if model in FAULTS:
        raise FAULTS[model]
    if model not in DIMENSIONS:
        raise Refusal(404, f"model '{model}' not found, make sure the correct model ID was used")
    _check_words(asked)
    texts = _texts(asked.get("texts"), cut=asked.get("truncate", "END") != "NONE")
    size = _size(model, asked.get("output_dimension"))
    document = {
        "id": "7a1c",
        "embeddings": {"float": [vector(text, size) for text in texts]},
        "texts": texts,
        "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": sum(map(count_tokens, texts))}},
        "response_type": "embeddings_by_type",
    }
    return Answer(200, _json(document))


def _check_words(asked: Mapping[str, Any]) -> None:
    unknown = sorted(asked.keys() - FIELDS)
    if unknown:
        raise Refusal(400, f"invalid request: unknown field {unknown[0]!r}")
    if asked.get("input_type") not in INPUT_TYPES:
        raise Refusal(400, "invalid request: valid input_type must be provided with the provided model")
    if asked.get("embedding_types") != ["float"]:
        raise Refusal(400, "embedding_types parameter is required")
    if asked.get("truncate", "END") not in TRUNCATIONS:
        raise Refusal(400, "invalid request: truncate must be one of NONE, START, END")


def _texts(found: Any, *, cut: bool) -> Sequence[str]:  # whatever JSON there is
    if not isinstance(found, list) or not found or not all(isinstance(text, str) for text in found):
        raise Refusal(400, "invalid request: texts must be a list of strings")
    if len(found) > MAX_TEXTS:
        raise Refusal(
            400, f"invalid request: total number of texts must be at most {MAX_TEXTS} - received {len(found)}"
        )
    if "" in found:
        raise Refusal(
            400, f"invalid request: inputs contains an element that is the empty string at index {found.index('')}"
        )
    return [_fitting(text, cut=cut) for text in found]


def _fitting(text: str, *, cut: bool) -> str:
    tokens = count_tokens(text)
    if tokens <= MAX_TOKENS:
        return text
    if not cut:
        raise Refusal(
            400, f"too many tokens: total number of tokens in the input cannot exceed {MAX_TOKENS} - received {tokens}."
        )
    return text[: 4 * MAX_TOKENS]


def _size(model: str, asked: Any) -> int:  # whatever JSON there is
    default, *others = DIMENSIONS[model]
    if asked in (None, default):
        return default
    if asked not in others:
        raise Refusal(400, f"invalid request: output_dimension must be one of {sorted([default, *others])}")
    return int(asked)


def _read_json(body: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(body)
    except ValueError:
        raise Refusal(400, "invalid json syntax") from None
    if not isinstance(asked, dict):
        raise Refusal(400, "invalid type: body must be an object")
    return asked


def _json(document: object) -> bytes:
    return json.dumps(document).encode()


def main() -> None:
    vendor_server.main(Vendor, KEY, __doc__ or "")


if __name__ == "__main__":
    main()
