"""Who computes: one file per vendor. To add one, write the file and put its line into `KINDS`.

Files are imported when a model first needs them: a cold start that answers from the cache imports none.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, cast

from gateway.core import catalogue
from gateway.core.errors import ProviderUnavailable
from gateway.core.ports import Provider, ProviderKeys

if TYPE_CHECKING:
    from gateway.aws.lambda_functions import Functions
    from gateway.outbound.client import Connections
    from gateway.providers._http import Vendor


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderDependencies:
    """What providers are made of.

    `embedded_function` is the name of our own model's function, `functions` invokes it.
    """

    keys: ProviderKeys
    embedded_function: str
    functions: "Functions"
    allow_loopback: bool = False


@dataclass(slots=True)
class Providers:
    """Kind → provider, made when first asked for: `Providers(parts)("openai")`."""

    parts: ProviderDependencies
    connections: "Connections | None" = None
    _made: dict[str, Provider] = field(default_factory=dict)

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

    def shared_connections(self) -> "Connections":
        """The one object that keeps connections to vendors."""
        from gateway.outbound.client import Connections  # noqa: PLC0415  (see the module's docstring)

        if self.connections is None:
            self.connections = Connections(allow_loopback=self.parts.allow_loopback)
        return self.connections


@dataclass(frozen=True, slots=True)
class OverHttp:
    """Makes the provider of a vendor whose file is `providers/<name>.py`."""

    name: str

    def __call__(self, providers: Providers) -> Provider:
        from gateway.providers._http import HttpProvider  # noqa: PLC0415  (see the module's docstring)

        return HttpProvider(
            vendor=self.vendor(),
            keys=providers.parts.keys,
            connections=providers.shared_connections(),
        )

    def vendor(self) -> "Vendor":
        """The vendor's module."""
        return cast("Vendor", import_module(f"gateway.providers.{self.name}"))


def in_own_lambda(providers: Providers) -> Provider:
    """Makes the provider of our own model."""
    from gateway.providers.embedded import EmbeddedProvider  # noqa: PLC0415  (see the module's docstring)

    parts = providers.parts
    return EmbeddedProvider(function_name=parts.embedded_function, functions=parts.functions)


KINDS: Mapping[str, Callable[[Providers], Provider]] = {
    "openai": OverHttp("openai"),
    "embedded": in_own_lambda,
}


def check_provider(provider: catalogue.Provider, *, allow_loopback: bool = False) -> None:
    """What can be known of an operator's row before it is used: kind, URL and settings.

    Raises a `ValueError` whose message is a sentence for the operator.
    """
    make = KINDS.get(provider.kind)
    if make is None:
        raise ValueError(f"Provider {provider.name!r}: there is no kind {provider.kind!r}, only {', '.join(KINDS)}.")
    if provider.url is not None:
        from gateway.outbound.addresses import check_url  # noqa: PLC0415  (see the module's docstring)

        check_url(provider.url, allow_loopback=allow_loopback)
    _check_settings(provider, make)


def _check_settings(provider: catalogue.Provider, make: Callable[[Providers], Provider]) -> None:
    from gateway.providers._http import read_settings  # noqa: PLC0415  (see the module's docstring)

    if isinstance(make, OverHttp):
        read_settings(provider, make.vendor().Settings)
    elif provider.settings:
        raise ValueError(f"Settings of provider {provider.name!r}: the kind {provider.kind!r} has none.")
