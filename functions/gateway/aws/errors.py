"""What can go wrong between here and AWS.

AwsError
├── AwsRefused             AWS understood and said no; carries its code
│   ├── NotFound           no such table, secret, function or bucket
│   ├── ConditionFailed    the condition of a write did not hold; carries the old item
│   └── FunctionFailed     an invoked function raised; carries its payload
└── AwsUnavailable         no answer that counts
    ├── AwsTimeout         none within the time granted
    ├── ConnectionLost     the connection broke before an answer began; the call may have been carried out
    └── Throttled          too much was asked for now
"""

import re
from collections.abc import Mapping

import msgspec


class AwsError(Exception):
    """A call to AWS that gave no result."""


class AwsRefused(AwsError):
    """AWS said no: `code` is its name for the reason, `status` the HTTP status."""

    def __init__(self, message: str, *, code: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.status = status


class NotFound(AwsRefused):
    """No such table, secret, function or bucket."""


class ConditionFailed(AwsRefused):
    """The condition of a write did not hold; `item` is the item as it stands, as JSON, or empty."""

    def __init__(self, message: str, *, code: str, item: msgspec.Raw) -> None:
        super().__init__(message, code=code)
        self.item = item


class FunctionFailed(AwsRefused):
    """An invoked function raised or timed out; `payload` is what Lambda tells of it."""

    def __init__(self, message: str, *, payload: bytes) -> None:
        super().__init__(message, code="FunctionFailed", status=200)
        self.payload = payload


class AwsUnavailable(AwsError):
    """No answer that counts."""


class AwsTimeout(AwsUnavailable):
    """No answer within the time granted."""


class ConnectionLost(AwsUnavailable):
    """The connection broke before an answer began; the call may have been carried out all the same."""


class Throttled(AwsUnavailable):
    """Too much was asked for now."""


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
    # DynamoDB says "message" or "Message", depending on the error.
    type: str = msgspec.field(default="", name="__type")
    message: str = ""
    shouted: str = msgspec.field(default="", name="Message")
    item: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="Item")


def read_error(status: int, headers: Mapping[str, str], body: bytes | bytearray) -> AwsError:
    """The error that AWS describes in JSON (with the code in a header or in `__type`) or, for S3, in XML."""
    told = _read_body(body)
    code = _code(headers.get("x-amzn-errortype") or told.type) or f"HTTP{status}"
    message = (told.message or told.shouted or "no message")[:MAX_MESSAGE]
    if code == "ConditionalCheckFailedException":
        return ConditionFailed(message, code=code, item=told.item)
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


def _code(told: str) -> str:
    # DynamoDB puts its own name and "#" before the code, Lambda ":" and a URL after it.
    return told.rpartition("#")[2].partition(":")[0]


def _read_body(body: bytes | bytearray) -> _ErrorBody:
    if body.lstrip().startswith(b"<"):
        told = {name: text.decode(errors="replace") for name, text in _XML_FIELD.findall(body)}
        return _ErrorBody(type=told.get(b"Code", ""), message=told.get(b"Message", ""))
    try:
        return msgspec.json.decode(body, type=_ErrorBody)
    except msgspec.MsgspecError:
        return _ErrorBody()  # a load balancer's page, say: the status has to do
