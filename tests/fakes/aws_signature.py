"""Checks a signature as AWS does: botocore signs the request that arrived once more."""

import re
from collections.abc import Mapping

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=[^/]+/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request, "
    r"SignedHeaders=(?P<names>[^,]+), Signature=(?P<signature>[0-9a-f]{64})"
)


def is_right(method: str, target: str, headers: Mapping[str, str], body: bytes, *, secret: str, service: str) -> bool:
    """Whether the request was signed with that secret for that service, host and session included."""
    found = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if not found or found["service"] != service:
        return False
    names = found["names"].split(";")
    if "host" not in names or ("x-amz-security-token" in headers) != ("x-amz-security-token" in names):
        return False
    signed = {name: headers.get(name, "") for name in names}
    request = AWSRequest(method, f"http://{headers['host']}{target}", headers=signed, data=body)
    request.context["timestamp"] = headers.get("x-amz-date", "")
    auth = SigV4Auth(Credentials("any", secret, headers.get("x-amz-security-token")), service, found["region"])
    text = auth.string_to_sign(request, auth.canonical_request(request))
    return bool(auth.signature(text, request) == found["signature"])
