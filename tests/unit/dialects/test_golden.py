"""Every dialect answers as it is written down, byte for byte, and as the vendors' own pages print it."""

import json

import pytest

from gateway.app import ROUTERS
from tests.unit.dialects.golden import Golden, answer_to, every_golden

goldens = pytest.mark.parametrize("golden", every_golden(), ids=lambda golden: golden.name)


@goldens
async def test_an_answer_is_the_one_written_down(golden: Golden) -> None:
    response = await answer_to(golden)

    text = response.text.replace(response.headers["x-request-id"], "$REQUEST_ID")
    assert (response.status_code, text) == (golden.answer["status"], golden.answer["text"])


@goldens
async def test_an_answer_holds_everything_that_the_vendors_page_prints(golden: Golden) -> None:
    response = await answer_to(golden)

    answer = response.json()
    assert golden.document is None or answer | golden.document == answer


@pytest.mark.parametrize("dialect", sorted({router.dialect.name for router in ROUTERS}))
def test_each_dialect_has_an_answer_and_an_error_written_down(dialect: str) -> None:
    statuses = {golden.answer["status"] for golden in every_golden() if golden.name.startswith(f"{dialect}/")}

    assert 200 in statuses
    assert max(statuses) >= 400


@goldens
def test_what_is_written_down_holds_no_key(golden: Golden) -> None:
    assert "egw_" not in json.dumps(golden.request)
