"""Who computes: one file per vendor. To add one, write the file and put its line into `KINDS`.

Files are imported when a model first needs them: a cold start that answers from the cache imports none.
"""

import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, cast

from msgspec.structs import replace

from gateway.core import catalogue
from gateway.core.embedding import Purpose
from gateway.core.errors import ProviderUnavailable
from gateway.core.ports import Provider, ProviderCall, ProviderKeys

if TYPE_CHECKING:
    from gateway.aws.lambda_functions import Functions
    from gateway.aws.signing import Credentials
    from gateway.outbound.client import HttpClient
    from gateway.providers._credentials import Credential, CredentialSource
    from gateway.providers._vendor import HttpSettings, Vendor


PATH = r"/[!$-;=@-Z\[\]^-~]*"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderDependencies:
    """What providers are made of.

    `client` makes the HTTP client when it is first called, and returns it from then on. `embedded_function` is the name
    of our own model's function, `functions` invokes it. `role` is who the function itself is on AWS.
    """

    keys: ProviderKeys
    client: "Callable[[], HttpClient]"
    embedded_function: str
    functions: "Functions"
    role: "Callable[[], Credentials]"


@dataclass(slots=True)
class Providers:
    """Kind → provider, made when first asked for: `Providers(parts)("openai")`."""

    parts: ProviderDependencies
    _made: dict[str, Provider] = field(default_factory=dict)
    _sources: "dict[str, CredentialSource]" = field(default_factory=dict)

    def __call__(self, kind: str) -> Provider:
        """The provider of that kind; raises `ProviderUnavailable` if this version has none."""
        provider = self._made.get(kind)
        if provider is None:
            provider = self._made[kind] = self._make(kind)
        return provider

    def _make(self, kind: str) -> Provider:
        make = KINDS.get(kind)
        if make is None:
            raise ProviderUnavailable(f"This version of the gateway has no provider of the kind {kind!r}.")
        return make(self)

    async def credentials(self, provider: catalogue.Provider, settings: "HttpSettings") -> "Credential":
        """What proves to that provider that a call is ours; what it took to get it is kept for the next call."""
        source = self._sources.get(provider.auth)
        if source is None:
            source = self._sources[provider.auth] = AUTHS[provider.auth](self.parts)
        return await source(provider, settings)


def _by_key(parts: ProviderDependencies) -> "CredentialSource":
    from gateway.providers._credentials import KeyCredentials  # noqa: PLC0415  (see the module's docstring)

    return KeyCredentials(parts.keys)


def _by_role(parts: ProviderDependencies) -> "CredentialSource":
    from gateway.providers._aws_credentials import AwsCredentials  # noqa: PLC0415  (see the module's docstring)

    return AwsCredentials(parts.role)


def _by_service_account(parts: ProviderDependencies) -> "CredentialSource":
    from gateway.providers._google_tokens import GoogleTokens  # noqa: PLC0415  (see the module's docstring)

    return GoogleTokens(keys=parts.keys, client=parts.client, clock=time.time)


AUTHS: "Mapping[catalogue.Auth, Callable[[ProviderDependencies], CredentialSource]]" = {
    "key": _by_key,
    "aws": _by_role,
    "google-service-account": _by_service_account,
}


@dataclass(frozen=True, slots=True)
class OverHttp:
    """Makes the provider of a vendor whose file is `providers/<name>.py`."""

    name: str

    def __call__(self, providers: Providers) -> Provider:
        from gateway.providers._http import HttpProvider  # noqa: PLC0415  (see the module's docstring)

        return HttpProvider(vendor=self.vendor(), credentials=providers.credentials, client=providers.parts.client())

    def vendor(self) -> "Vendor":
        """The vendor's module."""
        return cast("Vendor", import_module(f"gateway.providers.{self.name}"))


def in_lambda(providers: Providers) -> Provider:
    """Makes the provider of models in Lambda functions, our own and an operator's."""
    from gateway.providers.in_lambda import LambdaProvider  # noqa: PLC0415  (see the module's docstring)

    parts = providers.parts
    return LambdaProvider(own_model=parts.embedded_function, functions=parts.functions)


KINDS: Mapping[str, Callable[[Providers], Provider]] = {
    "bedrock": OverHttp("bedrock"),
    "cohere": OverHttp("cohere"),
    "dashscope": OverHttp("dashscope"),
    "gemini": OverHttp("gemini"),
    "ollama": OverHttp("ollama"),
    "openai": OverHttp("openai"),
    "perplexity": OverHttp("perplexity"),
    "snowflake": OverHttp("snowflake"),
    "tei": OverHttp("tei"),
    "vertex": OverHttp("vertex"),
    "lambda": in_lambda,
    "embedded": in_lambda,  # our own model's kind before there was `lambda`
}


def check_provider(provider: catalogue.Provider, *, allow_loopback: bool = False) -> None:
    """What can be known of an operator's row before it is used: kind, URL, settings and headers.

    Raises a `ValueError` whose message is a sentence for the operator.
    """
    make = _find_kind(provider)
    if provider.url is not None:
        from gateway.outbound.addresses import check_url  # noqa: PLC0415  (see the module's docstring)

        check_url(provider.url, allow_loopback=allow_loopback)
    _check_settings(provider, make)


def _find_kind(provider: catalogue.Provider) -> Callable[[Providers], Provider]:
    make = KINDS.get(provider.kind)
    if make is None:
        raise ValueError(f"Provider {provider.name!r}: there is no kind {provider.kind!r}, only {', '.join(KINDS)}.")
    return make


def _check_settings(provider: catalogue.Provider, make: Callable[[Providers], Provider]) -> None:
    from gateway.outbound.messages import encode_headers  # noqa: PLC0415  (see the module's docstring)
    from gateway.providers._vendor import read_settings  # noqa: PLC0415  (likewise)
    from gateway.providers.in_lambda import Settings  # noqa: PLC0415  (likewise)

    if isinstance(make, OverHttp):
        settings = read_settings(provider, make.vendor().Settings)
        if settings.path and not re.fullmatch(PATH, settings.path):
            raise ValueError(
                f"Settings of provider {provider.name!r}: the path {settings.path!r} must begin with a slash, "
                "without a query, a fragment, a blank or a letter outside ASCII."
            )
        encode_headers({settings.auth_header: settings.auth_scheme or "", **settings.headers})
        _check_auth(provider, settings)
    elif provider.kind == "lambda":
        read_settings(provider, Settings)
    elif provider.settings:
        raise ValueError(f"Settings of provider {provider.name!r}: the kind {provider.kind!r} has none.")


def _check_auth(provider: catalogue.Provider, settings: "HttpSettings") -> None:
    if provider.auth == "google-service-account" and not provider.key:
        raise ValueError(f"Provider {provider.name!r} needs a key: the JSON of its service account.")
    if provider.auth != "aws":
        return
    from gateway.providers._aws_credentials import signing_region  # noqa: PLC0415  (see the module's docstring)

    if provider.key:
        raise ValueError(f"Provider {provider.name!r} needs no key: auth is {provider.auth!r}.")
    signing_region(provider, settings)


def check_route(model: catalogue.Model, route: catalogue.Route, provider: catalogue.Provider) -> None:
    """Whether a route's provider can be asked what the model promises: purposes in its own words, a title, token ids.

    Raises a `ValueError` whose message is a sentence for the operator, but not for a row that `check_provider` refuses.
    """
    try:
        words, accepts_title, accepts_tokens = _abilities(provider)
    except ValueError:
        return
    missing = sorted(purpose for purpose, rule in model.purposes.items() if rule == "native" and purpose not in words)
    problems = {
        f"no word for {', '.join(missing)}; give it by the setting purposes": bool(missing),
        "no place for a title, which the model accepts": model.accepts_title and not accepts_title,
        "no place for token ids, which the route accepts": route.accepts_tokens and not accepts_tokens,
    }
    for problem, applies in problems.items():
        if applies:
            raise ValueError(f"Route {route.name!r}: its provider {provider.name!r} has {problem}.")
    _try_route(model, route, provider)


def _try_route(model: catalogue.Model, route: catalogue.Route, provider: catalogue.Provider) -> None:
    """Build the calls that the route would make, and send none: what a vendor's file refuses, the operator learns."""
    from gateway.providers._vendor import read_settings  # noqa: PLC0415  (see the module's docstring)

    make = KINDS[provider.kind]
    if not isinstance(make, OverHttp):
        return
    vendor, inputs = make.vendor(), ("text",) * min(route.max_inputs, 2)
    call = ProviderCall(
        route=route,
        provider=provider,
        inputs=inputs,
        positions=tuple(range(len(inputs))),
        request_inputs=len(inputs),
        native_dimensions=model.dimensions,
    )
    for purpose in (None, *(purpose for purpose, rule in model.purposes.items() if rule == "native")):
        vendor.build_call(replace(call, purpose=purpose), read_settings(provider, vendor.Settings))


def _abilities(provider: catalogue.Provider) -> tuple[Collection[str], bool, bool]:
    """The purposes that a provider has words for, and whether it takes a title and token ids."""
    from gateway.providers._vendor import purpose_words, read_settings  # noqa: PLC0415  (see the module's docstring)

    make = _find_kind(provider)
    if provider.settings.get("function"):  # it is told all, and says itself what it does not take
        return tuple(Purpose), True, False
    if not isinstance(make, OverHttp):
        return (), False, False
    vendor = make.vendor()
    words = purpose_words(vendor.PURPOSES, read_settings(provider, vendor.Settings))
    return words, vendor.ACCEPTS_TITLE, vendor.ACCEPTS_TOKENS
