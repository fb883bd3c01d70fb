"""Turns vendors' error replies, in their many shapes, into our own errors.

The codes and sentences of a vendor are an `ErrorTable` in its own file: `<vendor>.py`, or `errors/<vendor>.py` for one
that speaks OpenAI.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple, Protocol

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
from gateway.outbound.messages import HttpReply
from gateway.providers._error_body import VendorError, read_error_body
from gateway.providers._retry_hints import retry_after

MAX_DIGITS = 12
"""Digits of a number of tokens that is believed."""

_FIRST_CLIENT_ERROR, _NOT_FOUND, _FIRST_SERVER_ERROR = 400, 404, 500
_REDIRECTS = range(300, 400)


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
    if status in _REDIRECTS:  # never followed: the address in the row is wrong
        return _misconfigured()
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
    410: _misconfigured,  # a model that is no longer served
    408: _timed_out,
    424: _failed,  # TEI's backend, Bedrock's model
    429: _throttled,
    504: _timed_out,
}
