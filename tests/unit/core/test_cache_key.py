"""What tells two vectors apart, and what does not; and the keys under which running stages have cached vectors."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.cache_key import cache_key, cache_scope, distinct
from gateway.core.caller import Caller, Workspace
from gateway.core.catalogue import Catalogue, Model, Provider
from gateway.core.embedding import EmbeddingRequest, Input, Item, Purpose
from gateway.core.plan import make_plan
from gateway.vocabularies import vocabulary_at_hand

SCOPE: dict[str, Any] = {
    "workspace": "acme",
    "provider": "openai-eu",
    "vendor_model": "m",
    "revision": "1",
    "dimensions": 8,
    "purpose": "query",
    "title": "",
    "prefix": "",
    "truncate": False,
    "extra": "",
}
inputs = st.one_of(st.text(), st.lists(st.integers(0, 2**31 - 1)).map(tuple))


@given(inputs, inputs)
def test_only_equal_inputs_share_a_key(one: Input, other: Input) -> None:
    scope = cache_scope(**SCOPE)

    assert (cache_key(scope, one) == cache_key(scope, other)) == (one == other)


@pytest.mark.parametrize("name", SCOPE)
def test_everything_that_changes_a_vector_changes_its_key(name: str) -> None:
    changed = {**SCOPE, name: {"dimensions": 9, "truncate": True}.get(name, f"{SCOPE[name]}x")}

    assert cache_scope(**changed) != cache_scope(**SCOPE)


@given(st.text(max_size=4), st.text(max_size=4), st.text(max_size=4), st.text(max_size=4))
def test_neighbouring_fields_do_not_run_into_each_other(a: str, b: str, c: str, d: str) -> None:
    one = cache_scope(**{**SCOPE, "purpose": a, "title": b})
    other = cache_scope(**{**SCOPE, "purpose": c, "title": d})

    assert (one == other) == ((a, b) == (c, d))


@pytest.mark.parametrize(("one", "other"), [("Apple", "apple"), ("apple", " apple"), ("\u00e9", "e\u0301")])
def test_texts_are_compared_byte_by_byte(one: str, other: str) -> None:
    scope = cache_scope(**SCOPE)

    assert cache_key(scope, one) != cache_key(scope, other)


def test_distinct_keys_keep_their_order() -> None:
    assert distinct([b"b", b"a", b"b"]) == (b"b", b"a")


STORED: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "fixtures" / "stored" / "6d0eea7.json").read_text(encoding="utf-8")
)
ROWS = STORED["catalogue_rows"]
CATALOGUE = Catalogue(
    [msgspec.json.decode(row["document"], type=Model) for row in ROWS if row["sk"].startswith("model#")],
    [msgspec.json.decode(row["document"], type=Provider) for row in ROWS if row["sk"].startswith("provider#")],
)


def items(asked: dict[str, Any]) -> tuple[Item, ...]:
    purpose = Purpose(asked["purpose"]) if "purpose" in asked else None
    return tuple(
        Item(
            content=content if isinstance(content, str) else tuple(content),
            purpose=purpose,
            title=asked.get("title"),
            dimensions=asked.get("dimensions"),
        )
        for content in asked["inputs"]
    )


def keys(asked: dict[str, Any], *items: Item) -> list[str]:
    """The cache keys of these items in a request of that model, workspace, region, …."""
    request = EmbeddingRequest(
        model=asked["model"], items=items, deployment=asked.get("deployment"), extra=asked.get("extra", {})
    )
    caller = Caller(workspace=Workspace(name=asked["workspace"]), key_id="any")
    plan = make_plan(request, caller, CATALOGUE, asked["region"], vocabulary_at_hand)
    return [key.hex() for key in plan.keys]


@pytest.mark.parametrize("case", STORED["cache_keys"], ids=lambda case: "-".join(map(str, case["request"].values())))
def test_what_stages_have_cached_is_found(case: dict[str, Any]) -> None:
    assert keys(case["request"], *items(case["request"])) == case["keys"]


def requests_that_may_be_one() -> list[list[dict[str, Any]]]:
    """Stored requests that differ in nothing but their inputs, and in how these are to be embedded."""
    alike: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for case in STORED["cache_keys"]:
        shared = {name: case["request"].get(name) for name in ("model", "workspace", "region", "deployment", "extra")}
        alike[json.dumps(shared)].append(case)
    return [cases for cases in alike.values() if len(cases) > 1]


@pytest.mark.parametrize("cases", requests_that_may_be_one(), ids=lambda cases: cases[0]["request"]["model"])
def test_what_stages_have_cached_is_found_whatever_else_is_in_the_request(cases: list[dict[str, Any]]) -> None:
    everything = [item for case in cases for item in items(case["request"])]

    assert keys(cases[0]["request"], *everything) == [key for case in cases for key in case["keys"]]
