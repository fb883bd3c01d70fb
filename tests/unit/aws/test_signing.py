"""Our signatures are botocore's, byte for byte."""

import hashlib
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials

from gateway.aws.signing import (
    Credentials,
    Scope,
    Signer,
    presign,
    timestamp,
)

NOW = 1_795_132_800
USER = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
ROLE = Credentials("ASIAEXAMPLE", "secret/+=", "FwoGZXIvYXdzE//////////+wEaDG==")

REQUESTS: dict[str, tuple[str, str, dict[str, str], bytes]] = {
    "dynamodb": (
        "POST",
        "/",
        {"content-type": "application/x-amz-json-1.0", "x-amz-target": "DynamoDB_20120810.GetItem"},
        b'{"TableName": "t"}',
    ),
    "empty body": ("GET", "/", {}, b""),
    "binary body": ("PUT", "/a", {}, bytes(range(256))),
    "a path of special characters": ("POST", "/a%20b/%C3%A9/~tilde-_.x", {}, b""),
    "an ARN in the path": (
        "POST",
        "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-central-1%3A123%3Afunction%3Af%3Alive/invocations",
        {"content-type": "application/json"},
        b"{}",
    ),
    "a percent sign in the path": ("GET", "/100%25", {}, b""),
    "header values with spaces": ("GET", "/", {"x-amz-meta-note": "  two   spaces  "}, b""),
}


@pytest.mark.parametrize("credentials", [USER, ROLE], ids=["user", "role"])
@pytest.mark.parametrize("service", ["dynamodb", "secretsmanager", "lambda", "s3"])
@pytest.mark.parametrize("name", REQUESTS)
def test_a_signature_is_the_one_that_botocore_makes(
    name: str, service: str, credentials: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, path, headers, body = REQUESTS[name]
    payload_hash = hashlib.sha256(body).hexdigest()
    if service == "s3":
        headers = {**headers, "x-amz-content-sha256": payload_hash}

    signer = Signer(
        credentials,
        Scope(timestamp(NOW)[:8], "eu-central-1", service),
        method=method,
        path=path,
        headers={**headers, "host": "service.example:8443"},
    )

    authorization = signer.authorization(timestamp(NOW), payload_hash)

    request = AWSRequest(method, f"https://service.example:8443{path}", headers=headers, data=body)
    theirs = auth.S3SigV4Auth if service == "s3" else auth.SigV4Auth
    _at_now(theirs(_theirs(credentials), service, "eu-central-1"), request)
    assert authorization == request.headers["Authorization"]
    assert timestamp(NOW) == request.headers["X-Amz-Date"]


@pytest.mark.parametrize("credentials", [USER, ROLE], ids=["user", "role"])
@pytest.mark.parametrize("path", ["/answers/1", "/bucket/answers/a%20b%2B%C3%A9~", "/100%25"])
def test_a_presigned_address_is_the_one_that_botocore_makes(path: str, credentials: Credentials) -> None:
    scope = Scope(timestamp(NOW), "us-east-1", "s3")

    query = presign(credentials, scope, method="GET", host="bucket.s3.example", path=path, expires=900)

    request = AWSRequest("GET", f"https://bucket.s3.example{path}")
    _at_now(auth.S3SigV4QueryAuth(_theirs(credentials), "s3", "us-east-1", expires=900), request)
    assert query == urlsplit(request.url).query


def test_credentials_do_not_show_their_secret() -> None:
    shown = repr(ROLE)

    assert shown == "Credentials(access_key_id='ASIAEXAMPLE')"


def _at_now(signer: auth.SigV4Auth, request: AWSRequest) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auth, "get_current_datetime", lambda: datetime.fromtimestamp(NOW, UTC).replace(tzinfo=None))
        signer.add_auth(request)


def _theirs(credentials: Credentials) -> BotoCredentials:
    return BotoCredentials(*credentials)
