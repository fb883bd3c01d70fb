import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
    SSOTokenLoadError,
    UnauthorizedSSOTokenError,
)

from infra.admin.failures import explain


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "GetSecretValue")


@pytest.mark.parametrize(
    ("error", "exit_code", "words"),
    [
        (NoCredentialsError(), 2, "no AWS credentials"),
        (PartialCredentialsError(provider="env", cred_var="x"), 2, "no AWS credentials"),
        (ProfileNotFound(profile="mine"), 2, "mine"),
        (EndpointConnectionError(endpoint_url="https://there"), 2, "https://there"),
        (ReadTimeoutError(endpoint_url="https://there"), 2, "cannot be reached"),
        (refusal("ExpiredTokenException"), 2, "expired"),
        (refusal("RequestExpired"), 2, "expired"),
        (refusal("InvalidSignatureException"), 2, "does not accept these credentials"),
        (refusal("InvalidAccessKeyId"), 2, "does not accept these credentials"),
        (refusal("MissingAuthenticationToken"), 2, "no AWS credentials"),
        (SSOTokenLoadError(error_msg="two\nlines"), 2, "cannot be used"),
        (UnauthorizedSSOTokenError(), 2, "Sign in again"),
        (CredentialRetrievalError(provider="process", error_msg="two\nlines"), 2, "cannot be used"),
        (NoRegionError(), 2, "region"),
        (ParamValidationError(report="two\nlines"), 2, "two lines"),
        (ClientError({"Error": {"Code": "X", "Message": "two\nlines."}}, "GetSecretValue"), 1, "two lines"),
        (refusal("UnrecognizedClientException"), 2, "does not accept these credentials"),
        (refusal("AccessDeniedException"), 2, "lack a right"),
        (refusal("LimitExceededException"), 1, "LimitExceededException"),
    ],
)
def test_an_error_of_aws_becomes_one_sentence_and_an_exit_code(
    error: BotoCoreError | ClientError, exit_code: int, words: str
) -> None:
    failure = explain(error)

    assert failure.exit_code == exit_code
    assert words in failure.sentence
    assert "\n" not in failure.sentence
