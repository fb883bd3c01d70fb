"""What is asked of whom, and what is refused before anything is spent."""

from typing import Any

import pytest

from gateway.core import errors
from gateway.core.catalogue import Model, PurposeRule, Symmetry
from gateway.core.embedding import EmbeddingRequest, Purpose
from gateway.core.plan import Plan, make_plan
from gateway.core.vocabulary import Vocabulary
from tests.fakes.models import make_caller, make_model, make_route


def plan(model: Model, **request: Any) -> Plan:
    asked = EmbeddingRequest(**{"model": model.name, "inputs": ("a b c",), **request})
    return make_plan(asked, make_caller(), model, "eu")


def test_a_key_limited_to_other_models_is_refused() -> None:
    caller = make_caller(models=frozenset({"another"}))

    with pytest.raises(errors.NotPermitted):
        make_plan(EmbeddingRequest(model="echo", inputs=("a",)), caller, make_model(), "eu")


def test_a_model_of_another_region_is_refused_and_says_where_it_is() -> None:
    with pytest.raises(errors.WrongRegion, match="us"):
        plan(make_model(routes=(make_route(region="us"),)))


def test_only_routes_of_this_region_are_taken() -> None:
    routes = (make_route(name="there", region="us"), make_route(name="here"))

    assert plan(make_model(routes=routes)).route.name == "here"


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
    made = plan(make_model(), dimensions=wanted)

    assert (made.dimensions, made.call([0], timeout=9, alone=True).dimensions) == (8, None)


def test_shorter_vectors_are_made_from_the_longest() -> None:
    made = plan(make_model(shortenable=True), dimensions=3)

    assert (made.dimensions, made.cached_dimensions, made.call([0], timeout=9, alone=True).dimensions) == (3, 8, None)


def test_a_vendor_that_shortens_by_itself_is_told_the_length() -> None:
    model = make_model(dimension_choices=(4,), routes=(make_route(accepts_dimensions=True),))

    made = plan(model, dimensions=4)

    assert (made.dimensions, made.cached_dimensions, made.call([0], timeout=9, alone=True).dimensions) == (4, 4, 4)


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


def test_a_symmetric_model_takes_every_purpose_and_makes_the_same_vector() -> None:
    model = make_model()

    keys = {plan(model, purpose=purpose).keys for purpose in (None, *Purpose)}

    assert len(keys) == 1


def test_purposes_of_an_asymmetric_model_have_keys_of_their_own() -> None:
    rules = {Purpose.QUERY: PurposeRule(native=True), Purpose.DOCUMENT: PurposeRule(native=True)}
    model = make_model(symmetry=Symmetry.BY_PURPOSE, purposes=rules)

    keys = {plan(model, purpose=purpose).keys for purpose in (None, *rules)}

    assert len(keys) == 3


def test_a_prefix_goes_before_every_text_and_stays_out_of_the_vendors_words() -> None:
    rules = {Purpose.QUERY: PurposeRule(prefix="query: ")}
    made = plan(make_model(symmetry=Symmetry.BY_PURPOSE, purposes=rules), inputs=("a", "b"), purpose=Purpose.QUERY)

    call = made.call([0, 1], timeout=9, alone=True)

    assert (call.inputs, call.purpose) == (("query: a", "query: b"), None)


def test_a_prefix_cannot_stand_before_token_ids() -> None:
    rules = {Purpose.QUERY: PurposeRule(prefix="query: ")}

    with pytest.raises(errors.UnsupportedParameter) as caught:
        plan(make_model(symmetry=Symmetry.BY_PURPOSE, purposes=rules), inputs=((1, 2),), purpose=Purpose.QUERY)

    assert caught.value.param == "purpose"


def test_a_prefix_stands_before_token_ids_that_became_text() -> None:
    model = make_model(
        symmetry=Symmetry.BY_PURPOSE,
        purposes={Purpose.QUERY: PurposeRule(prefix="query: ")},
        routes=(make_route(accepts_tokens=False),),
        vocabulary="two",
    )
    asked = EmbeddingRequest(model=model.name, inputs=((1, 0),), purpose=Purpose.QUERY)

    made = make_plan(asked, make_caller(), model, "eu", lambda name: Vocabulary(name, (b"lo", b"hel")))

    assert made.call([0], timeout=9, alone=True).inputs == ("query: hello",)


def test_what_is_missing_is_named_once_by_its_first_place() -> None:
    made = plan(make_model(), inputs=("a", "b", "a", "c", "c"))

    assert made.missing({made.keys[1]}) == [0, 3]


def test_a_purpose_the_model_does_not_know_is_refused() -> None:
    model = make_model(symmetry=Symmetry.BY_PURPOSE, purposes={Purpose.QUERY: PurposeRule(native=True)})

    with pytest.raises(errors.UnsupportedParameter, match="query"):
        plan(model, purpose=Purpose.CLUSTERING)


def test_a_title_needs_a_model_that_takes_one() -> None:
    with pytest.raises(errors.UnsupportedParameter):
        plan(make_model(), title="On cats")
    assert plan(make_model(accepts_title=True), title="On cats").call([0], timeout=9, alone=True).title == "On cats"


def test_too_many_inputs_are_refused() -> None:
    with pytest.raises(errors.RequestTooLarge, match="at most 2"):
        plan(make_model(max_inputs=2), inputs=("a", "b", "c"))


@pytest.mark.parametrize("item", [(1, 2, 3, 4), "a b c d"])
def test_an_input_that_is_certainly_too_long_is_refused_with_its_place(item: str | tuple[int, ...]) -> None:
    with pytest.raises(errors.InputTooLong) as caught:
        plan(make_model(max_tokens=3 if isinstance(item, tuple) else 2), inputs=("a", item))

    assert (caught.value.index, caught.value.tokens) == (1, 4)


def test_a_text_that_may_fit_is_left_to_the_vendor() -> None:
    assert plan(make_model(max_tokens=3), inputs=("abcdefghijklmnop",))


def test_a_truncating_model_takes_any_length_and_reserves_no_more_than_it_reads() -> None:
    made = plan(make_model(max_tokens=2, truncate=True), inputs=("a b c d e f",))

    assert made.estimates == (2,)
    assert made.call([0], timeout=9, alone=True).truncate


def test_too_many_tokens_together_are_refused() -> None:
    with pytest.raises(errors.RequestTooLarge, match="max 5 tokens"):
        plan(make_model(max_request_tokens=5), inputs=((1, 2, 3), (4, 5, 6)))


def test_token_ids_for_a_text_only_route_are_refused_with_the_way_out() -> None:
    with pytest.raises(errors.UnsupportedParameter, match="check_embedding_ctx_length=False"):
        plan(make_model(routes=(make_route(accepts_tokens=False),)), inputs=((1, 2),))


@pytest.mark.parametrize(("one", "other"), [({"user": "a"}, {"user": "b"}), ({"dimensions": 3}, {"dimensions": 4})])
def test_user_and_shorter_lengths_share_a_key(one: dict[str, Any], other: dict[str, Any]) -> None:
    model = make_model(shortenable=True)

    assert plan(model, **one).keys == plan(model, **other).keys


def test_parameters_passed_through_have_a_key_of_their_own() -> None:
    model = make_model()

    assert plan(model, extra={"truncate": "END"}).keys != plan(model).keys
