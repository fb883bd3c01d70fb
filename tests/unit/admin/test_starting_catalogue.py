"""The catalogue that a new stage starts with: it is right, and every stage serves all of it."""

from pathlib import Path

import pytest

from gateway.core.catalogue import Catalogue, Model
from infra.admin.catalogue_files import read_folder
from infra.admin.catalogue_rows import find_problems

ROWS = read_folder(Path(__file__).parents[3] / "infra" / "catalogue")
CATALOGUE = Catalogue(ROWS.models.values(), ROWS.providers.values())


def test_nothing_is_wrong_with_it() -> None:
    assert find_problems(ROWS, allows_loopback=False) == []


@pytest.mark.parametrize("region", ["eu", "us"])
@pytest.mark.parametrize("model", list(CATALOGUE.models.values()), ids=lambda model: model.name)
def test_each_region_computes_every_model_once_and_in_that_region(model: Model, region: str) -> None:
    routes = [route for route in model.routes if route.region == region]

    assert len(routes) == 1
    assert CATALOGUE.providers[routes[0].provider].url in {None, f"https://{region}.api.openai.com/v1"}


def test_both_spellings_of_clovis_model_lead_to_one_that_needs_no_vendor() -> None:
    models = {CATALOGUE.find(name).name for name in ("ClovisEmbedding", "ClovisEmbeddings")}

    assert models == {"all-minilm-l6-v2"}
    assert CATALOGUE.providers[CATALOGUE.find("ClovisEmbedding").routes[0].provider].kind == "lambda"


def test_the_routes_of_a_model_differ_in_region_and_provider_alone() -> None:
    """A mistyped merge in the YAML would show here."""
    for model in CATALOGUE.models.values():
        facts = {
            (route.vendor_model, route.revision, route.max_inputs, route.max_tokens, route.accepts_dimensions)
            for route in model.routes
        }
        assert len(facts) == 1, model.name


def test_only_what_openai_shortens_may_be_shortened() -> None:
    shortenable = {
        name: model.shortenable and model.routes[0].accepts_dimensions for name, model in CATALOGUE.models.items()
    }

    assert shortenable == {
        "all-minilm-l6-v2": False,
        "text-embedding-3-small": True,
        "text-embedding-3-large": True,
        "text-embedding-ada-002": False,
    }
