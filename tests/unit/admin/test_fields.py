import pytest

from infra.admin.failures import NotTried
from infra.admin.fields import read_fields, read_list_of_fields


def test_values_are_what_yaml_makes_of_them() -> None:
    fields = read_fields(
        [
            "price=0.5",
            "name=a b",
            "shortenable=true",
            "aliases=[a, b]",
            "url=https://x/?a=b",
            "key=null",
            "api_version=2024-10-21",
        ]
    )

    assert fields == {
        "price": 0.5,
        "name": "a b",
        "shortenable": True,
        "aliases": ["a", "b"],
        "url": "https://x/?a=b",
        "key": None,
        "api_version": "2024-10-21",
    }


def test_a_route_is_a_list_of_fields() -> None:
    assert read_list_of_fields("provider=p, region=eu,max_inputs=32") == {
        "provider": "p",
        "region": "eu",
        "max_inputs": 32,
    }


@pytest.mark.parametrize("text", ["price", "=1", "", "a={", "a: b=["])
def test_what_is_no_field_is_refused(text: str) -> None:
    with pytest.raises(NotTried):
        read_fields([text])


@pytest.mark.parametrize(
    "value",
    ["9" * 5_000, "[" * 100_000, "{a: " * 5_000, "0x" + "f" * 9, "\x00", "a: b: c", "[1"],
    ids=lambda value: value[:9],
)
def test_a_value_of_any_kind_is_read_or_refused_in_one_sentence(value: str) -> None:
    sentence = ""
    try:
        read_fields([f"name={value}"])
    except NotTried as refused:
        sentence = refused.sentence

    assert len(sentence.splitlines()) <= 1
    assert len(sentence) < 1_000
