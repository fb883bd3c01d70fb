"""From what a caller asks and what a model can: what will be asked of whom, or why not. Pure."""

import json
from collections.abc import Container, Sequence

import msgspec

from gateway.core.cache_key import cache_key, cache_scope
from gateway.core.caller import Caller
from gateway.core.catalogue import Model, PurposeRule, Route, Symmetry
from gateway.core.embedding import EmbeddingRequest, Input
from gateway.core.errors import (
    InputTooLong,
    ModelNotFound,
    NotPermitted,
    RequestTooLarge,
    UnsupportedParameter,
    WrongRegion,
)
from gateway.core.ports import ProviderCall
from gateway.core.rate_limit import ESTIMATE_MARGIN, estimate_tokens, least_tokens
from gateway.core.vocabulary import Vocabularies, none_at_hand

_ANY_PURPOSE = PurposeRule()


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A request that can be served.

    `estimates` are tokens per input; `keys` name each input's vector in the cache; `cached_dimensions` is the length
    at which vectors are asked for and remembered, `dimensions` the length the caller gets.
    """

    request: EmbeddingRequest
    model: Model
    route: Route
    rule: PurposeRule
    dimensions: int
    cached_dimensions: int
    estimates: tuple[int, ...]
    keys: tuple[bytes, ...]

    def missing(self, known: Container[bytes]) -> list[int]:
        """Where each input that is not known stands first."""
        first: dict[bytes, int] = {}
        for position, key in enumerate(self.keys):
            if key not in known:
                first.setdefault(key, position)
        return list(first.values())

    def tokens_to_reserve(self, budget: int, known: Container[bytes] = ()) -> int:
        """The estimate of what is not known, each input once; or all of a smaller budget, if it may be enough."""
        missing = self.missing(known)
        estimate = sum(self.estimates[place] for place in missing)
        if budget < estimate <= ESTIMATE_MARGIN * budget:
            return max(budget, sum(least_tokens(self.request.inputs[place]) for place in missing))
        return estimate

    def call(self, positions: Sequence[int], *, timeout: float, alone: bool) -> ProviderCall:
        """The call that asks for the inputs at these positions, within `timeout` seconds."""
        request, rule = self.request, self.rule
        told = self.cached_dimensions if self.cached_dimensions != self.model.dimensions else None
        return ProviderCall(
            route=self.route,
            inputs=tuple(_prefixed(rule.prefix, request.inputs[position]) for position in positions),
            native_dimensions=self.cached_dimensions,
            dimensions=told,
            purpose=request.purpose if rule.native else None,
            title=request.title,
            user=request.user,
            truncate=self.model.truncate,
            extra=request.extra,
            timeout=timeout,
            alone=alone,
        )


def make_plan(
    request: EmbeddingRequest,
    caller: Caller,
    model: Model,
    region: str,
    vocabularies: Vocabularies = none_at_hand,
) -> Plan:
    """Check everything that can be known before anything is spent.

    Token ids for a provider that takes only text become text where the model's vocabulary is at hand. Raises
    `NotPermitted`, `ModelNotFound` (an unknown deployment), `WrongRegion`, `UnsupportedParameter`, `RequestTooLarge`,
    `InputTooLong`.
    """
    if not caller.may_use(model.name):
        raise NotPermitted(f"This key may not use the model {model.name!r}.", param="model")
    route = _route(request, model, region)
    rule = _purpose_rule(request, model)
    dimensions, cached_dimensions = _dimensions(request, model, route)
    _check_title(request, model)
    _check_count(request.inputs, model)
    request = _as_taken(request, model, route, vocabularies)
    _check_prefix(request, rule)
    estimates = tuple(map(estimate_tokens, request.inputs))
    if not model.truncate:
        _check_lengths(request.inputs, estimates, model)
    else:
        estimates = tuple(min(estimate, model.max_tokens) for estimate in estimates)
    _check_total(request.inputs, estimates, model)
    scope = _scope(request, caller, model, route=route, rule=rule, dimensions=cached_dimensions)
    return Plan(
        request=request,
        model=model,
        route=route,
        rule=rule,
        dimensions=dimensions,
        cached_dimensions=cached_dimensions,
        estimates=estimates,
        keys=tuple(cache_key(scope, item) for item in request.inputs),
    )


def _route(request: EmbeddingRequest, model: Model, region: str) -> Route:
    here = [route for route in model.routes if route.region == region]
    if request.deployment is not None:
        named = [route for route in here if route.name == request.deployment]
        if not named:
            raise ModelNotFound(
                f"The model {model.name!r} has no deployment {request.deployment!r} in this region.",
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


def _purpose_rule(request: EmbeddingRequest, model: Model) -> PurposeRule:
    if request.purpose is None or model.symmetry is Symmetry.SYMMETRIC:
        return _ANY_PURPOSE
    rule = model.purposes.get(request.purpose)
    if rule is None:
        known = ", ".join(sorted(model.purposes)) or "none"
        raise UnsupportedParameter(
            f"The model {model.name!r} has no vectors for the purpose {request.purpose.value!r} (it has: {known}).",
            param="purpose",
            value=request.purpose.value,
        )
    return rule


def _dimensions(request: EmbeddingRequest, model: Model, route: Route) -> tuple[int, int]:
    """The length the caller gets, and the length the vendor is asked for and the cache remembers."""
    wanted, native = request.dimensions, model.dimensions
    if wanted is None or wanted == native:
        return native, native
    in_range = model.min_dimensions <= wanted < native
    fits = wanted in model.dimension_choices if model.dimension_choices else in_range
    if fits and model.shortenable:
        return wanted, native
    if fits and route.accepts_dimensions:
        return wanted, wanted
    raise UnsupportedParameter(
        f"The model {model.name!r} cannot make vectors of {wanted} dimensions; {_choices(model, route)}.",
        param="dimensions",
        value=wanted,
    )


def _choices(model: Model, route: Route) -> str:
    if not model.shortenable and not route.accepts_dimensions:
        return f"it always makes {model.dimensions}"
    if model.dimension_choices:
        return "it makes " + ", ".join(map(str, sorted({*model.dimension_choices, model.dimensions})))
    return f"it makes {model.min_dimensions} to {model.dimensions}"


def _check_title(request: EmbeddingRequest, model: Model) -> None:
    if request.title is not None and not model.accepts_title:
        raise UnsupportedParameter(f"The model {model.name!r} takes no title.", param="title", value=request.title)


def _check_prefix(request: EmbeddingRequest, rule: PurposeRule) -> None:
    if rule.prefix and request.purpose and not all(isinstance(item, str) for item in request.inputs):
        raise UnsupportedParameter(
            "This model is told its purpose by words before the text, which cannot stand before token ids: send text.",
            param="purpose",
            value=request.purpose.value,
        )


def _check_count(inputs: Sequence[Input], model: Model) -> None:
    if len(inputs) > model.max_inputs:
        raise RequestTooLarge(
            f"The request has {len(inputs)} inputs; {model.name!r} takes at most {model.max_inputs} in one request.",
            param="input",
        )


def _as_taken(request: EmbeddingRequest, model: Model, route: Route, vocabularies: Vocabularies) -> EmbeddingRequest:
    if route.accepts_tokens or all(isinstance(item, str) for item in request.inputs):
        return request
    vocabulary = vocabularies(model.vocabulary) if model.vocabulary else None
    if vocabulary is None:
        raise UnsupportedParameter(
            f"The model {model.name!r} takes text, not token ids. "
            "With LangChain's OpenAIEmbeddings set check_embedding_ctx_length=False.",
            param="input",
        )
    texts = (
        item if isinstance(item, str) else vocabulary.decode(item, f"input[{index}]")
        for index, item in enumerate(request.inputs)
    )
    return msgspec.structs.replace(request, inputs=tuple(texts))


def _check_lengths(inputs: Sequence[Input], estimates: Sequence[int], model: Model) -> None:
    if max(estimates, default=0) <= model.max_tokens:
        return
    for index, (item, estimate) in enumerate(zip(inputs, estimates, strict=True)):
        if estimate > model.max_tokens and (least := least_tokens(item)) > model.max_tokens:
            raise InputTooLong.at(
                index, of=len(inputs), tokens=least, limit=model.max_tokens, at_least=isinstance(item, str)
            )


def _check_total(inputs: Sequence[Input], estimates: Sequence[int], model: Model) -> None:
    estimate, most = sum(estimates), model.max_request_tokens
    if estimate <= most:
        return
    least = sum(map(least_tokens, inputs))
    if least > most or estimate > ESTIMATE_MARGIN * most:
        raise RequestTooLarge(
            f"Requested about {max(least, estimate)} tokens, max {most} tokens per request.",
            param="input",
            by_tokens=True,
        )


def _scope(
    request: EmbeddingRequest, caller: Caller, model: Model, *, route: Route, rule: PurposeRule, dimensions: int
) -> bytes:
    matters = request.purpose is not None and model.symmetry is Symmetry.BY_PURPOSE
    return cache_scope(
        workspace=caller.workspace.name,
        provider=route.provider.name,
        vendor_model=route.vendor_model,
        revision=route.revision,
        dimensions=dimensions,
        purpose=request.purpose.value if request.purpose and matters else "",
        title=request.title or "",
        prefix=rule.prefix,
        truncate=model.truncate,
        extra=json.dumps(request.extra, sort_keys=True) if request.extra else "",
    )


def _prefixed(prefix: str, item: Input) -> Input:
    return prefix + item if prefix and isinstance(item, str) else item
