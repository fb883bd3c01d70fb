"""Public model name → Model → Route: who computes a model's vectors, where, within which limits, at what price."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from gateway.core.embedding import Purpose
from gateway.core.errors import ModelNotFound


class Symmetry(StrEnum):
    """Whether a model makes the same vector whatever the purpose (then every purpose is honoured by doing nothing)."""

    SYMMETRIC = "symmetric"
    BY_PURPOSE = "by_purpose"


@dataclass(frozen=True, slots=True, kw_only=True)
class PurposeRule:
    """How one purpose reaches the provider: in its own words (`native`), or as text put before each input."""

    native: bool = False
    prefix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Who computes: an operator's row.

    `kind` chooses the file in `providers/`; `key` names the secret that holds the vendor's key, `None` for none.
    `settings` are the kind's own (an api version, a header's name, …).
    """

    name: str
    kind: str
    url: str | None = None
    key: str | None = None
    timeout: float = 25.0
    """Seconds one call may take."""
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __hash__(self) -> int:  # by all fields it would fail, for a mapping has none
        return hash(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where a model leads: a provider, the vendor's name of the model, and what that vendor accepts in one call."""

    name: str
    provider: Provider
    vendor_model: str
    region: str
    revision: str = ""
    """Changes when the vendor changes the weights behind the name; part of every cache key."""
    max_inputs: int = 2048
    """Inputs in one call."""
    max_tokens: int | None = None
    """Tokens of all inputs of one call together."""
    concurrency: int = 4
    """Calls of one request under way at once."""
    accepts_tokens: bool = False
    """Whether the vendor takes token ids."""
    accepts_base64: bool = True
    """Whether the vendor can answer in base64."""
    accepts_dimensions: bool = False
    """Whether the vendor takes a `dimensions` parameter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A public model: what callers may ask of it.

    `dimensions` is the native length of a vector. `shortenable` says that a prefix of the vector, renormalised,
    is the model's own shorter vector (Matryoshka); then any of `dimension_choices` — or, if that is empty, any
    length from `min_dimensions` up — may be asked for. `max_tokens` is the limit of one input,
    `max_request_tokens` of a request. `vocabulary` names the vocabulary in which callers write token ids.
    `price` is US dollars per million tokens. `cache_ttl` is in seconds, 0 for no caching.
    """

    name: str
    dimensions: int
    routes: tuple[Route, ...]
    aliases: tuple[str, ...] = ()
    shortenable: bool = False
    min_dimensions: int = 1
    dimension_choices: tuple[int, ...] = ()
    max_tokens: int = 8192
    max_inputs: int = 2048
    max_contents: int = 100
    """Requests in one batch where a batch is a list of requests, as Gemini's clients send it."""
    max_request_tokens: int = 300_000
    truncate: bool = False
    """Whether an input beyond `max_tokens` is cut instead of refused."""
    normalised: bool = True
    """Whether the vendor's vectors have length one when it shortens them itself."""
    symmetry: Symmetry = Symmetry.SYMMETRIC
    purposes: Mapping[Purpose, PurposeRule] = field(default_factory=dict)
    accepts_title: bool = False
    vocabulary: str | None = None
    price: float | None = None
    cache_ttl: int = 30 * 24 * 3600
    created: int = 0
    """Unix seconds."""
    owner: str = "embeddings-gateway"
    description: str = ""


class Catalogue:
    """Every model this stage knows, found by public name or alias."""

    def __init__(self, models: Iterable[Model]) -> None:
        self.models = {model.name: model for model in models}
        self._aliases = {alias: model for model in self.models.values() for alias in model.aliases}

    def find(self, name: str) -> Model:
        """The model of that public name or alias; raises `ModelNotFound`."""
        model = self.models.get(name) or self._aliases.get(name)
        if model is None:
            raise ModelNotFound(f"The model {name!r} does not exist.", model=name)
        return model
