"""The fakes answer what vendors' own SDKs sent when `make vendors` recorded it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import vendors

RECORDS = sorted((Path(__file__).parents[2] / "fixtures" / "vendors").glob("*.json"))


@pytest.mark.parametrize("file", RECORDS, ids=lambda file: file.stem)
def test_what_an_sdk_sent_is_understood(file: Path) -> None:
    fake, spoken = vendors.Vendor(file.stem), vendors.SPOKEN[file.stem]
    headers = {spoken.key_header: f"{spoken.key_scheme}{vendors.KEY}"}
    first, *others = json.loads(file.read_text(encoding="utf-8"))

    def answer(asked: dict[str, Any]) -> int:
        return fake.answer("POST", asked["path"], headers, json.dumps(asked["body"]).encode()).status

    # Each SDK asks once what is right, and then what is not.
    assert answer(first) == 200
    assert others
    assert all(400 <= answer(asked) < 500 for asked in others)
