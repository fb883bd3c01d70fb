"""Signature Version 4: a signature of the request that proves the identity of its sender.

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
"""Instead of the digest of the body: S3 accepts it, and TLS protects the body anyway."""

Query = Iterable[tuple[str, str]]
"""Names and values, not yet percent-encoded."""


class Credentials(NamedTuple):
    """The identity that signs a call; roles have a session token."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None

    def __repr__(self) -> str:
        return f"Credentials(access_key_id={self.access_key_id!r})"


class Scope(NamedTuple):
    """Where a signature is valid: one service in one region, on the day of `time` (`20261120T235959Z`)."""

    time: str
    region: str
    service: str

    @property
    def text(self) -> str:
        return f"{self.time[:8]}/{self.region}/{self.service}/aws4_request"


@lru_cache(maxsize=2)  # the calls of one request share a second
def timestamp(now: int) -> str:
    """A Unix time as AWS writes it: `20261120T235959Z`."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))


def encode_query(query: Query) -> str:
    """The query string of a URL, percent-encoded as AWS signs it."""
    return "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in query)


class Signer:
    """Signs the requests of one day that differ only in time and body; everything else is prepared once.

    `scope` may be any of that day. `path` is percent-encoded, as it is sent; names of `headers` are in lower case and
    include `host`.
    """

    def __init__(
        self, credentials: Credentials, scope: Scope, *, method: str, path: str, headers: Mapping[str, str]
    ) -> None:
        signed = {**headers, "x-amz-date": ""}
        if credentials.session_token:
            signed["x-amz-security-token"] = credentials.session_token
        # All services but S3 sign the path encoded a second time.
        path = path if scope.service == "s3" else quote(path, safe="/~")
        before, date, self._after = _canonical_request(method, path, (), signed, "").partition("\nx-amz-date:")
        self._before = before + date
        self._scope = scope.text
        self._key = _signing_key(credentials.secret_access_key, scope)
        self._prefix = (
            f"{ALGORITHM} Credential={credentials.access_key_id}/{scope.text}, "
            f"SignedHeaders={';'.join(sorted(signed))}, Signature="
        )

    def authorization(self, at: str, payload_hash: str) -> str:
        """The `authorization` header of a request whose `x-amz-date` is `at` (see `timestamp`).

        `payload_hash` is the SHA-256 of the body in hex, or `UNSIGNED`.
        """
        canonical = f"{self._before}{at}{self._after}{payload_hash}"
        return self._prefix + hmac.digest(self._key, _text_to_sign(at, self._scope, canonical), "sha256").hex()


def presign(credentials: Credentials, scope: Scope, *, method: str, host: str, path: str, expires: int) -> str:
    """The query string with which anybody can send that request to S3 for `expires` seconds."""
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
    key = _signing_key(credentials.secret_access_key, scope)
    signature = hmac.digest(key, _text_to_sign(scope.time, scope.text, canonical), "sha256")
    return f"{encode_query(query)}&X-Amz-Signature={signature.hex()}"


def _canonical_request(method: str, path: str, query: Query, headers: Mapping[str, str], payload_hash: str) -> str:
    names = sorted(headers)
    lines = [f"{name}:{' '.join(headers[name].split())}" for name in names]
    return "\n".join([method, path, _canonical_query(query), *lines, "", ";".join(names), payload_hash])


def _canonical_query(query: Query) -> str:
    pairs = sorted((_encoded(name), _encoded(value)) for name, value in query)
    return "&".join(f"{name}={value}" for name, value in pairs)


def _text_to_sign(at: str, scope: str, canonical: str) -> bytes:
    return f"{ALGORITHM}\n{at}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}".encode()


def _signing_key(secret: str, scope: Scope) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in scope.text.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")
