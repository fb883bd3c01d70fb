"""Fakes of vendors that have an API of their own: one server, a function for each.

A fake refuses what its vendor would: another key, an unknown field, too many texts, a text that is too long. It is
trusted where the vendor's own SDK takes it for the real one: tests/contract/test_vendor_sdks.py, tests/vendors.
Vectors are those of the fake OpenAI, and tokens are counted as there.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import pybase64

from tests.fakes import aws_signature
from tests.fakes.openai_vendor import count_tokens, vector
from tests.fakes.vendor_server import Answer, running

__all__ = ["SPOKEN", "Asked", "Refusal", "Vendor", "running"]

KEY = "fake-vendor-0123456789abcdef"
MAX_TOKENS = 512


@dataclass
class Refusal(Exception):
    """An error of the vendor's, in its own words."""

    status: int
    document: object
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """A request that came with the right key."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]


Speech = Callable[[Asked], Any]
"""The document of a 200, or an `Answer`; raises `Refusal`."""


class Vendor:
    """Answers, without sockets. With the header `x-fault: 429` it refuses with that status, and so on."""

    PATH = ""
    HEADERS: Mapping[str, str] = {}

    def __init__(self, spoken: "str | Spoken", key: str = KEY) -> None:
        """`spoken` is one of the kinds below, or how another vendor is spoken to."""
        self._spoken = SPOKEN[spoken] if isinstance(spoken, str) else spoken
        self._key = key
        self.seen: Counter[str] = Counter()
        self.asked: list[Asked] = []

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        self.seen["requests"] += 1
        try:
            if not self._spoken.admits(method, target, headers, body, self._key):
                raise self._spoken.refuse(401, "The key is not right.")
            asked = Asked(unquote(target), headers, json.loads(body))
            self.asked.append(asked)
            self._fail(asked)
            if method != "POST" or self._spoken.path not in asked.path:
                raise self._spoken.refuse(404, f"There is no {method} {target}.")
            found = self._spoken.speech(asked)
        except Refusal as refusal:
            return Answer(refusal.status, json.dumps(refusal.document).encode(), refusal.headers)
        return found if isinstance(found, Answer) else Answer(200, json.dumps(found).encode())

    def _fail(self, asked: Asked) -> None:
        if fault := asked.headers.get("x-fault"):
            raise self._spoken.refuse(int(fault), f"This is a {fault}.")


@dataclass(frozen=True)
class Spoken:
    """How a vendor is spoken to: the function that answers, a part of the path, the key's place, the error's shape."""

    speech: Speech
    path: str
    refuse: Callable[[int, str], Refusal]
    key_header: str = "authorization"
    key_scheme: str = "Bearer "
    signed: bool = False
    """Whether a call is signed for AWS, with the key as its secret, instead."""

    def admits(self, method: str, target: str, headers: Mapping[str, str], body: bytes, key: str) -> bool:
        if self.signed:
            return aws_signature.is_right(method, target, headers, body, secret=key, service="bedrock")
        return headers.get(self.key_header) == f"{self.key_scheme}{key}"


def _google_error(status: int, message: str) -> Refusal:
    words = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3s"}] if status == 429 else []
    error = {"code": status, "message": message, "status": words.get(status, "INTERNAL"), "details": details}
    return Refusal(status, {"error": error})


def _flat_error(status: int, message: str) -> Refusal:
    return Refusal(status, {"message": message, "code": f"C{status}", "request_id": "r1"})


def _ollama_error(status: int, message: str) -> Refusal:
    return Refusal(status, {"error": message})


def _tei_error(status: int, message: str) -> Refusal:
    kind = {413: "Validation", 422: "Validation", 429: "Overloaded", 424: "Backend"}.get(status, "Unhealthy")
    return Refusal(status, {"error": message, "error_type": kind})


def _openai_error(status: int, message: str) -> Refusal:
    return Refusal(status, {"error": {"message": message, "type": "invalid_request", "code": status}})


def check_fields(
    asked: Mapping[str, Any], known: str, refuse: Callable[[int, str], Refusal], status: int = 400
) -> None:
    """Refuse a field that the vendor does not have, and the absence of one that is marked by `!`."""
    names = known.split()
    unknown = asked.keys() - {name.rstrip("!") for name in names}
    missing = {name[:-1] for name in names if name.endswith("!")} - asked.keys()
    if unknown or missing:
        raise refuse(status, f"Unknown fields {sorted(unknown)}, missing fields {sorted(missing)}.")


def _speak_gemini(asked: Asked) -> Any:
    check_fields(asked.body, "requests!", _google_error)
    requests = asked.body["requests"]
    if len(requests) > 100:
        raise _google_error(400, "* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch\n")
    tokens = sum(count_tokens(_gemini_text(request)) for request in requests)
    vectors = [_cut_only(_gemini_text(request), 3072, request.get("outputDimensionality")) for request in requests]
    return {"embeddings": [{"values": found} for found in vectors], "usageMetadata": {"promptTokenCount": tokens}}


def _gemini_text(request: Mapping[str, Any]) -> str:
    check_fields(request, "model! content! taskType title outputDimensionality", _google_error)
    if request.get("title") and request.get("taskType") not in {None, "RETRIEVAL_DOCUMENT"}:
        raise _google_error(400, "Title is only valid with RETRIEVAL_DOCUMENT.")
    return "".join(part["text"] for part in request["content"]["parts"])


def _cut_only(text: str, native: int, size: int | None) -> Sequence[float]:
    """The beginning of a vector, whose length is then not one."""
    return vector(text, native)[:size]


def _speak_vertex(asked: Asked) -> Any:
    model, verb = asked.path.rsplit("/", 1)[-1].split(":")
    if (verb == "predict") == ("gemini" in model):
        raise _google_error(400, f"{model} does not know {verb}.")
    if verb == "predict":
        return _predict(asked.body)
    alone = verb == "embedContent"
    if not alone:
        check_fields(asked.body, "requests!", _google_error)
    found = [_vertex_vector(each) for each in ([asked.body] if alone else asked.body["requests"])]
    values = [{"values": numbers} for numbers, _ in found]
    usage = {"usageMetadata": {"promptTokenCount": sum(tokens for _, tokens in found)}}
    return {"embedding": values[0], **usage} if alone else {"embeddings": values, **usage}


def _vertex_vector(request: Mapping[str, Any]) -> tuple[Sequence[float], int]:
    check_fields(request, "content! embedContentConfig", _google_error)
    config = request.get("embedContentConfig", {})
    check_fields(config, "taskType title outputDimensionality autoTruncate", _google_error)
    text = "".join(part["text"] for part in request["content"]["parts"])
    _check_length(text, cut=config.get("autoTruncate", True))
    return _cut_only(text, 3072, config.get("outputDimensionality")), count_tokens(text)


def _predict(body: Mapping[str, Any]) -> Any:
    check_fields(body, "instances! parameters", _google_error)
    parameters = body.get("parameters", {})
    check_fields(parameters, "outputDimensionality autoTruncate", _google_error)
    predictions = []
    for instance in body["instances"]:
        check_fields(instance, "content! task_type title", _google_error)
        text = instance["content"]
        _check_length(text, cut=parameters.get("autoTruncate", True))
        statistics = {"token_count": count_tokens(text), "truncated": False}
        values = vector(text, parameters.get("outputDimensionality", 768))
        predictions.append({"embeddings": {"values": values, "statistics": statistics}})
    return {"predictions": predictions}


def _check_length(text: str, *, cut: bool) -> None:
    if not cut and (tokens := count_tokens(text)) > MAX_TOKENS:
        message = f"The input token count is {tokens} but the model supports up to {MAX_TOKENS}."
        raise _google_error(400, message)


def _speak_ollama(asked: Asked) -> Any:
    check_fields(asked.body, "model! input! truncate dimensions options keep_alive", _ollama_error)
    texts = [asked.body["input"]] if isinstance(asked.body["input"], str) else asked.body["input"]
    if not asked.body.get("truncate", True) and max(map(count_tokens, texts)) > MAX_TOKENS:
        raise _ollama_error(400, "the input length exceeds the context length")
    vectors = [vector(text, asked.body.get("dimensions") or 8) for text in texts]
    return {
        "model": asked.body["model"],
        "embeddings": vectors,
        "total_duration": 1,
        "load_duration": 1,
        "prompt_eval_count": sum(map(count_tokens, texts)),
    }


def _speak_tei(asked: Asked) -> Any:
    check_fields(asked.body, "inputs! truncate truncation_direction prompt_name normalize dimensions", _tei_error, 422)
    inputs = [asked.body["inputs"]] if isinstance(asked.body["inputs"], str) else asked.body["inputs"]
    if len(inputs) > 32:
        raise _tei_error(422, f"batch size {len(inputs)} > maximum allowed batch size 32")
    if asked.body.get("prompt_name") not in {None, "query", "passage"}:
        raise _tei_error(422, f"default prompt {asked.body['prompt_name']!r} is not found")
    longest = max(map(count_tokens, inputs))
    if not asked.body.get("truncate", True) and longest > MAX_TOKENS:
        raise _tei_error(413, f"`inputs` must have less than {MAX_TOKENS} tokens. Given: {longest}")
    vectors = [vector(item, asked.body.get("dimensions") or 8) for item in inputs]
    scale = 1 if asked.body.get("normalize", True) else 3
    body = json.dumps([[scale * number for number in found] for found in vectors]).encode()
    return Answer(200, body, {"x-compute-tokens": str(sum(map(count_tokens, inputs)))})


def _speak_dashscope(asked: Asked) -> Any:
    check_fields(asked.body, "model! input! parameters", _flat_error)
    check_fields(asked.body["input"], "texts!", _flat_error)
    parameters, texts = asked.body.get("parameters", {}), asked.body["input"]["texts"]
    check_fields(parameters, "text_type dimension output_type instruct", _flat_error)
    if len(texts) > 10:
        raise _flat_error(400, "Value error, batch size is invalid, it should not be larger than 10.: input.contents")
    if parameters.get("text_type", "document") not in {"query", "document"}:
        raise _flat_error(400, "text_type must be query or document")
    if max(map(count_tokens, texts)) > MAX_TOKENS:
        raise _flat_error(400, f"Range of input length should be [1, {MAX_TOKENS}]")
    size = parameters.get("dimension", 1024)
    items = [{"embedding": vector(text, size), "text_index": at} for at, text in enumerate(texts)]
    usage = {"total_tokens": sum(map(count_tokens, texts))}
    return {"output": {"embeddings": items[::-1]}, "usage": usage, "request_id": "r1"}


def _speak_perplexity(asked: Asked) -> Any:
    check_fields(asked.body, "model! input! encoding_format dimensions", _openai_error)
    if asked.body.get("encoding_format", "base64_int8") not in {"base64_int8", "base64_binary"}:
        raise _openai_error(400, "encoding_format must be base64_int8 or base64_binary")
    native = 2560 if asked.body["model"].endswith("-4b") else 1024
    size, texts = asked.body.get("dimensions", native), asked.body["input"]
    items = [
        {"object": "embedding", "index": at, "embedding": to_signed(vector(text, size))}
        for at, text in enumerate(texts)
    ]
    tokens = sum(map(count_tokens, texts))
    usage = {"prompt_tokens": tokens, "total_tokens": tokens, "cost": {"total_cost": 0.0, "currency": "USD"}}
    return {"object": "list", "data": items, "model": asked.body["model"], "usage": usage}


def to_signed(numbers: Sequence[float]) -> str:
    """A vector in signed bytes, the largest of them 127."""
    most = max(map(abs, numbers))
    return pybase64.b64encode_as_string(bytes(round(127 * number / most) & 0xFF for number in numbers))


def _speak_snowflake(asked: Asked) -> Any:
    check_fields(asked.body, "model! text!", _flat_error)
    texts = asked.body["text"]
    items = [{"object": "embedding", "index": at, "embedding": [vector(text, 1024)]} for at, text in enumerate(texts)]
    usage = {"total_tokens": sum(map(count_tokens, texts))}
    return {"object": "list", "data": items, "model": asked.body["model"], "usage": usage}


def _bedrock_error(status: int, message: str) -> Refusal:
    kinds = {400: "ValidationException", 401: "AccessDeniedException", 404: "ResourceNotFoundException"}
    kind = kinds.get(status, "ThrottlingException" if status == 429 else "InternalServerException")
    return Refusal(403 if status == 401 else status, {"message": message}, {"x-amzn-errortype": kind})


def _speak_bedrock(asked: Asked) -> Any:
    for family, speak in BEDROCK.items():
        if family in asked.path:
            return speak(asked)
    raise _bedrock_error(400, "The provided model identifier is invalid.")


def _speak_titan(asked: Asked) -> Any:
    check_fields(asked.body, "inputText! dimensions normalize embeddingTypes", _bedrock_error)
    text, tokens = asked.body["inputText"], count_tokens(asked.body["inputText"])
    if tokens > MAX_TOKENS:
        raise _bedrock_error(
            400,
            "400 Bad Request: Too many input tokens. "
            f"Max input tokens: {MAX_TOKENS}, request input token count: {tokens} ",
        )
    found = vector(text, asked.body.get("dimensions", 1024))
    return {"embedding": found, "embeddingsByType": {"float": found}, "inputTextTokenCount": tokens}


def _speak_bedrock_cohere(asked: Asked) -> Any:
    latest = "embed-v4" in asked.path
    fields = "texts! input_type! truncate embedding_types" + (" output_dimension max_tokens" if latest else "")
    check_fields(asked.body, fields, _bedrock_error)
    texts, cut = asked.body["texts"], asked.body.get("truncate", "NONE")
    if cut not in ({"NONE", "LEFT", "RIGHT"} if latest else {"NONE", "START", "END"}):
        raise _bedrock_error(400, f"Malformed input request: #/truncate: {cut} is not a valid enum value")
    if len(texts) > 96:
        raise _bedrock_error(400, "Malformed input request: #/texts: expected maximum item count: 96, found: 97")
    if cut == "NONE" and max(map(len, texts)) > 2048:
        raise _bedrock_error(400, "Malformed input request: #/texts/0: expected maxLength: 2048, actual: 10000")
    found: Any = [vector(text, asked.body.get("output_dimension") or (1536 if latest else 1024)) for text in texts]
    named = latest or "embedding_types" in asked.body
    document = {"id": "1", "texts": texts, "embeddings": {"float": found} if named else found}
    return _counted(document, texts)


def _speak_nova(asked: Asked) -> Any:
    check_fields(asked.body, "schemaVersion taskType! singleEmbeddingParams!", _bedrock_error)
    params = asked.body["singleEmbeddingParams"]
    check_fields(params, "embeddingPurpose! embeddingDimension text!", _bedrock_error)
    check_fields(params["text"], "truncationMode! value!", _bedrock_error)
    text = params["text"]["value"]
    if count_tokens(text) > MAX_TOKENS and params["text"]["truncationMode"] == "NONE":
        raise _bedrock_error(400, f"Max input tokens: {MAX_TOKENS}, request input token count: {count_tokens(text)}")
    found = [3 * number for number in vector(text, params.get("embeddingDimension", 3072))]
    return _counted({"embeddings": [{"embeddingType": "TEXT", "embedding": found}]}, [text])


def _counted(document: object, texts: Sequence[str]) -> Answer:
    headers = {"x-amzn-bedrock-input-token-count": str(sum(map(count_tokens, texts)))}
    return Answer(200, json.dumps(document).encode(), headers)


BEDROCK: Mapping[str, Speech] = {
    "/amazon.titan-embed-text-v2:0/": _speak_titan,
    "cohere.embed-": _speak_bedrock_cohere,
    "/amazon.nova-2-multimodal-embeddings-v1:0/": _speak_nova,
}

SPOKEN: Mapping[str, Spoken] = {
    "bedrock": Spoken(_speak_bedrock, "/invoke", _bedrock_error, signed=True),
    "dashscope": Spoken(_speak_dashscope, "/api/v1/services/embeddings/text-embedding/text-embedding", _flat_error),
    "gemini": Spoken(_speak_gemini, ":batchEmbedContents", _google_error, "x-goog-api-key", ""),
    "ollama": Spoken(_speak_ollama, "/api/embed", _ollama_error),
    "perplexity": Spoken(_speak_perplexity, "/v1/embeddings", _openai_error),
    "snowflake": Spoken(_speak_snowflake, "/api/v2/cortex/inference:embed", _flat_error),
    "vertex": Spoken(_speak_vertex, "/publishers/google/models/", _google_error),
    "tei": Spoken(_speak_tei, "/embed", _tei_error),
}
"""By the kind of provider that asks them."""
