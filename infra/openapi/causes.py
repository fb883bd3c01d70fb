"""Everything that can go wrong as the document tells it: a sentence for the caller, and an error of that cause."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gateway.core import errors
from gateway.core.errors import GatewayError, InputTooLong
from gateway.core.stages import unknown_region, wrong_region
from infra.stages import read_stages

REGIONS = [stage.name for stage in read_stages()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """`error` is rendered, by each dialect's own function, as the example; `at` tells which operations can meet it."""

    name: str
    sentence: str
    error: GatewayError
    at: Literal["everywhere", "bodies", "pages"] = "bodies"


WHOLE_BODY = "The body has 5242881 bytes; at most 5242880 are taken in one request."
UNKNOWN_KEY = "The API key is unknown: it was never made, or it was revoked."
NO_KEY = "No API key was given. Send it as 'Authorization: Bearer <key>', 'api-key' or 'x-goog-api-key'."

CAUSES: Sequence[Cause] = (
    Cause(
        name="InvalidRequest",
        sentence="A value is missing, malformed or out of bounds.",
        error=errors.InvalidRequest("'dimensions' must be 1 or more.", param="dimensions"),
    ),
    Cause(
        name="UnknownParameter",
        sentence="A parameter that this API does not know.",
        error=errors.InvalidRequest("Unrecognized request argument supplied: colour.", param="colour", unknown=True),
    ),
    Cause(
        name="InvalidPage",
        sentence="The page asked for cannot be.",
        error=errors.InvalidRequest("'pageSize' must be a number, 0 or more.", param="pageSize"),
        at="pages",
    ),
    Cause(
        name="UnsupportedParameter",
        sentence="The model cannot do what a parameter asks of it.",
        error=errors.UnsupportedParameter(
            "The model 'all-minilm-l6-v2' makes vectors of 384 dimensions only.", param="dimensions", value=256
        ),
    ),
    Cause(
        name="InputTooLong",
        sentence="An input has more tokens than the model takes.",
        error=InputTooLong.at(2, of=3, tokens=9000, limit=8192),
    ),
    Cause(
        name="TooManyInputs",
        sentence="More inputs than one request may hold.",
        error=errors.RequestTooLarge("At most 2048 inputs are taken in one request; this one has 2049.", param="input"),
    ),
    Cause(
        name="TooManyTokens",
        sentence="More tokens, all inputs together, than one request may hold.",
        error=errors.RequestTooLarge(
            "At most 300000 tokens are taken in one request; this one has 301000.", param="input", by_tokens=True
        ),
    ),
    Cause(
        name="BodyTooLarge",
        sentence="The body, or the answer to it, has more bytes than can be carried.",
        error=errors.BodyTooLarge(WHOLE_BODY),
    ),
    Cause(
        name="WrongContentType",
        sentence="The body does not say that it is JSON, or is compressed.",
        error=errors.WrongContentType("The body is 'text/plain'; send JSON with 'Content-Type: application/json'."),
    ),
    Cause(
        name="WrongKey",
        sentence="The key is unknown, expired or revoked.",
        error=errors.Unauthenticated(UNKNOWN_KEY),
        at="everywhere",
    ),
    Cause(
        name="NoKey",
        sentence="No key was given.",
        error=errors.Unauthenticated(NO_KEY, missing=True),
        at="everywhere",
    ),
    Cause(
        name="NotPermitted",
        sentence="The key may not use this model.",
        error=errors.NotPermitted("This key may not use the model 'text-embedding-3-large'.", param="model"),
    ),
    Cause(
        name="WrongRegion",
        sentence="The vectors would be computed in another region.",
        error=wrong_region("us", here="eu", address=None),
        at="everywhere",
    ),
    Cause(
        name="ModelNotFound",
        sentence="There is no such model, or none that this key may see.",
        error=errors.ModelNotFound("The model 'no-such-model' does not exist.", model="no-such-model"),
        at="everywhere",
    ),
    Cause(
        name="ResourceNotFound",
        sentence="There is nothing at this path.",
        error=unknown_region("mars", REGIONS),
        at="everywhere",
    ),
    Cause(
        name="MethodNotAllowed",
        sentence="The path takes another method.",
        error=errors.MethodNotAllowed("PUT is not allowed here; use POST.", allowed=["POST"]),
        at="everywhere",
    ),
    Cause(
        name="AllowanceExhausted",
        sentence="The workspace has used this minute's requests or tokens.",
        error=errors.AllowanceExhausted(
            "The workspace has used up its requests of this minute (500 requests per minute).",
            retry_after=12.5,
            limited_by="requests",
        ),
    ),
    Cause(
        name="ProviderRefused",
        sentence="The model's provider refused the request; the message is its own, and the code where it gave one.",
        error=errors.ProviderRefused("The provider refused this request: the input is not allowed.", status=400),
    ),
    Cause(
        name="ProviderThrottled",
        sentence="The model's provider takes no more for now.",
        error=errors.ProviderThrottled("The provider has too many requests. Try again in 2 s.", retry_after=2),
    ),
    Cause(
        name="ProviderUnavailable",
        sentence="The model's provider cannot be reached, or failed.",
        error=errors.ProviderUnavailable("The provider failed. Try again."),
    ),
    Cause(
        name="ProviderTimeout",
        sentence="The model's provider took too long.",
        error=errors.ProviderTimeout("The provider did not answer within 25 s. Try again."),
    ),
    Cause(
        name="ProviderMisbehaved",
        sentence="The model's provider gave an answer that cannot be right.",
        error=errors.ProviderMisbehaved("The provider answered 2 vectors to 3 inputs."),
    ),
    Cause(
        name="StoreUnavailable",
        sentence="Keys or settings cannot be read at the moment.",
        error=errors.StoreUnavailable("API keys cannot be checked at the moment. Try again shortly."),
        at="everywhere",
    ),
    Cause(
        name="InternalError",
        sentence="The gateway itself failed.",
        error=errors.InternalError(
            "The gateway failed. Try again; if it stays, give its operator the request id.",
        ),
        at="everywhere",
    ),
)
