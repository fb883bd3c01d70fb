"""The rows that ship for vendors: each is right, has its figures' sources, and works against its vendor's fake."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from msgspec.structs import replace

from gateway.aws.signing import Credentials
from gateway.core.catalogue import Model, Provider, Route
from gateway.core.embedding import Input
from gateway.core.ports import ProviderCall
from gateway.outbound.client import HttpClient
from gateway.providers import KINDS, OverHttp
from gateway.providers._aws_credentials import AwsCredentials
from gateway.providers._credentials import KeyCredentials
from gateway.providers._http import HttpProvider
from infra.admin.catalogue_files import read_file, read_sources
from infra.admin.catalogue_rows import Rows, find_problems
from tests.fakes import cohere_vendor, openai_likes, vendors
from tests.fakes.vendor_server import FakeVendor, running
from tests.unit.providers.builders import Keys

FOLDER = Path(__file__).parents[3] / "infra" / "catalogue" / "vendors"
FILES = {file.stem: file for file in sorted(FOLDER.glob("*.yaml"))}
ROWS = {name: Rows().put(*read_file(file)) for name, file in FILES.items()}
MODELS = [(name, model) for name, rows in ROWS.items() for model in rows.models.values()]
KEY = vendors.KEY


def fake_of(name: str) -> FakeVendor:
    if name in {"cohere", "foundry"}:
        return cohere_vendor.Vendor(KEY)
    return vendors.Vendor(openai_likes.SPOKEN.get(name, name))


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_wrong_with_a_vendor_s_rows(name: str) -> None:
    assert find_problems(ROWS[name], allows_loopback=False) == []


def test_all_of_them_can_be_loaded_together() -> None:
    together = Rows().put(*(row for rows in ROWS.values() for row in rows.by_key().values()))

    assert find_problems(together, allows_loopback=False) == []
    assert len(together.models) == len(MODELS)


@pytest.mark.parametrize("name", FILES)
def test_every_figure_says_where_it_is_from(name: str) -> None:
    stated = {"dimensions", "limits", "normalised", "price"}
    models = ROWS[name].models.values()
    stated |= {"purposes"} if any(model.purposes for model in models) else set()
    stated |= {"ends"} if any(route.ends for model in models for route in model.routes) else set()

    sources = read_sources(FILES[name])

    assert sources.keys() == stated
    assert all(urlsplit(source.page).scheme == "https" for source in sources.values())


def calls(model: Model, route: Route, row: Provider) -> Mapping[str, ProviderCall]:
    """The calls that a model's row promises: its own length, its shortest, each purpose, as many texts as fit."""
    inputs: tuple[Input, ...] = ("one", "two")[: route.max_inputs]
    usual = ProviderCall(
        route=route,
        provider=row,
        inputs=inputs,
        positions=tuple(range(len(inputs))),
        request_inputs=len(inputs),
        native_dimensions=model.dimensions,
    )
    found = {"as it is": usual}
    if route.accepts_dimensions and model.shortenable:
        found["shortest"] = replace(usual, dimensions=min(model.dimension_choices or (model.min_dimensions,)))
    found |= {purpose: replace(usual, purpose=purpose) for purpose, rule in model.purposes.items() if rule == "native"}
    short = found.get("shortest", usual)
    most = replace(short, inputs=("text",) * route.max_inputs, positions=tuple(range(route.max_inputs)))
    return found | {"as many as fit": most}


@pytest.mark.parametrize(("name", "model"), MODELS, ids=[model.name for _, model in MODELS])
async def test_a_row_is_answered_with_vectors_of_the_length_that_it_promises(
    name: str, model: Model, client: HttpClient
) -> None:
    async with running(fake_of(name)) as url:
        for route in model.routes:
            row = at(ROWS[name].providers[route.provider], url)
            for told, call in calls(model, route, row).items():
                result = await provider_of(row, client).embed(call)

                lengths = {len(vector) // 4 for vector in result.vectors}
                assert (len(result.vectors), lengths) == (len(call.inputs), {call.dimensions or model.dimensions}), told


def at(row: Provider, url: str) -> Provider:
    """The row, with the fake in place of its vendor."""
    settings: dict[str, Any] = {**row.settings, "region": "eu-central-1"} if row.auth == "aws" else row.settings
    return replace(row, url=url + urlsplit(row.url or "").path, key=row.key and "vendor", settings=settings)


def provider_of(row: Provider, client: HttpClient) -> HttpProvider:
    make = KINDS[row.kind]
    assert isinstance(make, OverHttp)
    credentials = (
        AwsCredentials(lambda: Credentials("AKIDEXAMPLE", KEY))
        if row.auth == "aws"
        else KeyCredentials(Keys(vendor=KEY))
    )
    return HttpProvider(vendor=make.vendor(), credentials=credentials, client=client)


@pytest.fixture
async def client() -> Any:
    made = HttpClient(allow_loopback=True)
    yield made
    await made.aclose()


def test_a_price_and_an_end_have_bounds() -> None:
    route = msgspec.to_builtins(MODELS[0][1].routes[0])

    for wrong in ({"price": -1}, {"ends": "soon"}, {"ends": "2027-02-30"}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(route | wrong, Route)
