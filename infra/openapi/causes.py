"""Everything that can go wrong, as the document puts it: a sentence for the caller, and an error of that cause."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.core import errors
from gateway.core.errors import GatewayError, InvalidRequest, RequestTooLarge
from gateway.core.stages import unknown_region, wrong_region
from infra.stages import read_stages

REGIONS = [stage.name for stage in read_stages()]


@dataclass(frozen=True, slots=True)
class Cause:
    """`error` is an example, which each dialect renders; `everywhere` says that operations without a body meet it."""

    sentence: str
    error: GatewayError
    everywhere: bool = False


EVERYWHERE = True

CAUSES: Sequence[Cause] = (
    Cause(
        "A value is missing, malformed or out of bounds.",
        InvalidRequest("'dimensions' must be 1 or more.", param="dimensions"),
    ),
    Cause(
        "A parameter that this API does not know.",
        InvalidRequest("Unrecognized request argument supplied: colour.", param="colour", unknown=True),
    ),
    Cause(
        "The model cannot do what a parameter asks of it.",
        errors.UnsupportedParameter("The model makes vectors of 384 dimensions only.", param="dimensions", value=256),
    ),
    Cause(
        "An input has more tokens than the model takes.",
        errors.InputTooLong.at(2, of=3, tokens=9000, limit=8192),
    ),
    Cause(
        "More inputs than one request may hold.",
        RequestTooLarge("At most 2048 inputs are taken in one request; this one has 2049.", param="input"),
    ),
    Cause(
        "More tokens, all inputs together, than one request may hold.",
        RequestTooLarge("At most 300000 tokens are taken; this one has 301000.", param="input", by_tokens=True),
    ),
    Cause(
        "The body, or the answer to it, has more bytes than can be carried.",
        errors.BodyTooLarge("The body has 5242881 bytes; at most 5242880 are taken in one request."),
    ),
    Cause(
        "The body does not say that it is JSON, or is compressed.",
        errors.WrongContentType("The body is 'text/plain'; send JSON with 'Content-Type: application/json'."),
    ),
    Cause(
        "The key is unknown, expired or revoked.",
        errors.Unauthenticated("The API key is unknown: it was never made, or it was revoked."),
        EVERYWHERE,
    ),
    Cause("No key was given.", errors.Unauthenticated("No API key was given.", missing=True), EVERYWHERE),
    Cause(
        "The key may not use this model.",
        errors.NotPermitted("This key may not use the model 'text-embedding-3-large'.", param="model"),
    ),
    Cause(
        "The vectors would be computed in another region.",
        wrong_region("us", here="eu", address=None),
        EVERYWHERE,
    ),
    Cause(
        "There is no such model, or none that this key may see.",
        errors.ModelNotFound("The model 'no-such-model' does not exist.", model="no-such-model"),
        EVERYWHERE,
    ),
    Cause(
        "There is nothing at this path.",
        unknown_region("mars", REGIONS),
        EVERYWHERE,
    ),
    Cause(
        "The path takes another method.",
        errors.MethodNotAllowed("PUT is not allowed here; use POST.", allowed=["POST"]),
        EVERYWHERE,
    ),
    Cause(
        "The workspace has used this minute's requests or tokens.",
        errors.AllowanceExhausted(
            "The workspace has used up its requests of this minute (500 requests per minute).",
            retry_after=12.5,
            limited_by="requests",
        ),
        EVERYWHERE,
    ),
    Cause(
        "The model's provider refused the request; the message is its own, and the code where it gave one.",
        errors.ProviderRefused("The provider refused this request: the input is not allowed.", status=400),
    ),
    Cause(
        "The model's provider takes no more for now.",
        errors.ProviderThrottled("The provider has too many requests. Try again in 2 s.", retry_after=2),
    ),
    Cause(
        "The model's provider is not set up as it must be: only the operator of the gateway can mend that.",
        errors.ProviderMisconfigured("The provider of this model is not set up correctly."),
    ),
    Cause(
        "The model's provider cannot be reached, or failed.",
        errors.ProviderUnavailable("The provider failed. Try again."),
    ),
    Cause(
        "The model's provider took too long.",
        errors.ProviderTimeout("The provider did not answer within 25 s. Try again."),
    ),
    Cause(
        "The model's provider gave an answer that cannot be right.",
        errors.ProviderMisbehaved("The provider answered 2 vectors to 3 inputs."),
    ),
    Cause(
        "Keys or settings cannot be read at the moment.",
        errors.StoreUnavailable("API keys cannot be checked at the moment. Try again shortly."),
        EVERYWHERE,
    ),
    Cause(
        "The gateway itself failed.",
        errors.InternalError("The gateway failed. Try again; if it stays, give its operator the request id."),
        EVERYWHERE,
    ),
)
