"""What is asked of whom, and what is refused before anything is spent."""

from contextlib import nullcontext
from typing import Any

import pytest

from gateway.core import errors
from gateway.core.caller import Caller
from gateway.core.catalogue import Catalogue, Model, Prefix, Symmetry
from gateway.core.embedding import EmbeddingRequest, Input, Item, Purpose
from gateway.core.estimates import estimate_tokens
from gateway.core.plan import Plan, Variant, make_plan
from gateway.core.ports import ProviderCall
from gateway.core.vocabulary import Vocabularies, Vocabulary, none_at_hand
from tests.fakes.models import make_caller, make_model, make_provider, make_route

TITLED = make_model(
    shortenable=True,
    accepts_title=True,
    symmetry=Symmetry.BY_PURPOSE,
    purposes={Purpose.QUERY: "native", Purpose.DOCUMENT: Prefix("passage: "), Purpose.CLUSTERING: Prefix("group: ")},
)


def plan(model: Model, *contents: Input, caller: Caller | None = None, **asked: Any) -> Plan:
    """For these contents, all of the same purpose, title and length; what else is asked is the request's."""
    of_items = {name: asked.pop(name) for name in ("purpose", "title", "dimensions") if name in asked}
    items = tuple(Item(content=content, **of_items) for content in contents or ("a b c",))
    return plan_items(model, *items, caller=caller, **asked)


def plan_items(
    model: Model, *items: Item, caller: Caller | None = None, vocabularies: Vocabularies = none_at_hand, **asked: Any
) -> Plan:
    request = EmbeddingRequest(model=model.name, items=items, **asked)
    return make_plan(request, caller or make_caller(), Catalogue([model], [make_provider()]), "eu", vocabularies)


def whole_call(made: Plan) -> ProviderCall:
    """The one call for all inputs."""
    return made.call(range(len(made.keys)), timeout=9)


def variant(made: Plan) -> Variant:
    """The one way in which all vectors are made."""
    assert len(set(made.variants)) == 1
    return made.variants[0]


def lengths(made: Plan) -> tuple[int, int, int | None]:
    """The lengths of the caller's vectors, of the cached ones, and the one that the vendor is asked for."""
    return variant(made).dimensions, variant(made).cached_dimensions, whole_call(made).dimensions


def test_a_model_that_does_not_exist_is_not_found() -> None:
    request = EmbeddingRequest(model="nobody", items=(Item(content="a"),))

    with pytest.raises(errors.ModelNotFound):
        make_plan(request, make_caller(), Catalogue([make_model()], [make_provider()]), "eu")


def test_a_call_knows_the_provider_that_the_route_names() -> None:
    assert whole_call(plan(make_model())).provider == make_provider()


def test_a_key_limited_to_other_models_is_refused() -> None:
    with pytest.raises(errors.NotPermitted):
        plan(make_model(), caller=make_caller(models=frozenset({"another"})))


def test_a_model_of_another_region_is_refused_and_says_where_it_is() -> None:
    with pytest.raises(errors.WrongRegion, match="us"):
        plan(make_model(routes=(make_route(region="us"),)))


def test_only_routes_of_this_region_are_taken() -> None:
    routes = (make_route(name="there", region="us"), make_route(name="here"))

    assert plan(make_model(routes=routes)).route.name == "here"


def test_of_several_routes_here_the_first_is_taken() -> None:
    routes = (make_route(name="first"), make_route(name="second"))

    assert plan(make_model(routes=routes)).route.name == "first"


def test_a_deployment_names_a_route() -> None:
    routes = (make_route(name="first"), make_route(name="second"))

    assert plan(make_model(routes=routes), deployment="second").route.name == "second"


@pytest.mark.parametrize("deployment", ["nowhere", "there"])
def test_a_deployment_that_is_not_here_is_not_found(deployment: str) -> None:
    routes = (make_route(), make_route(name="there", region="us"))

    with pytest.raises(errors.ModelNotFound):
        plan(make_model(routes=routes), deployment=deployment)


@pytest.mark.parametrize("wanted", [None, 8])
def test_the_native_length_may_be_asked_of_any_model(wanted: int | None) -> None:
    assert lengths(plan(make_model(), dimensions=wanted)) == (8, 8, None)


def test_shorter_vectors_are_made_from_the_longest() -> None:
    assert lengths(plan(make_model(shortenable=True), dimensions=3)) == (3, 8, None)


def test_a_vendor_that_shortens_by_itself_is_told_the_length() -> None:
    model = make_model(dimension_choices=(4,), routes=(make_route(accepts_dimensions=True),))

    assert lengths(plan(model, dimensions=4)) == (4, 4, 4)


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        (make_model(), 4),
        (make_model(shortenable=True), 9),
        (make_model(shortenable=True, min_dimensions=4), 3),
        (make_model(shortenable=True, dimension_choices=(2, 4)), 3),
        (make_model(routes=(make_route(accepts_dimensions=True),)), 9),
    ],
)
def test_a_length_the_model_cannot_make_is_refused(model: Model, wanted: int) -> None:
    with pytest.raises(errors.UnsupportedParameter) as caught:
        plan(model, dimensions=wanted)

    assert caught.value.param == "dimensions"


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (make_model(), "it always makes 8"),
        (make_model(shortenable=True, dimension_choices=(4, 2)), "it makes 2, 4, 8"),
        (make_model(shortenable=True, min_dimensions=4), "it makes 4 to 8"),
        (make_model(routes=(make_route(accepts_dimensions=True),)), "it makes 1 to 8"),
    ],
)
def test_the_refusal_of_a_length_says_which_there_are(model: Model, words: str) -> None:
    with pytest.raises(errors.UnsupportedParameter, match=f"; {words}."):
        plan(model, dimensions=9)


def test_a_symmetric_model_takes_every_purpose_and_makes_the_same_vector() -> None:
    model = make_model()

    keys = {plan(model, purpose=purpose).keys for purpose in (None, *Purpose)}

    assert len(keys) == 1


def test_purposes_of_an_asymmetric_model_have_keys_of_their_own() -> None:
    keys = {plan(TITLED, purpose=purpose).keys for purpose in (None, *TITLED.purposes)}

    assert len(keys) == 4


def test_a_purpose_that_the_vendor_knows_is_passed_on() -> None:
    call = whole_call(plan(TITLED, "a", purpose=Purpose.QUERY))

    assert (call.inputs, call.purpose) == (("a",), Purpose.QUERY)


def test_a_prefix_goes_before_every_text_and_stays_out_of_the_vendors_words() -> None:
    call = whole_call(plan(TITLED, "a", "b", purpose=Purpose.DOCUMENT))

    assert (call.inputs, call.purpose) == (("passage: a", "passage: b"), None)


def test_a_prefix_cannot_stand_before_token_ids() -> None:
    with pytest.raises(errors.UnsupportedParameter) as caught:
        plan(TITLED, "text", (1, 2), purpose=Purpose.DOCUMENT)

    assert caught.value.param == "purpose"


def test_a_prefix_stands_before_token_ids_that_became_text() -> None:
    model = make_model(
        symmetry=Symmetry.BY_PURPOSE,
        purposes={Purpose.QUERY: Prefix("query: ")},
        routes=(make_route(accepts_tokens=False),),
        vocabulary="two",
    )

    made = plan(model, (1, 0), purpose=Purpose.QUERY, vocabularies=lambda name: Vocabulary(name, (b"lo", b"hel")))

    assert whole_call(made).inputs == ("query: hello",)


def test_a_token_id_that_no_vocabulary_has_is_refused_with_the_number_of_its_input() -> None:
    model = make_model(routes=(make_route(accepts_tokens=False),), vocabulary="two")

    with pytest.raises(errors.InvalidRequest) as caught:
        plan(model, (1, 0), (2,), vocabularies=lambda name: Vocabulary(name, (b"lo", b"hel")))

    assert caught.value.param == "input[1]"


def test_what_is_missing_is_named_once_by_its_first_place() -> None:
    made = plan(make_model(), "a", "b", "a", "c", "c")

    assert made.missing({made.keys[1]}) == [0, 3]


def test_a_purpose_the_model_does_not_know_is_refused() -> None:
    model = make_model(symmetry=Symmetry.BY_PURPOSE, purposes={Purpose.QUERY: "native"})

    with pytest.raises(errors.UnsupportedParameter, match="query"):
        plan(model, purpose=Purpose.CLUSTERING)


def test_a_title_needs_a_model_that_takes_one() -> None:
    with pytest.raises(errors.UnsupportedParameter):
        plan(make_model(title_prefix=""), title="On cats")
    assert whole_call(plan(make_model(accepts_title=True), title="On cats")).title == "On cats"


def test_too_many_inputs_are_refused() -> None:
    assert plan(make_model(max_inputs=2), "a", "b")
    with pytest.raises(errors.RequestTooLarge, match="at most 2"):
        plan(make_model(max_inputs=2), "a", "b", "c")


@pytest.mark.parametrize(("item", "count"), [((1, 2, 3, 4), "has 4 tokens"), ("a b c d", "has at least 4 tokens")])
def test_an_input_that_is_certainly_too_long_is_refused_with_its_place(item: Input, count: str) -> None:
    with pytest.raises(errors.InputTooLong, match=f"input 1 {count}") as caught:
        plan(make_model(max_tokens=3 if isinstance(item, tuple) else 2), "a", item)

    assert (caught.value.index, caught.value.tokens) == (1, 4)


def test_a_text_that_may_fit_is_left_to_the_vendor() -> None:
    assert plan(make_model(max_tokens=3), "abcdefghijklmnop")


def test_a_truncating_model_takes_any_length_and_reserves_no_more_than_it_reads() -> None:
    made = plan(make_model(max_tokens=2, truncate=True), "a b c d e f")

    assert made.estimates[0] == 2
    assert whole_call(made).truncate


def test_too_many_tokens_together_are_refused() -> None:
    with pytest.raises(errors.RequestTooLarge, match="max 5 tokens"):
        plan(make_model(max_request_tokens=5), (1, 2, 3), (4, 5, 6))


@pytest.mark.parametrize("fits", [True, False])
def test_texts_are_refused_together_if_they_look_more_than_twice_too_large(*, fits: bool) -> None:
    """No text of one word is certainly too large."""
    text = "e" * 60
    half = -(-estimate_tokens(text) // 2)
    refusal = pytest.raises(errors.RequestTooLarge, match=f"about {estimate_tokens(text)} tokens, max {half - 1}")

    with nullcontext() if fits else refusal:
        plan(make_model(max_request_tokens=half if fits else half - 1), text)


def test_token_ids_for_a_text_only_route_are_refused_with_the_way_out() -> None:
    with pytest.raises(errors.UnsupportedParameter, match="check_embedding_ctx_length=False"):
        plan(make_model(routes=(make_route(accepts_tokens=False),)), (1, 2))


@pytest.mark.parametrize(("one", "other"), [({"user": "a"}, {"user": "b"}), ({"dimensions": 3}, {"dimensions": 4})])
def test_user_and_shorter_lengths_share_a_key(one: dict[str, Any], other: dict[str, Any]) -> None:
    model = make_model(shortenable=True)

    assert plan(model, **one).keys == plan(model, **other).keys


def test_parameters_passed_through_have_a_key_of_their_own() -> None:
    model = make_model()

    assert plan(model, extra={"truncate": "END"}).keys != plan(model).keys


def test_inputs_have_a_purpose_a_title_and_a_length_each() -> None:
    items = (
        Item(content="a", purpose=Purpose.QUERY, dimensions=2),
        Item(content="a", title="On a"),
        Item(content="a", dimensions=8),
    )

    made = plan_items(TITLED, *items)

    assert [found.dimensions for found in made.variants] == [2, 8, 8]
    assert [found.shape.purpose for found in made.variants] == [Purpose.QUERY, None, None]
    assert [found.shape.title for found in made.variants] == [None, "On a", None]
    assert len(set(made.keys)) == 3
    for item, key in zip(items, made.keys, strict=True):
        assert plan_items(TITLED, item).keys == (key,)


def test_lengths_of_one_shortenable_model_and_prefixes_share_a_call() -> None:
    made = plan_items(
        TITLED,
        Item(content="a", dimensions=2),
        Item(content="b", purpose=Purpose.DOCUMENT, dimensions=3),
        Item(content="c", purpose=Purpose.CLUSTERING),
    )

    calls = [made.call(positions, timeout=9) for positions in made.slices([0, 1, 2])]

    assert [call.inputs for call in calls] == [("a", "passage: b", "group: c")]


@pytest.mark.parametrize("apart", [{"purpose": Purpose.QUERY}, {"title": "On b"}])
def test_inputs_of_another_purpose_or_title_are_in_another_call(apart: dict[str, Any]) -> None:
    made = plan_items(TITLED, Item(content="a"), Item(content="b", **apart), Item(content="c"))

    assert list(made.slices([0, 1, 2])) == [[0, 2], [1]]


def test_lengths_that_the_vendor_makes_are_in_calls_of_their_own() -> None:
    model = make_model(dimension_choices=(2, 4), routes=(make_route(accepts_dimensions=True),))
    short, longer = Item(content="a", dimensions=2), Item(content="b", dimensions=4)
    made = plan_items(model, short, longer, short)

    calls = [made.call(positions, timeout=9) for positions in made.slices([0, 1, 2])]

    assert [(call.inputs, call.dimensions) for call in calls] == [(("a", "a"), 2), (("b",), 4)]


def test_slices_hold_no_more_than_the_vendor_takes() -> None:
    made = plan(make_model(routes=(make_route(max_inputs=2),)), *"abcde")

    assert list(made.slices([0, 2, 3, 4])) == [[0, 2], [3, 4]]


def test_slices_hold_no_more_tokens_than_the_vendor_takes() -> None:
    made = plan(make_model(routes=(make_route(max_tokens=5),)), (1, 2), (3, 4, 5), (6,), (7, 8, 9, 10, 11, 12), (13,))

    assert list(made.slices([0, 1, 2, 3, 4])) == [[0, 1], [2], [3], [4]]


@pytest.mark.parametrize(("positions", "index", "number"), [([1, 4], 1, 4), ([3], 0, 3)])
def test_a_call_names_an_input_by_its_number_in_the_request(positions: list[int], index: int, number: int) -> None:
    call = plan(make_model(), *"abcde").call(positions, timeout=9)

    error = call.input_too_long(index, tokens=300, limit=256)

    assert (error.index, error.param, error.tokens, error.limit) == (number, f"input[{number}]", 300, 256)


def test_the_input_of_a_call_that_is_the_whole_request_needs_no_number() -> None:
    assert whole_call(plan(make_model(), "a")).input_too_long(0, tokens=300, limit=256).param == "input"


def test_a_call_carries_what_is_the_request_s() -> None:
    call = whole_call(plan(make_model(), user="u1", extra={"priority": 3}))

    assert (call.user, call.extra, call.timeout) == ("u1", {"priority": 3}, 9)


def test_only_what_is_missing_is_reserved() -> None:
    made = plan(make_model(), (1, 2, 3), (4, 5), (6,))

    assert made.tokens_to_reserve(100, [0, 2]) == 4
