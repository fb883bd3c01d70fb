"""How long a vendor asks to wait, from whichever place it says it."""

import re
from datetime import datetime
from email.utils import parsedate_to_datetime

import msgspec

from gateway.outbound.messages import HttpReply
from gateway.providers._error_body import UNREADABLE, VendorError

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
