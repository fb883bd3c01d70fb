"""Checks a request against the model, and plans what to ask which provider. Pure."""

import json
from collections import defaultdict
from collections.abc import Container, Iterator, Sequence

import msgspec

from gateway.core.cache_key import cache_key, cache_scope
from gateway.core.caller import Caller
from gateway.core.catalogue import Catalogue, Model, Prefix, Provider, PurposeRule, Route, Symmetry
from gateway.core.embedding import EmbeddingRequest, Input, Item, Purpose
from gateway.core.errors import (
    InputTooLong,
    ModelNotFound,
    NotPermitted,
    RequestTooLarge,
    UnsupportedParameter,
    WrongRegion,
)
from gateway.core.estimates import MARGIN, Estimates, least_tokens, most_tokens
from gateway.core.ports import ProviderCall
from gateway.core.shown import quoted, shown
from gateway.core.slicing import slices
from gateway.core.titles import replaces_prefix, titled
from gateway.core.token_weights import HIGHEST, WEIGHTS, Weights
from gateway.core.vocabulary import MAX_TEXT, Vocabularies, Vocabulary, none_at_hand


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What inputs of one call must share: purpose and title in the provider's words, and the length.

    `dimensions` is the length that the vendor is asked for, `None` for the model's own.
    """

    purpose: Purpose | None
    title: str | None
    dimensions: int | None


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """One way to make a vector; inputs that ask for the same share it.

    `cached_dimensions` is the length at which vectors are asked for and cached, `dimensions` the length that the
    caller gets. `scope` is what the cache keys of its inputs begin with.
    """

    shape: Shape
    prefix: str
    dimensions: int
    cached_dimensions: int
    scope: bytes


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A request that can be served. The tuples have an element per input, in input order.

    `contents` are the inputs as the provider takes them, prefix aside; `estimates` are tokens; `keys` name each
    input's vector in the cache, and `owner` is whose they are.
    """

    request: EmbeddingRequest
    model: Model
    route: Route
    provider: Provider
    contents: tuple[Input, ...]
    variants: tuple[Variant, ...]
    estimates: Estimates
    keys: tuple[bytes, ...]
    owner: bytes

    def missing(self, known: Container[bytes]) -> list[int]:
        """The first position of each distinct input that is not known."""
        first: dict[bytes, int] = {}
        for position, key in enumerate(self.keys):
            if key not in known:
                first.setdefault(key, position)
        return list(first.values())

    def tokens_to_reserve(self, budget: int, positions: Sequence[int]) -> int:
        """The estimate of the inputs at these positions; or all of a smaller budget, if that may be enough."""
        estimate = sum([self.estimates[position] for position in positions])
        if budget < estimate <= MARGIN * budget:
            return max(budget, sum(least_tokens(self.contents[position]) for position in positions))
        return estimate

    def slices(self, positions: Sequence[int]) -> Iterator[list[int]]:
        """The positions, cut into calls that the vendor accepts."""
        by_shape: defaultdict[Shape, list[int]] = defaultdict(list)
        for position in positions:
            by_shape[self.variants[position].shape].append(position)
        for alike in by_shape.values():
            weights = [self.estimates[position] for position in alike]
            for part in slices(weights, max_inputs=self.route.max_inputs, max_tokens=self.route.max_tokens):
                yield [alike[at] for at in part]

    def call(self, positions: Sequence[int], *, timeout: float) -> ProviderCall:
        """The call that asks for the inputs at the positions of one slice, within `timeout` seconds."""
        variant = self.variants[positions[0]]
        return ProviderCall(
            route=self.route,
            provider=self.provider,
            inputs=tuple([self._prefixed(position) for position in positions]),
            positions=tuple(positions),
            request_inputs=len(self.keys),
            native_dimensions=self.model.dimensions,
            dimensions=variant.shape.dimensions,
            purpose=variant.shape.purpose,
            title=variant.shape.title,
            user=self.request.user,
            truncate=self.model.truncate,
            extra=self.request.extra,
            timeout=timeout,
        )

    def _prefixed(self, position: int) -> Input:
        prefix, content = self.variants[position].prefix, self.contents[position]
        return prefix + content if prefix and isinstance(content, str) else content


def make_plan(
    request: EmbeddingRequest,
    caller: Caller,
    catalogue: Catalogue,
    region: str,
    vocabularies: Vocabularies = none_at_hand,
) -> Plan:
    """Check everything that can be known before anything is spent.

    Token ids for a provider that takes only text become text where the model's vocabulary is at hand. Raises
    `ModelNotFound` (also for an unknown deployment), `NotPermitted`, `WrongRegion`, `UnsupportedParameter`,
    `RequestTooLarge`, `InputTooLong`.
    """
    model = catalogue.find(request.model)
    if not caller.may_use(model.name):
        raise NotPermitted(f"This key may not use the model {model.name!r}.", param="model")
    _check_count(request.items, model)
    route = _route(request, model, region)
    variants = _variants(request, caller, model, route)
    contents = _as_taken(request.items, model, route, vocabularies)
    if any(item.title for item in request.items):
        contents = tuple([titled(content, item, model) for content, item in zip(contents, request.items, strict=True)])
    _check_prefixes(contents, variants, request.items)
    estimates = _estimates(contents, model)
    return Plan(
        request=request,
        model=model,
        route=route,
        provider=catalogue.providers[route.provider],
        contents=contents,
        variants=variants,
        estimates=estimates,
        keys=tuple([cache_key(variant.scope, content) for variant, content in zip(variants, contents, strict=True)]),
        owner=caller.workspace.cache_owner,
    )


def _route(request: EmbeddingRequest, model: Model, region: str) -> Route:
    here = [route for route in model.routes if route.region == region]
    if request.deployment is not None:
        named = [route for route in here if route.name == request.deployment]
        if not named:
            raise ModelNotFound(
                f"The model {model.name!r} has no deployment {quoted(request.deployment)} in this region.",
                model=model.name,
                param="deployment",
            )
        return named[0]
    if not here:
        elsewhere = ", ".join(sorted({route.region for route in model.routes})) or "no region"
        raise WrongRegion(
            f"The model {model.name!r} is not computed in the region {region!r} (it is in: {elsewhere}), "
            "and nothing crosses regions.",
            param="model",
        )
    return here[0]


def _variants(request: EmbeddingRequest, caller: Caller, model: Model, route: Route) -> tuple[Variant, ...]:
    asked = [(item.purpose, item.title, item.dimensions) for item in request.items]
    alike = dict(zip(asked, request.items, strict=True))
    made = {kind: _variant(item, request, caller, model, route) for kind, item in alike.items()}
    return tuple([made[kind] for kind in asked])


def _variant(item: Item, request: EmbeddingRequest, caller: Caller, model: Model, route: Route) -> Variant:
    rule = _purpose_rule(item, model)
    dimensions, cached_dimensions = _dimensions(item, model, route)
    prefix = rule.prefix if isinstance(rule, Prefix) and not replaces_prefix(item, model) else ""
    return Variant(
        shape=Shape(
            purpose=item.purpose if rule == "native" else None,
            title=item.title if model.accepts_title else None,
            dimensions=cached_dimensions if cached_dimensions != model.dimensions else None,
        ),
        prefix=prefix,
        dimensions=dimensions,
        cached_dimensions=cached_dimensions,
        scope=_scope(item, request, caller, model, route, dimensions=cached_dimensions, prefix=prefix),
    )


def _purpose_rule(item: Item, model: Model) -> PurposeRule | None:
    if item.purpose is None or model.symmetry is Symmetry.SYMMETRIC:
        return None
    rule = model.purposes.get(item.purpose)
    if rule is None:
        known = ", ".join(sorted(model.purposes)) or "none"
        raise UnsupportedParameter(
            f"The model {model.name!r} has no vectors for the purpose {item.purpose.value!r} (it has: {known}).",
            param="purpose",
            value=item.purpose.value,
        )
    return rule


def _dimensions(item: Item, model: Model, route: Route) -> tuple[int, int]:
    """The length that the caller gets, and the length that the vendor is asked for and the cache keeps."""
    wanted, native = item.dimensions, model.dimensions
    if wanted is None or wanted == native:
        return native, native
    in_range = model.min_dimensions <= wanted < native
    fits = wanted in model.dimension_choices if model.dimension_choices else in_range
    if fits and model.shortenable:
        return wanted, native
    if fits and route.accepts_dimensions:
        return wanted, wanted
    raise UnsupportedParameter(
        f"The model {model.name!r} cannot make vectors of {shown(str(wanted))} dimensions; {_choices(model, route)}.",
        param="dimensions",
        value=wanted,
    )


def _choices(model: Model, route: Route) -> str:
    if not model.shortenable and not route.accepts_dimensions:
        return f"it always makes {model.dimensions}"
    if model.dimension_choices:
        return "it makes " + ", ".join(map(str, sorted({*model.dimension_choices, model.dimensions})))
    return f"it makes {model.min_dimensions} to {model.dimensions}"


def _scope(
    item: Item, request: EmbeddingRequest, caller: Caller, model: Model, route: Route, *, dimensions: int, prefix: str
) -> bytes:
    changes_the_vector = item.purpose is not None and model.symmetry is Symmetry.BY_PURPOSE
    return cache_scope(
        workspace=caller.workspace.cache_scope,
        provider=route.provider,
        vendor_model=route.vendor_model,
        revision=route.revision,
        dimensions=dimensions,
        purpose=item.purpose.value if item.purpose and changes_the_vector else "",
        title=item.title or "",
        prefix=prefix,
        truncate=model.truncate,
        extra=json.dumps(request.extra, sort_keys=True) if request.extra else "",
    )


def _check_count(items: Sequence[Item], model: Model) -> None:
    if len(items) > model.max_inputs:
        raise RequestTooLarge(
            f"The request has {len(items)} inputs; {model.name!r} takes at most {model.max_inputs} in one request.",
            param="input",
        )


def _as_taken(items: Sequence[Item], model: Model, route: Route, vocabularies: Vocabularies) -> tuple[Input, ...]:
    contents = tuple([item.content for item in items])
    if route.accepts_tokens or all(isinstance(content, str) for content in contents):
        return contents
    vocabulary = vocabularies(model.vocabulary) if model.vocabulary else None
    if vocabulary is None:
        raise UnsupportedParameter(
            f"The model {model.name!r} takes text, not token ids. "
            "With LangChain's OpenAIEmbeddings set check_embedding_ctx_length=False.",
            param="input",
        )
    return tuple(_decoded(contents, vocabulary))


def _decoded(contents: Sequence[Input], vocabulary: Vocabulary) -> Iterator[str]:
    room = MAX_TEXT
    for position, content in enumerate(contents):
        text = content if isinstance(content, str) else vocabulary.decode(content, f"input[{position}]", room)
        room -= len(text)
        yield text


def _check_prefixes(contents: Sequence[Input], variants: Sequence[Variant], items: Sequence[Item]) -> None:
    for content, variant, item in zip(contents, variants, items, strict=True):
        if variant.prefix and not isinstance(content, str):
            raise UnsupportedParameter(
                "This model is told its purpose by words before the text, which cannot stand before token ids: "
                "send text.",
                param="purpose",
                value=item.purpose and item.purpose.value,
            )


def _estimates(contents: Sequence[Input], model: Model) -> Estimates:
    """Of inputs that are not certainly too long; most are short enough for that to be seen without an estimate."""
    estimates = Estimates(contents, _weights(model), model.max_tokens if model.truncate else None)
    bounds = [most_tokens(content) for content in contents]
    if not model.truncate and max(bounds, default=0) > model.max_tokens:
        _check_lengths(contents, estimates, model)
    if sum(bounds) > model.max_request_tokens:
        _check_total(contents, estimates, model)
    return estimates


def _weights(model: Model) -> Weights:
    """Those of the model's tokenizer; a vendor that takes token ids counts in the vocabulary in which they are."""
    takes_ids = any(route.accepts_tokens for route in model.routes)
    return WEIGHTS.get(model.tokenizer or (takes_ids and model.vocabulary) or "", HIGHEST)


def _check_lengths(contents: Sequence[Input], estimates: Estimates, model: Model) -> None:
    for position, content in enumerate(contents):
        if most_tokens(content) <= model.max_tokens or estimates[position] <= model.max_tokens:
            continue
        if (least := least_tokens(content)) > model.max_tokens:
            raise InputTooLong.at(
                position, of=len(contents), tokens=least, limit=model.max_tokens, at_least=isinstance(content, str)
            )


def _check_total(contents: Sequence[Input], estimates: Estimates, model: Model) -> None:
    estimate, limit = sum([estimates[position] for position in range(len(contents))]), model.max_request_tokens
    if estimate <= limit:
        return
    least = sum(map(least_tokens, contents))
    if least > limit or estimate > MARGIN * limit:
        raise RequestTooLarge(
            f"Requested about {max(least, estimate)} tokens, max {limit} tokens per request.",
            param="input",
            by_tokens=True,
        )
