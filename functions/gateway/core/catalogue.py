"""Public name → Model → Route → Provider: who computes a model's vectors, where, within which limits, at what price.

These classes are also the operator's rows: what is stored is their JSON, with their bounds.
"""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gateway.core.embedding import Purpose
from gateway.core.errors import ModelNotFound
from gateway.core.shown import quoted
from gateway.core.token_weights import Tokenizer

Name = Annotated[str, Meta(min_length=1)]
AtLeastOne = Annotated[int, Meta(ge=1)]
NotNegative = Annotated[int, Meta(ge=0)]


class Symmetry(StrEnum):
    """Whether a model makes the same vector for every purpose (then every purpose gets that vector)."""

    SYMMETRIC = "symmetric"
    BY_PURPOSE = "by_purpose"


class Prefix(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A purpose that reaches the model as text before each input."""

    prefix: str


PurposeRule = Literal["native"] | Prefix
"""How one purpose reaches the provider: in the vendor's own words (`native`), or as text before each input."""


Auth = Literal["key", "aws", "google-service-account"]
"""How a vendor knows that a call is ours: a stored key, a signature of the function's own role, or a fetched token."""


class Provider(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who computes: an operator's row.

    `kind` chooses the file in `providers/`; `key` names the secret that holds the vendor's key, `None` for none.
    `settings` are the kind's own (an api version, a header's name, …).
    """

    name: Name
    kind: Name
    url: str | None = None
    key: str | None = None
    auth: Auth = "key"
    timeout: Annotated[float, Meta(gt=0)] = 25.0
    """Seconds one call may take."""
    settings: dict[str, Any] = {}


class Route(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a model leads: a provider, the vendor's name of the model, and what that vendor accepts in one call."""

    name: Name
    provider: Name
    """The name of a `Provider`."""
    vendor_model: Name
    region: Name
    revision: str = ""
    """Changes when the vendor changes the weights behind the name; part of every cache key."""
    max_inputs: AtLeastOne = 2048
    """Inputs in one call."""
    max_tokens: AtLeastOne | None = None
    """Tokens of all inputs of one call together."""
    concurrency: AtLeastOne = 4
    """Calls of one request that are under way at once."""
    accepts_tokens: bool = False
    """Whether the vendor takes token ids."""
    accepts_base64: bool = True
    """Whether the vendor can answer in base64."""
    accepts_dimensions: bool = False
    """Whether the vendor takes a `dimensions` parameter."""
    price: Annotated[float, Meta(ge=0)] | None = None
    """US dollars per million tokens, where this route's region has another price than the model."""
    ends: date | None = None
    """The day from which the vendor may no longer serve it, as it has announced."""


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A public model: what callers may ask of it.

    `dimensions` is the native length of a vector. `shortenable` says that a prefix of the vector, renormalised,
    is the model's own shorter vector (Matryoshka); then any of `dimension_choices` may be asked for, or, if that is
    empty, any length from `min_dimensions` up. `max_tokens` is the limit of one input, `max_request_tokens` of a
    request. `vocabulary` names the vocabulary in which callers write token ids. `tokenizer` is the family of
    vocabularies in which the model counts, for estimates; `None` takes the highest. `price` is US dollars per million
    tokens. `cache_ttl` is in seconds, 0 for no caching.
    """

    name: Name
    dimensions: AtLeastOne
    routes: Annotated[tuple[Route, ...], Meta(min_length=1)]
    aliases: tuple[Name, ...] = ()
    shortenable: bool = False
    min_dimensions: AtLeastOne = 1
    dimension_choices: tuple[AtLeastOne, ...] = ()
    max_tokens: AtLeastOne = 8192
    max_inputs: AtLeastOne = 2048
    max_contents: AtLeastOne = 100
    """Requests in one batch where a batch is a list of requests, as Gemini's clients send it."""
    max_request_tokens: AtLeastOne = 300_000
    truncate: bool = False
    """Whether an input beyond `max_tokens` is cut instead of refused."""
    normalised: bool = True
    """Whether the vendor's vectors have length one, at every length that it is asked for; if not, they get it here."""
    symmetry: Symmetry = Symmetry.SYMMETRIC
    purposes: dict[Purpose, PurposeRule] = {}
    accepts_title: bool = False
    title_prefix: Annotated[str, Meta(max_length=1000, pattern=r"^([^{}]*\{title\}[^{}]*)?$")] | None = None
    """How a title stands before the text, if the vendor has no place for it: words with `{title}` in them.

    They also replace the purpose's prefix. `None` puts `title: {title}` and a line break after that; an empty text
    refuses titles.
    """
    vocabulary: str | None = None
    tokenizer: Tokenizer | None = None
    price: Annotated[float, Meta(ge=0)] | None = None
    cache_ttl: NotNegative = 30 * 24 * 3600
    created: NotNegative = 0
    """Unix seconds."""
    owner: str = "embeddings-gateway"
    description: str = ""

    def __post_init__(self) -> None:
        """Raises `ValueError` for mistakes that field types do not catch."""
        _check_dimensions(self)
        _check_distinct("routes", [route.name for route in self.routes])
        _check_distinct("aliases", [self.name, *self.aliases])


def _check_dimensions(model: Model) -> None:
    native = model.dimensions
    if model.min_dimensions > native:
        raise ValueError(f"min_dimensions is {model.min_dimensions}, more than the {native} dimensions there are")
    for choice in model.dimension_choices:
        if choice > native:
            raise ValueError(f"dimension_choices has {choice}, more than the {native} dimensions there are")


def _check_distinct(field: str, names: list[str]) -> None:
    for position, name in enumerate(names):
        if name in names[:position]:
            raise ValueError(f"{field} has {name!r} twice")


class Catalogue:
    """Every model that this stage can serve, found by public name or alias, and the providers they lead to."""

    def __init__(self, models: Iterable[Model], providers: Iterable[Provider]) -> None:
        self.models = {model.name: model for model in models}
        self.providers = {provider.name: provider for provider in providers}
        self._aliases = {alias: model for model in self.models.values() for alias in model.aliases}

    def find(self, name: str) -> Model:
        """The model of that public name or alias; raises `ModelNotFound`."""
        model = self.models.get(name) or self._aliases.get(name)
        if model is None:
            raise ModelNotFound(f"The model {quoted(name)} does not exist.", model=name)
        return model


def unknown_providers(model: Model, providers: Iterable[str]) -> list[str]:
    """The names of providers that the model leads to and that are not among these."""
    return sorted({route.provider for route in model.routes} - set(providers))
