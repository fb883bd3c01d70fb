"""What an operator may not write, because nobody could use it."""

from typing import Any

import msgspec
import pytest

from gateway.core.catalogue import Model, Provider, Route
from infra.admin.catalogue_rows import Rows, find_problems

PROVIDER: dict[str, Any] = {"name": "p", "kind": "openai", "url": "https://vendor.example/v1"}
ROUTE: dict[str, Any] = {"name": "r", "provider": "p", "vendor_model": "v", "region": "eu"}
MODEL: dict[str, Any] = {"name": "m", "dimensions": 8}

UNSEEN = [
    "two\nlines",
    "a\tb",
    "nul\x00",
    "\x1b[31mred",
    "\u202eleft",
    "\u200bzero",
    "a\u2028b",
    "\x85",
    "a\xa0b",
    "\ufeff",
]
BLANKS = [" m", "m ", "\u3000m"]


def problems(
    provider: dict[str, Any] | None = None, model: dict[str, Any] | None = None, route: dict[str, Any] | None = None
) -> list[str]:
    """What is wrong with a catalogue of one row each, with these fields."""
    rows = Rows().put(
        msgspec.convert({**PROVIDER, **(provider or {})}, Provider),
        Model(routes=(Route(**{**ROUTE, **(route or {})}),), **{**MODEL, **(model or {})}),
    )
    return find_problems(rows, allows_loopback=False)


def test_an_ordinary_catalogue_has_no_problem() -> None:
    assert problems(model={"name": "BAAI/bge-m3 (é 東京)", "aliases": ("a b",)}, route={"revision": "2026-01"}) == []


@pytest.mark.parametrize("name", [*UNSEEN, *BLANKS, "x" * 257])
@pytest.mark.parametrize("field", ["name", "alias", "owner", "vendor_model", "revision", "region", "route"])
def test_a_name_that_nobody_could_type_is_refused(field: str, name: str) -> None:
    of_route = {"route": "name"}.get(field, field)
    found = {
        "name": lambda: problems(model={"name": name}),
        "alias": lambda: problems(model={"aliases": (name,)}),
        "owner": lambda: problems(model={"owner": name}),
    }.get(field, lambda: problems(route={of_route: name}))()

    assert found
    assert all(sentence.isprintable() for sentence in found)


@pytest.mark.parametrize("name", [*UNSEEN, *BLANKS, "x" * 257])
def test_a_provider_has_a_name_that_can_be_typed(name: str) -> None:
    assert problems(provider={"name": name}, route={"provider": name})


@pytest.mark.parametrize("key", ["", "a b", "é", "a\nb", "x" * 300, "a,b"])
def test_a_key_has_a_name_that_secrets_manager_takes(key: str) -> None:
    assert problems(provider={"key": key})


@pytest.mark.parametrize(
    ("where", "field", "number"),
    [
        ("provider", "timeout", float("inf")),
        ("provider", "timeout", 901.0),
        ("model", "price", float("inf")),
        ("model", "price", float("nan")),
        ("model", "dimensions", 65_537),
        ("model", "dimensions", 10**400),
        ("model", "max_tokens", 2**53 + 1),
        ("model", "max_inputs", 2**60),
        ("model", "cache_ttl", 10**10),
        ("model", "created", 2**60),
        ("route", "concurrency", 1_001),
        ("route", "max_inputs", 2**60),
        ("route", "max_tokens", 2**60),
    ],
)
def test_a_number_that_nothing_has_is_refused(where: str, field: str, number: float) -> None:
    found = problems(**{where: {field: number}})

    assert len(found) == 1
    assert field in found[0]


@pytest.mark.parametrize("region", ["eu-central-1", "EU", "asia", "westeurope"])
def test_a_route_to_a_region_that_is_no_stage_is_refused(region: str) -> None:
    sentence = f"The route 'r' of the model 'm' is in {region!r}, which is no stage: no function would use it. "

    assert problems(route={"region": region}) == [sentence + "The stages are eu, us."]


def test_choices_of_length_need_a_model_that_can_be_shortened() -> None:
    assert problems(model={"dimension_choices": (4,)}) == [
        "The model 'm' has dimension_choices, but is not shortenable."
    ]


@pytest.mark.parametrize(
    "path",
    ["embeddings", ".evil.example/v1", "@evil.example/", ":8443/", "/a?b=c", "/a#b", "/a b", "/a\r\nb", "/\\b", "/é"],
)
def test_a_path_is_only_a_path(path: str) -> None:
    assert problems(provider={"settings": {"path": path}})


@pytest.mark.parametrize("path", ["", "/embeddings", "/openai/deployments/{model}/embeddings", "/a%20b;c=1,d"])
def test_a_usual_path_is_taken(path: str) -> None:
    assert problems(provider={"settings": {"path": path}}) == []


@pytest.mark.parametrize(
    "url",
    [
        "https://a..b/v1",
        "https://.a.b/v1",
        "https://a.b../v1",
        f"https://{'x' * 64}.example/v1",
        f"https://{'.'.join(['x' * 60] * 5)}/v1",
        "https://-a.example/",
        "https://bücher.example/v1",
        "https://user@vendor.example/v1",
        "https://vendor.example:0x50/v1",
        "https://vendor.example:70000/v1",
        "https://vendor.example/v1?key=1",
        "https://vendor.example/v1#a",
        "https://vendor example/v1",
        "https://vendor.example\t/v1",
        "https:///v1",
        "https://",
        "//vendor.example",
    ],
)
def test_an_address_that_no_call_could_go_to_is_refused(url: str) -> None:
    assert problems(provider={"url": url})


@pytest.mark.parametrize(
    "headers",
    [
        *({name: "1"} for name in ("Content-Length", "transfer-encoding", "HOST", "connection", "keep-alive", "TE")),
        *({name: "1"} for name in ("trailer", "upgrade", "expect", "content-encoding", "Proxy-Connection")),
        {"x-a": "1\r\nx-b: 2"},
        {"x-a": "1\n"},
        {"x-a": "\x00"},
        {"x-a": "\x7f"},
        {"x-a": "東京"},
        {"x-a\r\nx-b": "1"},
        {"x a": "1"},
        {"x-a:": "1"},
        {"": "1"},
        {"é": "1"},
    ],
    ids=str,
)
def test_a_header_that_would_break_a_call_is_refused(headers: dict[str, str]) -> None:
    assert problems(provider={"settings": {"headers": headers}})


@pytest.mark.parametrize("name", ["host", "content-length", "a b", "x\r\ny", ""])
def test_a_key_goes_in_a_header_that_can_be_sent(name: str) -> None:
    assert problems(provider={"settings": {"auth_header": name}})
