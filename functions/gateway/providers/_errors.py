"""Turns vendors' error replies, in their many shapes, into our own errors.

Shapes: OpenAI and Azure (`error` object), Google (the same, perhaps in an array, with `details`), Mistral, TEI and
vLLM (flat `message`), Cohere and API gateways (`message` alone), Voyage, Jina and FastAPI (`detail`). The codes and
sentences of a vendor are an `ErrorTable` in its own file: `<vendor>.py`, or `errors/<vendor>.py` for one that speaks
OpenAI.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, Protocol

import msgspec

from gateway.core.errors import (
    GatewayError,
    InputTooLong,
    ProviderMisbehaved,
    ProviderMisconfigured,
    ProviderRefused,
    ProviderThrottled,
    ProviderTimeout,
    ProviderUnavailable,
    RequestTooLarge,
)
from gateway.core.shown import MAX_SENTENCE
from gateway.outbound.messages import HttpReply

MAX_MESSAGE = MAX_SENTENCE
"""Characters of a vendor's message that reach a caller."""
MAX_WORD = 64
"""Characters of a vendor's code or parameter that reach a caller."""
MAX_PROBLEMS = 5
"""Problems of a list that reach a caller."""
MAX_DIGITS = 12
"""Digits of a number of tokens that is believed."""

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are not the JSON expected; the last for JSON nested a thousand deep."""

_FIRST_CLIENT_ERROR, _NOT_FOUND, _FIRST_SERVER_ERROR = 400, 404, 500

# Keys, and numbers of the operator's accounts, that vendors put into their messages.
_SECRETS = re.compile(
    r"\b(?:sk|pk|rk)-[\w*.-]{4,}|\bAIza[\w*-]{8,}|\b(?:org|proj)[-_][A-Za-z0-9]{12,}|\bBearer\s+[\w.~+/=*-]{8,}"
)

_RETRY_IN_WORDS = re.compile(
    r"(?:retry|try again) (?:after|in) "
    r"(?:(?P<hours>\d+(?:\.\d+)?) ?(?:hours?|h)(?![a-z]) ?)?"
    r"(?:(?P<minutes>\d+(?:\.\d+)?) ?(?:minutes?|min|m)(?![a-z]) ?)?"
    r"(?:(?P<milliseconds>\d+(?:\.\d+)?) ?(?:milliseconds?|ms)(?![a-z]))?"
    r"(?:(?P<seconds>\d+(?:\.\d+)?) ?(?:seconds?|sec|s)(?![a-z]))?",
    re.IGNORECASE,
)
_UNITS = {"hours": 3600, "minutes": 60, "seconds": 1, "milliseconds": 0.001}
_SECONDS = re.compile(r"\d+(?:\.\d+)?")
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


class Signs(NamedTuple):
    """How to recognise one cause: by a code or type, or by a sentence.

    A sentence is for a vendor that has no code for the cause. Its groups `tokens` and `limit`, if it has them, are
    numbers of tokens.
    """

    codes: frozenset[str] = frozenset()
    sentences: tuple[re.Pattern[str], ...] = ()

    def __or__(self, other: "Signs") -> "Signs":
        return Signs(self.codes | other.codes, self.sentences + other.sentences)

    def find(self, error: VendorError) -> Mapping[str, str | None] | None:
        """The numbers that the sentence holds, `None` if there is no sign of the cause."""
        for sentence in self.sentences:
            if found := sentence.search(error.message):
                return found.groupdict()
        return {} if error.codes & self.codes else None


class ErrorTable(NamedTuple):
    """What one vendor's status does not say: whose fault it is, and what is wrong.

    Too long an input, or too large a call, is the caller's. An empty account, a key that is refused and a model that
    the vendor does not have are the operator's.
    """

    too_long: Signs = Signs()
    too_large: Signs = Signs()
    no_credit: Signs = Signs()
    no_access: Signs = Signs()
    no_model: Signs = Signs()


def read_vendor_error(reply: HttpReply, table: ErrorTable) -> GatewayError:
    """The cause behind a reply that is no answer. What it says goes before its status, which may be any, even 200."""
    error = read_error_body(reply.body)
    status = _status(reply, error)
    by_its_words = error and (_operators(error, table) or _callers(error, table))
    if by_its_words:
        return by_its_words
    if special := SPECIAL_STATUSES.get(status):
        return special(reply, error)
    if error and _FIRST_CLIENT_ERROR <= status < _FIRST_SERVER_ERROR:
        return ProviderRefused(error.message, status=status, code=error.code, param=error.param)
    if error or status >= _FIRST_SERVER_ERROR:
        return _failed(reply, error)
    return ProviderMisbehaved(f"The provider answered HTTP {reply.status} in a form that is not its own.")


def _status(reply: HttpReply, error: VendorError | None) -> int:
    """The status of the reply; of an error inside a 200, the one that its body has, if it says what to do."""
    if reply.status >= _FIRST_CLIENT_ERROR or error is None or error.status is None:
        return reply.status
    # An aggregator's 404 inside a 200 means that none of its own providers answered.
    return reply.status if error.status == _NOT_FOUND else error.status


def _operators(error: VendorError, table: ErrorTable) -> GatewayError | None:
    if any(signs.find(error) is not None for signs in (table.no_credit, table.no_access, table.no_model)):
        return _misconfigured()
    return None


def _callers(error: VendorError, table: ErrorTable) -> GatewayError | None:
    if table.too_large.find(error) is not None:
        return RequestTooLarge(error.message, param="input")
    found = table.too_long.find(error)
    if found is None:
        return None
    return InputTooLong(error.message, index=None, tokens=_number(found, "tokens"), limit=_number(found, "limit"))


def _misconfigured(_reply: HttpReply | None = None, _error: VendorError | None = None) -> GatewayError:
    # The vendor's sentence is about the operator's account: it goes to the log, not to the caller.
    return ProviderMisconfigured(
        "The provider of this model does not serve this gateway as it is set up. Only the operator of the gateway can "
        "mend that; trying again does not help."
    )


def _failed(reply: HttpReply, error: VendorError | None) -> GatewayError:
    return ProviderUnavailable(f"The provider failed (HTTP {reply.status}){_ending(error)}")


def _timed_out(_reply: HttpReply, _error: VendorError | None) -> GatewayError:
    return ProviderTimeout("The provider did not answer in time.")


def _throttled(reply: HttpReply, error: VendorError | None) -> GatewayError:
    message = f"The provider has had enough for now{_ending(error)}"
    return ProviderThrottled(message, retry_after=retry_after(reply, error))


def _ending(error: VendorError | None) -> str:
    return f": {error.message}" if error else "."


def _number(found: Mapping[str, str | None], name: str) -> int | None:
    text = found.get(name) or ""
    return int(text) if 0 < len(text) <= MAX_DIGITS else None


class _Cause(Protocol):
    def __call__(self, reply: HttpReply, error: VendorError | None, /) -> GatewayError: ...


SPECIAL_STATUSES: Mapping[int, _Cause] = {
    401: _misconfigured,
    402: _misconfigured,
    403: _misconfigured,
    404: _misconfigured,  # a model or a deployment that is misspelt, or a wrong address
    405: _misconfigured,
    408: _timed_out,
    424: _failed,  # TEI's backend, Bedrock's model
    429: _throttled,
    504: _timed_out,
}


def read_error_body(body: bytes) -> VendorError | None:
    """What is wrong according to a reply; `None` if it does not say so in JSON."""
    try:
        return _vendor_error(msgspec.json.decode(body))
    except UNREADABLE:
        return None


def _vendor_error(document: Any) -> VendorError | None:  # whatever JSON there is
    if isinstance(document, list):
        return _vendor_error(document[0]) if document else None
    if not isinstance(document, dict):
        return None
    error = document.get("error")
    if isinstance(error, dict):
        return _vendor_error(error)
    message = _message(document.get("message") or document.get("detail") or error)
    if not message:
        return None
    kind = document.get("type") or document.get("status") or document.get("error_type")
    code = _word(document.get("code"))
    status = code if code and _HTTP_STATUS.fullmatch(code) else None
    # An HTTP status is no code: it says no more than the status of the reply.
    return VendorError(
        message,
        code=None if status else code,
        type=_word(kind),
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


def retry_after(reply: HttpReply, error: VendorError | None) -> float | None:
    """Seconds to wait, from whichever place the vendor says it: headers first, then Google's details, then words."""
    headers = reply.headers
    hints = (
        _seconds(headers.get("retry-after-ms", ""), 0.001),
        _seconds(headers.get("retry-after", ""), 1),
        _until_date(headers.get("retry-after"), headers.get("date")),
        _retry_delay(reply.body),
        _in_words(error.message) if error else None,
    )
    return next((hint for hint in hints if hint is not None), None)


def _seconds(text: str, unit: float) -> float | None:
    """A number of seconds, infinite if it has too many digits; `None` for what is no number, or is negative."""
    return float(text) * unit if _SECONDS.fullmatch(text) else None


def _until_date(date: str | None, now: str | None) -> float | None:
    """Seconds from the reply's date to that date; our clock is not used."""
    until, since = _date(date), _date(now)
    return max(0.0, (until - since).total_seconds()) if until and since else None


def _date(text: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone() if text else None
    except (ValueError, OverflowError, OSError):  # years, days and zones beyond what a clock can show
        return None


class _Detail(msgspec.Struct):
    delay: str = msgspec.field(default="", name="retryDelay")


class _GoogleError(msgspec.Struct):
    details: list[_Detail]


class _GoogleReply(msgspec.Struct):
    error: _GoogleError


def _retry_delay(body: bytes) -> float | None:
    """google.rpc.RetryInfo's `retryDelay`, such as `38s` or `0.5s`."""
    try:
        found = msgspec.json.decode(body, type=_GoogleReply | list[_GoogleReply])
    except UNREADABLE:
        return None
    reply = found[0] if isinstance(found, list) and found else found
    details = reply.error.details if isinstance(reply, _GoogleReply) else []
    return next((_seconds(detail.delay[:-1], 1) for detail in details if detail.delay.endswith("s")), None)


def _in_words(message: str) -> float | None:
    for found in _RETRY_IN_WORDS.finditer(message):
        parts = {unit: text for unit, text in found.groupdict().items() if text}
        if parts:
            return sum(float(text) * _UNITS[unit] for unit, text in parts.items())
    return None
