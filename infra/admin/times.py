"""Durations and moments as operators write and read them: `90d`, `2027-01-31`, `2027-01-31 12:00 UTC`."""

import re
from datetime import UTC, datetime

from infra.admin.failures import NotTried

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SHOWN = 20  # characters of a number that is too long anyway
_DURATION = re.compile(r"([0-9]+)([smhdw])")
_LONGEST = 100 * 365 * 86_400
"""Seconds: longer than anybody means, and every moment until then can be written as a date."""


def read_duration(text: str) -> int:
    """Seconds of `90d`, `24h`, `15m`, `30s` or `2w`; `0` is zero. Raises `NotTried`, also for over 100 years."""
    if text == "0":
        return 0
    match = _DURATION.fullmatch(text)
    if match is None:
        raise NotTried(f"{text!r} is not a duration: write a number and s, m, h, d or w, such as 24h.")
    # As a float: Python refuses to read an integer of thousands of digits.
    seconds = float(match[1]) * _SECONDS[match[2]]
    if seconds > _LONGEST:
        raise NotTried(f"{_shorten(text)} is longer than 100 years, and nothing here lasts longer than that.")
    return int(seconds)


def read_expiry(text: str, *, now: int) -> int:
    """Unix seconds of a duration from now, or of a date or moment in ISO 8601 (UTC unless it says otherwise).

    Raises `NotTried` for anything else, for a moment that has passed, and for one in more than 100 years.
    """
    moment = now + read_duration(text) if _DURATION.fullmatch(text) else _read_moment(text)
    if moment <= now:
        raise NotTried(f"{text!r} has passed already.")
    if moment > now + _LONGEST:
        raise NotTried(f"{text!r} is in more than 100 years: leave it out for a key that lasts until it is revoked.")
    return moment


def show_moment(moment: int | None, *, missing: str = "never") -> str:
    """A moment to the minute, in UTC."""
    return missing if moment is None else f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M} UTC"


def _shorten(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")


def _read_moment(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise NotTried(f"{text!r} is neither a duration such as 90d nor a date such as 2027-01-31.") from error
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
