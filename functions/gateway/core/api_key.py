"""Keys of callers: `egw_<workspace>_<key id>_<secret><checksum>`.

The checksum (CRC-32 of everything before it, six base-62 digits) lets junk be refused without a look-up, and
lets secret scanners recognise a leaked key. It proves nothing: the secret does.
"""

import hashlib
import hmac
import re
import zlib

import msgspec

from gateway.core.errors import Unauthenticated

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
KEY_ID_LENGTH = 8
SECRET_LENGTH = 32
CHECKSUM_LENGTH = 6
WORKSPACE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")

_KEY = re.compile(
    rf"egw_(?P<workspace>{WORKSPACE.pattern})_(?P<key_id>[0-9A-Za-z]{{{KEY_ID_LENGTH}}})"
    rf"_(?P<secret>[0-9A-Za-z]{{{SECRET_LENGTH}}})(?P<checksum>[0-9A-Za-z]{{{CHECKSUM_LENGTH}}})"
)


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a key whose checksum is right."""

    workspace: str
    key_id: str
    secret: str

    def __repr__(self) -> str:
        return f"ApiKey(workspace={self.workspace!r}, key_id={self.key_id!r})"

    @property
    def text(self) -> str:
        """The key as its owner holds it."""
        body = f"egw_{self.workspace}_{self.key_id}_{self.secret}"
        return body + checksum(body)


def parse(text: str) -> ApiKey:
    """The parts of a key; raises `Unauthenticated` for anything that is not one."""
    match = _KEY.fullmatch(text)
    if match is None or checksum(text[:-CHECKSUM_LENGTH]) != match["checksum"]:
        raise Unauthenticated("The API key is not one of this gateway: a key looks like egw_<workspace>_<id>_<secret>.")
    return ApiKey(workspace=match["workspace"], key_id=match["key_id"], secret=match["secret"])


def checksum(body: str) -> str:
    """Six base-62 digits of the CRC-32 of `body`."""
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits


def digest(secret: str) -> str:
    """Hex SHA-256 of a secret: 190 random bits need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def matches(secret: str, sha256: str) -> bool:
    """Whether the secret has that digest, compared in constant time."""
    return hmac.compare_digest(digest(secret), sha256)
