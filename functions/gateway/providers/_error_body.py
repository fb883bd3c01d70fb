"""What a vendor says is wrong, out of the many shapes of its JSON.

OpenAI and Azure (`error` object), Google (the same, perhaps in an array, with `details`), Mistral, TEI and vLLM (flat
`message`), Cohere and API gateways (`message` alone), Voyage, Jina and FastAPI (`detail`), lists of `errors`, RFC 9457
(`title`), an error in the text of another (OpenRouter's `metadata.raw`, proxies), a text alone.
"""

import re
from typing import Any, NamedTuple

import msgspec

from gateway.core.shown import MAX_SENTENCE

MAX_MESSAGE = 8 * MAX_SENTENCE
"""Characters of a vendor's message that are read. Fewer are shown: `GatewayError` and the log cut what they tell."""
MAX_NESTED = 8
"""Errors within each other that are looked into."""
MAX_WORD = 64
"""Characters of a vendor's code or parameter that reach a caller."""
MAX_PROBLEMS = 5
"""Problems of a list that reach a caller."""

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are not the JSON expected; the last for JSON nested a thousand deep."""

# Keys, and numbers of the operator's accounts, that vendors put into their messages.
_SECRETS = re.compile(
    r"\b(?:sk|pk|rk)-[\w*.-]{4,}|\bAIza[\w*-]{8,}|\b(?:org|proj)[-_][A-Za-z0-9]{12,}|\bBearer\s+[\w.~+/=*-]{8,}"
)

_HTTP_STATUS = re.compile(r"[1-5]\d\d")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")
"""Characters that a code cannot have in a header."""


class VendorError(NamedTuple):
    """What a vendor says is wrong, in its words."""

    message: str
    code: str | None = None
    type: str | None = None
    param: str | None = None
    status: int | None = None
    """The HTTP status that stands in the body, where a code would stand."""

    @property
    def codes(self) -> frozenset[str]:
        """Code and type: vendors disagree on which is which."""
        return frozenset(word for word in (self.code, self.type) if word)


def read_error_body(body: bytes) -> VendorError | None:
    """What is wrong according to a reply; `None` if it does not say so in JSON."""
    try:
        return _read(msgspec.json.decode(body), MAX_NESTED)
    except UNREADABLE:
        return None


def _read(document: Any, depth: int) -> VendorError | None:  # whatever JSON there is
    if isinstance(document, list):
        return _read(document[0], depth) if document else None
    if isinstance(document, str):
        return _quoted(document, depth) or _flat({"message": document})
    if not isinstance(document, dict) or not depth:
        return None
    return _inner(document, depth - 1) or _flat(document)


def _inner(document: dict[str, Any], depth: int) -> VendorError | None:
    """The error that stands within another one: that which came first knows best."""
    metadata = document.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    places = (raw, document.get("error"), document.get("errors"))
    errors = (_read(place, depth) for place in places if isinstance(place, (dict, list)))
    texts = (_quoted(text, depth) for text in (raw, document.get("error"), document.get("message")))
    return next(filter(None, (*errors, *texts)), None)


def _quoted(text: Any, depth: int) -> VendorError | None:  # whatever JSON there is
    """The error whose JSON is all of a text. What stands within a sentence may be a caller's own text."""
    if not (isinstance(text, str) and depth and text.strip().startswith(("{", "["))):
        return None
    try:
        return _read(msgspec.json.decode(text.strip()), depth - 1)
    except UNREADABLE:
        return None


def _flat(document: dict[str, Any]) -> VendorError | None:
    names = ("message", "detail", "error", "title")
    message = _message(next(filter(None, map(document.get, names)), None))
    if not message:
        return None
    words = [_word(document.get(name)) for name in ("code", "type", "status", "error_type")]
    status = next((word for word in words if word and _HTTP_STATUS.fullmatch(word)), None)
    # An HTTP status is no code: it says no more than the status of the reply.
    code, *kinds = (None if word and _HTTP_STATUS.fullmatch(word) else word for word in words)
    return VendorError(
        message,
        code=code,
        type=next(filter(None, kinds), None),
        param=_word(document.get("param")),
        status=int(status) if status else None,
    )


def _message(found: Any) -> str:  # whatever JSON there is
    """The sentence, out of a string, a list of FastAPI's problems, or an object around either (Mistral)."""
    if isinstance(found, dict):
        found = found.get("msg") or found.get("message") or found.get("detail")
    if isinstance(found, list):
        found = "; ".join(filter(None, map(_problem, found[:MAX_PROBLEMS])))
    return _presentable(found) if isinstance(found, str) else ""


def _problem(problem: Any) -> str:  # whatever JSON there is
    message = _message(problem) if isinstance(problem, (str, dict)) else ""
    place = problem.get("loc") if isinstance(problem, dict) else None
    return f"{'.'.join(map(str, place))}: {message}" if message and isinstance(place, list) else message


def _presentable(message: str) -> str:
    text = _SECRETS.sub("[redacted]", message.strip())
    return text if len(text) <= MAX_MESSAGE else text[: MAX_MESSAGE - 1] + "…"


def _word(value: Any) -> str | None:  # a code may be a number or null
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    word = _UNPRINTABLE.sub("", value) if isinstance(value, str) else str(value)[:MAX_WORD]
    return word[:MAX_WORD] or None
