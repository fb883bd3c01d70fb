"""What a vendor's file is made of: what it offers to the sender, and what all of them need to build a call."""

import math
from collections.abc import Collection, Mapping
from functools import cache, lru_cache
from typing import Any, Protocol, TypeVar, cast

import msgspec

from gateway.core import catalogue
from gateway.core.embedding import EmbeddingResult, Purpose
from gateway.core.errors import GatewayError, InvalidRequest, ProviderMisbehaved
from gateway.core.ports import ProviderCall
from gateway.core.shown import quoted
from gateway.outbound.messages import HttpCall, HttpReply
from gateway.providers._error_body import UNREADABLE

_Reply = TypeVar("_Reply", bound="msgspec.Struct | list[msgspec.Raw]")
_Settings = TypeVar("_Settings", bound=msgspec.Struct)

MAX_DIGITS = 12
"""Digits of a number of tokens that is believed."""

_ENCODER = msgspec.json.Encoder()


class BadRow(ValueError):
    """The provider's row in the catalogue cannot be used; the message is a sentence for the operator."""


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a row may say about any vendor. A vendor's own `Settings` add to it.

    `path` follows the provider's URL. `auth_scheme` stands before the key, an empty one for none; by default `Bearer`
    in `authorization`, none elsewhere. `headers` are sent with each call; they win over the sender's own. `purposes`
    are words for purposes; they win over the vendor's own.
    """

    path: str = ""
    auth_header: str = "authorization"
    auth_scheme: str | None = None
    headers: dict[str, str] = {}
    purposes: dict[str, str] = {}


class Vendor(Protocol):
    """What a vendor's module offers. All of it is pure.

    The sender adds headers and the credential. The plan has refused what the model does not accept, and the operator's
    command compares what models promise with the constants here, so a vendor checks neither.
    """

    @property
    def PURPOSES(self) -> Mapping[Purpose, str]:  # noqa: N802  (a constant of the module)
        """The vendor's words for purposes."""

    @property
    def ACCEPTS_TITLE(self) -> bool:  # noqa: N802  (likewise)
        """Whether the vendor takes a title."""

    @property
    def ACCEPTS_TOKENS(self) -> bool:  # noqa: N802  (likewise)
        """Whether the vendor takes token ids."""

    @property
    def Settings(self) -> type[HttpSettings]:  # noqa: N802  (a class of the module)
        """What `Provider.settings` may hold."""

    def build_call(self, call: ProviderCall, settings: Any) -> HttpCall:  # Any: the module's own Settings
        """What to send; raises `BadRow`, and `InvalidRequest` for what the vendor cannot be asked."""

    def read_reply(self, call: ProviderCall, reply: HttpReply) -> EmbeddingResult:
        """What a 200 says; raises `ProviderMisbehaved`."""

    def read_error(self, reply: HttpReply, settings: Any) -> GatewayError:  # Any: the module's own Settings
        """What any other status says."""


def read_settings(provider: catalogue.Provider, kind: type[_Settings]) -> _Settings:
    """The provider's settings as its kind's; raises `BadRow` that names the field."""
    try:
        settings: _Settings = _settings(msgspec.json.encode(provider.settings), kind)
    except msgspec.ValidationError as error:
        raise BadRow(f"Settings of provider {provider.name!r}: {error}.") from error
    return settings


@lru_cache(maxsize=64)
def _settings(encoded: bytes, kind: type[_Settings]) -> Any:  # of that kind
    # Cached by JSON: 1 and True are equal in Python, but not for a vendor.
    return msgspec.json.decode(encoded, type=kind)


def address(call: ProviderCall, default: str | None, path: str) -> str:
    """Where the call goes: the URL of the provider's row, or else the vendor's, and the path below it.

    Raises `BadRow` where there is neither.
    """
    url = call.provider.url or default
    if not url:
        raise BadRow(f"The provider {call.provider.name!r} needs an address (url).")
    return url.rstrip("/") + path


def purpose_words(own: Mapping[Purpose, str], settings: HttpSettings) -> Mapping[str, str]:
    """The words of a vendor and of its row by purpose."""
    return {purpose.value: word for purpose, word in own.items()} | settings.purposes


def purpose_word(call: ProviderCall, own: Mapping[Purpose, str], settings: HttpSettings) -> str | None:
    """The word for the call's purpose, `None` if it has none; raises `BadRow` where no word was given for it."""
    if call.purpose is None:
        return None
    word = purpose_words(own, settings).get(call.purpose)
    if word is None:
        raise BadRow(f"Settings of provider {call.provider.name!r}: no word for {call.purpose.value!r}.")
    return word


def encode_body(body: Mapping[str, object], call: ProviderCall, reserved: Collection[str] = ()) -> bytes:
    """The JSON of a body and of the parameters that a caller asked to be passed on.

    Raises `InvalidRequest` for one that the gateway sets itself: those in the body, and the `reserved`.
    """
    for name in call.extra:
        if name in body or name in reserved:
            raise InvalidRequest(f"The parameter {quoted(name)} cannot be passed on: the gateway sets it.", param=name)
    try:
        return _ENCODER.encode({**body, **call.extra})
    except UnicodeEncodeError as error:  # half of a surrogate pair
        raise InvalidRequest("The input holds a character that is not valid Unicode.", param="input") from error


def said(**fields: object) -> dict[str, object]:
    """Those of a body's fields that a call asks for: the others are `None`."""
    return {name: value for name, value in fields.items() if value is not None}


def only_input(call: ProviderCall) -> object:
    """The input of a call to a vendor that takes one; raises `BadRow` where the route sends it several."""
    if len(call.inputs) > 1:
        raise BadRow(f"Route {call.route.name!r}: its vendor takes one input in a call; set max_inputs to 1.")
    return call.inputs[0]


def decode_reply(reply: HttpReply, kind: type[_Reply]) -> _Reply:
    """The JSON of a reply as a type of the vendor's; raises `ProviderMisbehaved`."""
    try:
        document: _Reply = _decoder(cast("type", kind)).decode(reply.body)
    except UNREADABLE as error:
        raise ProviderMisbehaved("The provider's answer is not what its API promises.") from error
    return document


def header_count(reply: HttpReply, name: str) -> int | None:
    """The whole number that a header of the reply holds."""
    text = reply.headers.get(name, "")
    return int(text) if text.isdecimal() and len(text) < MAX_DIGITS else None


def first_count(*counts: float | None) -> int | None:
    """The first of a vendor's counts of tokens that can be true; `None` if none can.

    Some say 0 or -1 where they do not count, and no input is empty.
    """
    return next((int(count) for count in counts if count and 0 < count < math.inf), None)


@cache
def _decoder(kind: type) -> Any:  # a decoder of that kind
    return msgspec.json.Decoder(kind, strict=False)  # some write their counts and indexes as text
