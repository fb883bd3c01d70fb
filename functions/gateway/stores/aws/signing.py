"""Signature Version 4: proof of who asks, made from the request itself.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
import time
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
"""Instead of the body's digest: S3 takes it, and TLS guards the body anyway."""

Query = Iterable[tuple[str, str]]
"""Names and values, not yet encoded."""


class Credentials(NamedTuple):
    """Whose rights a call uses; roles have a session token."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None

    def __repr__(self) -> str:
        return f"Credentials(access_key_id={self.access_key_id!r})"


class Scope(NamedTuple):
    """Where a signature is good: one service in one region, for the day of `time` (`20261120T235959Z`)."""

    time: str
    region: str
    service: str

    @property
    def text(self) -> str:
        return f"{self.time[:8]}/{self.region}/{self.service}/aws4_request"


def timestamp(now: float) -> str:
    """A Unix time in AWS' notation."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))


def encode_query(query: Query) -> str:
    """The query string of a URL, percent-encoded as AWS signs it."""
    return "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in query)


def sign(
    credentials: Credentials,
    scope: Scope,
    *,
    method: str,
    path: str,
    query: Query = (),
    headers: Mapping[str, str],
    payload_hash: str,
) -> dict[str, str]:
    """The headers to send: those given (lower-case names, `host` among them), date, session token, authorization.

    `path` is percent-encoded as it goes over the wire; `payload_hash` is the body's SHA-256 in hex, or `UNSIGNED`.
    """
    signed = {**headers, "x-amz-date": scope.time}
    if credentials.session_token:
        signed["x-amz-security-token"] = credentials.session_token
    names = ";".join(sorted(signed))
    canonical = _canonical_request(method, _canonical_path(scope, path), query, signed, payload_hash)
    signed["authorization"] = (
        f"{ALGORITHM} Credential={credentials.access_key_id}/{scope.text}, "
        f"SignedHeaders={names}, Signature={_signature(credentials, scope, canonical)}"
    )
    return signed


def presign(credentials: Credentials, scope: Scope, *, method: str, host: str, path: str, expires: int) -> str:
    """The query string with which anybody may send that request to S3 for `expires` seconds."""
    query = [
        ("X-Amz-Algorithm", ALGORITHM),
        ("X-Amz-Credential", f"{credentials.access_key_id}/{scope.text}"),
        ("X-Amz-Date", scope.time),
        ("X-Amz-Expires", str(expires)),
        ("X-Amz-SignedHeaders", "host"),
    ]
    if credentials.session_token:
        query.append(("X-Amz-Security-Token", credentials.session_token))
    canonical = _canonical_request(method, path, query, {"host": host}, UNSIGNED)
    return f"{encode_query(query)}&X-Amz-Signature={_signature(credentials, scope, canonical)}"


def _canonical_request(method: str, path: str, query: Query, headers: Mapping[str, str], payload_hash: str) -> str:
    names = sorted(headers)
    lines = [f"{name}:{' '.join(headers[name].split())}" for name in names]
    return "\n".join([method, path, _canonical_query(query), *lines, "", ";".join(names), payload_hash])


def _canonical_query(query: Query) -> str:
    pairs = sorted((_encoded(name), _encoded(value)) for name, value in query)
    return "&".join(f"{name}={value}" for name, value in pairs)


def _canonical_path(scope: Scope, path: str) -> str:
    # Every service but S3 signs the path encoded once more.
    return path if scope.service == "s3" else quote(path, safe="/~")


def _signature(credentials: Credentials, scope: Scope, canonical: str) -> str:
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"{ALGORITHM}\n{scope.time}\n{scope.text}\n{digest}"
    key = _signing_key(credentials.secret_access_key, scope.time[:8], scope.region, scope.service)
    return hmac.digest(key, text.encode(), "sha256").hex()


@lru_cache(maxsize=16)
def _signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")
