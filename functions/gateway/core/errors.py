"""Everything that can go wrong, by cause. What a cause is called on the wire is each dialect's matter.

GatewayError
├── InvalidRequest            the request cannot be served as written
│   ├── UnsupportedParameter  the model does not know this parameter or value
│   ├── InputTooLong          one input exceeds the model's limit
│   ├── RequestTooLarge       too many inputs, or too many tokens together
│   ├── BodyTooLarge          more bytes than the gateway takes, or Lambda returns
│   └── WrongContentType      the headers do not say plain JSON
├── Unauthenticated           no key, or an unknown one
├── NotPermitted              the key may not use this model
│   └── WrongRegion           the vectors would be computed in another region
├── ModelNotFound             no such model, or no such route of it
├── ResourceNotFound          no such path, batch or file
├── MethodNotAllowed          the path exists, the method does not
├── AllowanceExhausted        too many requests or tokens; carries when to retry
├── ProviderRefused           the vendor rejected the call; carries its message
├── ProviderThrottled         the vendor limits our rate; carries when to retry
├── ProviderMisconfigured     the vendor is not set up: a key, a model's name, an empty account; the operator must act
├── ProviderUnavailable       the vendor failed
│   └── ProviderTimeout       the vendor did not answer in time
├── ProviderMisbehaved        the vendor's answer does not fit the question
├── StoreUnavailable          keys, settings or models cannot be read now
└── InternalError             a fault of ours
"""

from collections.abc import Sequence

from gateway.core.facts import NOTHING_DONE, Facts
from gateway.core.rate_limit import Reservation
from gateway.core.shown import MAX_LISTED, MAX_PROBLEM, MAX_SENTENCE, shown


class GatewayError(Exception):
    """A cause, in a message to the caller: what is wrong, with which parameter, what would be right.

    `facts` is what was done for the request until it failed. Texts are cut (`shown.py`), so that an error is small
    whatever it is about.
    """

    facts: Facts = NOTHING_DONE

    def __init__(self, message: str, *, param: str | None = None) -> None:
        self.message = shown(message, MAX_SENTENCE)
        self.param = None if param is None else shown(param)
        super().__init__(self.message)


class InvalidRequest(GatewayError):
    """The request cannot be served as written.

    `problems` are `(path, message)` pairs where several fields are wrong, of which the first few are kept; `unknown`
    marks a field that does not exist.
    """

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        value: object = None,
        problems: Sequence[tuple[str, str]] = (),
        unknown: bool = False,
    ) -> None:
        super().__init__(message, param=param)
        self.value = value
        self.problems = tuple((shown(path), shown(text, MAX_PROBLEM)) for path, text in problems[:MAX_LISTED])
        self.unknown = unknown


class UnsupportedParameter(InvalidRequest):
    """The model does not know this parameter or value."""


class InputTooLong(InvalidRequest):
    """One input exceeds the model's limit; `tokens` is its count. `None`: only the vendor knows."""

    def __init__(
        self, message: str, *, param: str = "input", index: int | None, tokens: int | None, limit: int | None
    ) -> None:
        super().__init__(message, param=param)
        self.index, self.tokens, self.limit = index, tokens, limit

    @classmethod
    def at(cls, index: int, *, of: int, tokens: int, limit: int, at_least: bool = False) -> "InputTooLong":
        """The error for an input with (at least) so many tokens."""
        count = f"at least {tokens}" if at_least else str(tokens)
        return cls(
            f"This model's maximum context length is {limit} tokens, however input {index} has {count} tokens. "
            "Please shorten it.",
            param=f"input[{index}]" if of > 1 else "input",
            index=index,
            tokens=tokens,
            limit=limit,
        )


class RequestTooLarge(InvalidRequest):
    """Too many inputs, or (`by_tokens`) too many tokens together."""

    def __init__(self, message: str, *, param: str | None = None, by_tokens: bool = False) -> None:
        super().__init__(message, param=param)
        self.by_tokens = by_tokens


class BodyTooLarge(InvalidRequest):
    """More bytes than the gateway takes, or Lambda returns."""


class WrongContentType(InvalidRequest):
    """The headers do not say plain JSON."""


class Unauthenticated(GatewayError):
    """No key (`missing`), or an unknown, expired or disabled one."""

    def __init__(self, message: str, *, missing: bool = False) -> None:
        super().__init__(message)
        self.missing = missing


class NotPermitted(GatewayError):
    """The key may not use this model."""


class WrongRegion(NotPermitted):
    """The vectors would be computed in another region."""


class ModelNotFound(GatewayError):
    """No such model, or no such route of it."""

    def __init__(self, message: str, *, model: str, param: str = "model") -> None:
        super().__init__(message, param=param)
        self.model = shown(model)


class ResourceNotFound(GatewayError):
    """No such path, batch or file."""


class MethodNotAllowed(GatewayError):
    """The path exists, the method does not; `allowed` are those that do."""

    def __init__(self, message: str, *, allowed: Sequence[str]) -> None:
        super().__init__(message)
        self.allowed = tuple(allowed)


class AllowanceExhausted(GatewayError):
    """Too many requests or tokens.

    `retry_after` is seconds, `limited_by` is `requests` or `tokens`, `allowance` what is left of the allowance.
    """

    def __init__(
        self, message: str, *, retry_after: float, limited_by: str, allowance: Reservation | None = None
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.limited_by = limited_by
        self.facts = Facts(allowance=allowance)


class ProviderRefused(GatewayError):
    """The vendor rejected the call; the message is its own, `status` its HTTP status, `code` its code."""

    def __init__(self, message: str, *, status: int, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message, param=param)
        self.status = status
        self.code = None if code is None else shown(code)


class ProviderThrottled(GatewayError):
    """The vendor limits our rate; `retry_after` is seconds, `None` if it did not say."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ProviderMisconfigured(GatewayError):
    """The vendor is not set up as it must be, so the operator must act: neither the caller nor waiting mends it."""


class ProviderUnavailable(GatewayError):
    """The vendor failed."""


class ProviderTimeout(ProviderUnavailable):
    """The vendor did not answer in time."""


class ProviderMisbehaved(GatewayError):
    """The vendor's answer does not fit the question."""


class StoreUnavailable(GatewayError):
    """Keys, settings or models cannot be read now."""


class InternalError(GatewayError):
    """A fault of ours."""
