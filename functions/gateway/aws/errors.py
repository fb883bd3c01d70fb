"""The errors of a call to AWS.

AwsError
├── AwsRefused             AWS refused the call; carries its code
│   ├── NotFound           no such table, secret, function or bucket
│   ├── ConditionFailed    the condition of a write did not hold; carries the item as it is
│   └── FunctionFailed     an invoked function raised; carries its payload
└── AwsUnavailable         no usable reply
    ├── AwsTimeout         no reply in time
    ├── ConnectionLost     the connection broke before a reply began; AWS may have carried out the call
    └── Throttled          too many calls at the moment
"""

import re
from http.client import HTTPMessage

import msgspec


class AwsError(Exception):
    """A call to AWS that gave no result."""


class AwsRefused(AwsError):
    """AWS refused the call: `code` is its name for the reason, `status` the HTTP status."""

    def __init__(self, message: str, *, code: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.status = status


class NotFound(AwsRefused):
    """No such table, secret, function or bucket."""


class ConditionFailed(AwsRefused):
    """The condition of a write did not hold; `item` is the item as it is, in JSON, or empty if there is none."""

    def __init__(self, message: str, *, code: str, item: msgspec.Raw) -> None:
        super().__init__(message, code=code)
        self.item = item


class FunctionFailed(AwsRefused):
    """An invoked function raised or timed out; `payload` is the description that Lambda returns, in JSON."""

    def __init__(self, message: str, *, payload: bytes) -> None:
        super().__init__(message, code="FunctionFailed", status=200)
        self.payload = payload


class AwsUnavailable(AwsError):
    """No usable reply."""


class AwsTimeout(AwsUnavailable):
    """No reply in time."""


class ConnectionLost(AwsUnavailable):
    """The connection broke before a reply began; AWS may have carried out the call all the same."""


class Throttled(AwsUnavailable):
    """Too many calls at the moment; the same call may succeed later."""


NOT_FOUND = frozenset({"ResourceNotFoundException", "NoSuchBucket", "NoSuchKey"})
THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)

MAX_MESSAGE = 300
"""Characters: DynamoDB may repeat the whole request in its message."""

_XML_FIELD = re.compile(rb"<(Code|Message)>([^<]*)</")
_FIRST_SERVER_ERROR = 500


class _ErrorBody(msgspec.Struct):
    # DynamoDB calls the field "message" or "Message", depending on the error.
    type: str = msgspec.field(default="", name="__type")
    message: str = ""
    capital_message: str = msgspec.field(default="", name="Message")
    item: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="Item")


def read_error(status: int, headers: HTTPMessage, body: bytes) -> AwsError:
    """The error that a reply describes in JSON (its code is in a header or in `__type`) or, for S3, in XML."""
    described = _read_body(body)
    code = _code(headers.get("x-amzn-errortype") or described.type) or f"HTTP{status}"
    message = (described.message or described.capital_message or "no message")[:MAX_MESSAGE]
    if code == "ConditionalCheckFailedException":
        return ConditionFailed(message, code=code, item=described.item)
    if code in NOT_FOUND:
        return NotFound(message, code=code, status=status)
    if code in THROTTLED:
        return Throttled(f"{code}: {message}")
    if status >= _FIRST_SERVER_ERROR:
        return AwsUnavailable(f"{code}: {message}")
    return AwsRefused(message, code=code, status=status)


def reason_of(error: AwsError) -> str:
    """One word for a metric."""
    for kind, reason in ((AwsTimeout, "timeout"), (Throttled, "throttled"), (AwsRefused, "refused")):
        if isinstance(error, kind):
            return reason
    return "unavailable"


def _code(error_type: str) -> str:
    # DynamoDB writes its own name and "#" before the code, Lambda ":" and a URL after it.
    return error_type.rpartition("#")[2].partition(":")[0]


def _read_body(body: bytes) -> _ErrorBody:
    if body.lstrip().startswith(b"<"):
        fields = {name: text.decode(errors="replace") for name, text in _XML_FIELD.findall(body)}
        return _ErrorBody(type=fields.get(b"Code", ""), message=fields.get(b"Message", ""))
    try:
        return msgspec.json.decode(body, type=_ErrorBody)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _ErrorBody()  # for example the page of a load balancer: only its status can be used
