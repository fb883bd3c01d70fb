"""A title reaches every model: apart where the vendor has a place for it, otherwise in words before the text."""

from typing import Any

import msgspec
import pytest

from gateway.core.catalogue import Model, Prefix, Symmetry
from gateway.core.embedding import Item, Purpose
from gateway.core.errors import UnsupportedParameter
from gateway.core.titles import titled
from tests.fakes.echo_provider import echo_vector
from tests.fakes.models import make_model
from tests.unit.dialects.stage import Stage

PREFIXED = {"symmetry": Symmetry.BY_PURPOSE, "purposes": {Purpose.DOCUMENT: Prefix(prefix="passage: ")}}


async def vector_of(stage: Stage, text: str, title: str | None = None) -> list[float]:
    body = {"content": {"parts": [{"text": text}]}, "taskType": "RETRIEVAL_DOCUMENT", "title": title}
    response = await stage.post("/v1beta/models/echo:embedContent", **body)
    assert response.status_code == 200, response.text
    values: list[float] = response.json()["embedding"]["values"]
    return values


@pytest.mark.parametrize(
    ("row", "read"),
    [
        ({}, "title: T\na"),
        ({"title_prefix": "title: {title} | text: "}, "title: T | text: a"),
        (PREFIXED, "passage: title: T\na"),
        (PREFIXED | {"title_prefix": "title: {title} | text: "}, "title: T | text: a"),
    ],
)
async def test_a_title_stands_before_the_text_as_the_row_says(row: dict[str, Any], read: str) -> None:
    vector = await vector_of(Stage(models=[make_model(**row)]), "a", "T")

    assert vector == pytest.approx(list(memoryview(echo_vector(read, 8)).cast("f")))


async def test_a_title_is_part_of_what_is_cached_and_counted() -> None:
    stage = Stage()
    vectors = [
        await vector_of(stage, "a"),
        await vector_of(stage, "a", "T"),
        await vector_of(stage, "a", "U"),
        await vector_of(stage, "title: T\na"),
    ]

    assert len(stage.kept) == 4
    assert vectors[0] != vectors[1] != vectors[2]
    assert stage.reserved[1] > stage.reserved[0]


async def test_a_title_that_is_too_long_is_refused_as_its_text_would_be() -> None:
    body = {"content": {"parts": [{"text": "a"}]}, "taskType": "RETRIEVAL_DOCUMENT", "title": "word " * 9_000}

    response = await Stage(models=[make_model(max_tokens=100)]).post("/v1beta/models/echo:embedContent", **body)

    assert response.status_code == 400


@pytest.mark.parametrize(("row", "content"), [({"title_prefix": ""}, "a"), ({}, (1, 2))])
def test_a_title_that_cannot_be_told_is_refused(row: dict[str, Any], content: Any) -> None:
    with pytest.raises(UnsupportedParameter, match="title"):
        titled(content, Item(content=content, purpose=Purpose.DOCUMENT, title="T"), make_model(**row))


def test_a_title_told_apart_stays_out_of_the_text() -> None:
    item = Item(content="a", purpose=Purpose.DOCUMENT, title="T")

    assert titled("a", item, make_model(accepts_title=True, title_prefix="{title}: ")) == "a"


@pytest.mark.parametrize(
    ("template", "good"),
    [
        *(("", True), ("{title}", True), ("a {title}\n", True)),
        *(("none", False), ("{title}{title}", False), ("{t}", False), ("x" * 1000 + "{title}", False)),
    ],
)
def test_a_template_holds_its_title_once(template: str, good: bool) -> None:  # noqa: FBT001
    row = msgspec.to_builtins(make_model()) | {"title_prefix": template}

    if good:
        assert msgspec.convert(row, Model).title_prefix == template
    else:
        with pytest.raises(msgspec.ValidationError, match="title_prefix"):
            msgspec.convert(row, Model)
