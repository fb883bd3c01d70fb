"""Which model is meant by a name, and which rows cannot be a model."""

from typing import Any

import pytest

from gateway.core.catalogue import Catalogue, unknown_providers
from gateway.core.errors import ModelNotFound
from tests.fakes.models import make_model, make_provider, make_route


@pytest.mark.parametrize(("name", "found"), [("one", "one"), ("two", "two"), ("three", "one")])
def test_a_model_is_found_by_its_name_before_another_ones_alias(name: str, found: str) -> None:
    catalogue = Catalogue([make_model(name="one", aliases=("two", "three")), make_model(name="two")], [make_provider()])

    assert catalogue.find(name).name == found


@pytest.mark.parametrize("name", ["", "ONE", "one "])
def test_a_name_is_found_as_it_is_written(name: str) -> None:
    with pytest.raises(ModelNotFound) as caught:
        Catalogue([make_model(name="one")], [make_provider()]).find(name)

    assert caught.value.model == name


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"min_dimensions": 9}, "min_dimensions is 9"),
        ({"dimension_choices": (4, 9)}, "dimension_choices has 9"),
        ({"routes": (make_route(), make_route())}, "routes has 'echo-eu' twice"),
        ({"aliases": ("a", "b", "a")}, "aliases has 'a' twice"),
        ({"aliases": ("echo",)}, "aliases has 'echo' twice"),
    ],
)
def test_what_no_single_field_shows_to_be_wrong_is_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make_model(**wrong)


def test_a_model_may_have_lengths_up_to_its_own() -> None:
    assert make_model(min_dimensions=8, dimension_choices=(8,))


def test_providers_that_are_not_there_are_named_once_and_in_order() -> None:
    routes = tuple(
        make_route(name=name, provider=provider)
        for name, provider in (("r1", "z"), ("r2", "here"), ("r3", "a"), ("r4", "z"))
    )

    assert unknown_providers(make_model(routes=routes), ["here"]) == ["a", "z"]
