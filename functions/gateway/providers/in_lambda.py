"""A model in a Lambda function: our own (functions/embedded_model/), or an operator's, which a row names.

Event `{"texts": [str, ...], "truncate": bool}`; an operator's function is also told the `purpose`, `title` and
`dimensions` that a request has, and what its caller passes on. Answer `{"vectors": base64 of float32, shape
(n, dimensions), "tokens": [int, ...]}`, where an operator's may leave out the tokens, or `{"error": {"code", ...}}`.
docs/providers.md tells operators.
"""

from dataclasses import dataclass

import msgspec

from gateway.aws.errors import AwsError, AwsTimeout
from gateway.aws.lambda_functions import Functions
from gateway.core.embedding import EmbeddingResult, Vector
from gateway.core.errors import (
    GatewayError,
    InternalError,
    InvalidRequest,
    ProviderMisbehaved,
    ProviderMisconfigured,
    ProviderRefused,
    ProviderTimeout,
    ProviderUnavailable,
    RequestTooLarge,
    UnsupportedParameter,
)
from gateway.core.limits import MAX_LAMBDA_EVENT
from gateway.core.ports import ProviderCall
from gateway.core.shown import quoted
from gateway.core.vectors import FLOAT32, is_finite
from gateway.providers._error_body import UNREADABLE
from gateway.providers._failures import report_failure
from gateway.providers._vendor import BadRow, encode_body, read_settings, said

OPTIONAL = frozenset({"purpose", "title", "dimensions"})


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`function` is the name or ARN of an operator's function. `purposes` are its words for purposes, if not ours."""

    function: str = ""
    purposes: dict[str, str] = {}


class _Error(msgspec.Struct):
    code: str
    message: str = ""
    index: int | None = None
    tokens: int | None = None
    limit: int | None = None


class _Answer(msgspec.Struct):
    vectors: bytes = b""
    tokens: tuple[int, ...] = ()
    error: _Error | None = None


_ANSWER = msgspec.json.Decoder(_Answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class LambdaProvider:
    """Invokes the function that a row names, or else that of our own model."""

    own_model: str
    functions: Functions

    async def embed(self, call: ProviderCall) -> EmbeddingResult:
        """One invocation; raises `InputTooLong` with the number in the caller's request."""
        settings = _settings(call)
        event = build_event(call, settings)
        seconds = min(call.timeout, call.provider.timeout)
        try:
            answer = await self.functions.invoke(settings.function or self.own_model, event, timeout=seconds)
        except AwsTimeout as error:
            report_failure(call, str(error))
            raise ProviderTimeout("The model did not answer in time.") from error
        except AwsError as error:
            report_failure(call, str(error))
            raise ProviderUnavailable("The model's function failed.") from error
        return read_answer(call, answer)


def _settings(call: ProviderCall) -> "Settings":
    try:
        return read_settings(call.provider, Settings)
    except BadRow as error:
        report_failure(call, str(error))
        raise ProviderMisconfigured("The provider of this model is not set up correctly.") from error


def build_event(call: ProviderCall, settings: "Settings") -> bytes:
    """The event, as JSON; raises `InvalidRequest` for what the model cannot be asked."""
    if not settings.function:
        _refuse_unknown_parameters(call)
    texts = tuple(item for item in call.inputs if isinstance(item, str))
    if len(texts) != len(call.inputs):
        raise InvalidRequest("This model takes text, not token ids.", param="input")
    purpose = call.purpose and settings.purposes.get(call.purpose, call.purpose.value)
    wanted = said(purpose=purpose, title=call.title, dimensions=call.dimensions)
    event = encode_body({"texts": texts, "truncate": call.truncate, **wanted}, call, OPTIONAL)
    if len(event) > MAX_LAMBDA_EVENT:
        raise RequestTooLarge(
            f"The inputs take {len(event)} bytes together; at most {MAX_LAMBDA_EVENT} fit. Send fewer at a time.",
            param="input",
        )
    return event


def _refuse_unknown_parameters(call: ProviderCall) -> None:
    unknown = {"dimensions": call.dimensions, "purpose": call.purpose, "title": call.title, **call.extra}
    for name, value in unknown.items():
        if value is not None:
            message = f"This model does not know the parameter {quoted(name)}."
            raise UnsupportedParameter(message, param=name, value=value)


def read_answer(call: ProviderCall, answer: bytes) -> EmbeddingResult:
    """Vectors as slices of one buffer, and tokens per input; raises our error for the one that the function reports."""
    try:
        decoded = _ANSWER.decode(answer)
    except UNREADABLE as error:
        raise ProviderMisbehaved("The model's answer cannot be read.") from error
    if decoded.error:
        raise _cause(decoded.error, call)
    counts = _checked(decoded.tokens, len(call.inputs)) if decoded.tokens or not _is_operators(call) else None
    return EmbeddingResult(
        vectors=_cut(decoded.vectors, len(call.inputs), call.native_dimensions),
        tokens=sum(counts) if counts else None,
        token_counts=counts,
    )


def _is_operators(call: ProviderCall) -> bool:
    return bool(call.provider.settings.get("function"))


def _cut(vectors: bytes, count: int, dimensions: int) -> tuple[Vector, ...]:
    size = dimensions * FLOAT32
    if len(vectors) != count * size:
        raise ProviderMisbehaved(f"The model answered {len(vectors)} bytes to {count} inputs of {size} each.")
    if not is_finite(vectors):
        raise ProviderMisbehaved("The model answered a vector that is not finite.")
    whole = memoryview(vectors)
    return tuple(whole[start : start + size] for start in range(0, len(whole), size))


def _checked(tokens: tuple[int, ...], count: int) -> tuple[int, ...]:
    if len(tokens) != count:
        raise ProviderMisbehaved(f"The model counted the tokens of {len(tokens)} inputs instead of {count}.")
    return tokens


def _cause(error: _Error, call: ProviderCall) -> GatewayError:
    match error:
        case _Error(code="input_too_long", index=int(index), tokens=int(tokens), limit=int(limit)):
            return call.input_too_long(index, tokens=tokens, limit=limit)
        case _Error(code="invalid_event", message=message) if _is_operators(call):
            return ProviderRefused(message or "The model does not take this request.", status=400)
        case _Error(code="invalid_event"):
            return InternalError("The gateway asked its own model in a way it does not understand.")
    return ProviderMisbehaved(f"The model answered with an error that is not known: {error.code[:100]}.")
