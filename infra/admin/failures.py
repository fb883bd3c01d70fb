"""What an operator is told when a command cannot do its work: one sentence, and an exit code for scripts.

Exit code 1: the stage refuses it (or `catalogue diff` found a difference).
Exit code 2: it could not be tried: wrong words, a broken file, no credentials, no network, no stack.
"""

from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004  # botocore's, which all its connection failures inherit
    ConnectTimeoutError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    RefreshWithMFAUnsupportedError,
    SSOError,
    TokenRetrievalError,
)
from typer.core import TyperGroup

from infra.admin.screen import say_error

REFUSED = 1
NOT_TRIED = 2

_NO_CREDENTIALS = "There are no AWS credentials: set AWS_PROFILE, or sign in with `aws sso login` or `aws configure`."
_BAD_CREDENTIALS = "AWS does not accept these credentials: sign in again, or choose another AWS_PROFILE."

_SERVICE_SENTENCES = {
    "ExpiredToken": "The AWS credentials have expired: sign in again.",
    "ExpiredTokenException": "The AWS credentials have expired: sign in again.",
    "InvalidClientTokenId": _BAD_CREDENTIALS,
    "IncompleteSignature": _BAD_CREDENTIALS,
    "InvalidAccessKeyId": _BAD_CREDENTIALS,
    "InvalidSignatureException": _BAD_CREDENTIALS,
    "InvalidToken": _BAD_CREDENTIALS,
    "MissingAuthenticationToken": _NO_CREDENTIALS,
    "RequestExpired": "The AWS credentials have expired, or this machine's clock is wrong.",
    "SignatureDoesNotMatch": _BAD_CREDENTIALS,
    "UnrecognizedClientException": _BAD_CREDENTIALS,
}
_UNUSABLE = (
    CredentialRetrievalError,
    ProfileNotFound,
    RefreshWithMFAUnsupportedError,
    SSOError,
    TokenRetrievalError,
)
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}


class Failure(Exception):
    """A command that cannot do its work: the sentence says why, and what would help."""

    def __init__(self, sentence: str, *, exit_code: int = REFUSED) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.exit_code = exit_code


class NotTried(Failure):
    """A command that could not begin."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, exit_code=NOT_TRIED)


class FriendlyGroup(TyperGroup):
    """A command group whose failures are sentences on standard error, never tracebacks."""

    def invoke(self, ctx: Any) -> Any:  # Typer's own copy of click, which it does not publish
        try:
            return super().invoke(ctx)
        except Failure as failure:
            _end(failure)
        except (BotoCoreError, ClientError) as error:
            _end(explain(error))


def explain(error: BotoCoreError | ClientError) -> Failure:
    """The failure that an AWS error means to an operator."""
    if isinstance(error, ClientError):
        return _explain_answer(error)
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return NotTried(_NO_CREDENTIALS)
    if isinstance(error, _UNUSABLE):
        return NotTried(
            f"The AWS credentials cannot be used: {_in_one_line(error)}. Sign in again, or set AWS_PROFILE."
        )
    if isinstance(error, ConnectionError | ConnectTimeoutError | HTTPClientError):
        return NotTried(
            f"AWS cannot be reached: {_in_one_line(error)}. Is there a network, and is the stage's stack running?"
        )
    return NotTried(f"AWS could not be asked: {_in_one_line(error)}.")


def _in_one_line(text: object) -> str:
    return " ".join(str(text).split()).rstrip(".")


def error_code(error: ClientError) -> str:
    """The service's own name of an error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _explain_answer(error: ClientError) -> Failure:
    code = error_code(error)
    if code in _SERVICE_SENTENCES:
        return NotTried(_SERVICE_SENTENCES[code])
    message = _in_one_line(error.response.get("Error", {}).get("Message", ""))
    if code in _DENIED:
        return NotTried(f"These AWS credentials lack a right that operators need ({error.operation_name}): {message}")
    return Failure(f"AWS refused {error.operation_name} ({code}): {message}")


def _end(failure: Failure) -> None:
    say_error(failure.sentence)
    raise SystemExit(failure.exit_code)
