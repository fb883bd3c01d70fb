"""Whether stores can be asked, past every memory and by rights that the function has."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from gateway.aws.errors import AwsRefused, AwsTimeout, AwsUnavailable, ConditionFailed, NotFound, Throttled
from gateway.stores.health import StoreHealth, store_checks


class Aws:
    """DynamoDB and Secrets Manager at once. `fails` has an error by table or secret."""

    def __init__(self, fails: Mapping[str, Exception]) -> None:
        self.fails = {
            "keys/health": NotFound("none", code="ResourceNotFoundException"),
            "vendors/health": NotFound("none", code="ResourceNotFoundException"),
            **fails,
        }
        self.asked: list[str] = []

    def text(self, name: str) -> str:
        return self._ask(name)

    def get_item(self, table: str, *_: Any) -> None:
        self._ask(table)

    def begin_batch_get(self, table: str, *_: Any, **__: Any) -> Any:
        self._ask(table)
        return self

    def begin_update_item(self, table: str, *_: Any, condition: str, **__: Any) -> Any:
        assert condition == "attribute_exists(#never)"
        if table not in self.fails:
            raise ConditionFailed("no", code="ConditionalCheckFailedException", item=msgspec.Raw(b""))
        self._ask(table)

    def finish(self) -> None:
        return None

    def _ask(self, name: str) -> str:
        self.asked.append(name)
        if name in self.fails:
            raise self.fails[name]
        return ""


def health(aws: Any) -> Mapping[str, str]:  # an `Aws`, which has of both clients only what is asked
    checks = store_checks(
        aws,
        aws,
        catalogue="models",
        cache="vectors",
        usage="counts",
        keys="keys/",
        provider_keys="vendors/",
    )
    return StoreHealth(checks)()


PLACES = {
    "catalogue": "models",
    "vector_cache": "vectors",
    "usage": "counts",
    "api_keys": "keys/health",
    "provider_keys": "vendors/health",
}


def test_stores_that_answer_are_ok_though_they_have_nothing() -> None:
    assert health(Aws({})) == dict.fromkeys(PLACES, "ok")


@pytest.mark.parametrize("store", PLACES)
@pytest.mark.parametrize(
    ("error", "word"),
    [
        (AwsTimeout("late"), "timeout"),
        (Throttled("slow"), "throttled"),
        (AwsRefused("no right", code="AccessDeniedException"), "refused"),
        (AwsUnavailable("down"), "unavailable"),
    ],
)
def test_a_store_that_does_not_answer_is_named_with_what_is_wrong(store: str, error: Exception, word: str) -> None:
    assert health(Aws({PLACES[store]: error})) == {**dict.fromkeys(PLACES, "ok"), store: word}


@pytest.mark.parametrize("table", ["catalogue", "vector_cache", "usage"])
def test_a_table_that_does_not_exist_is_not_ok(table: str) -> None:
    assert health(Aws({PLACES[table]: NotFound("no such table", code="ResourceNotFoundException")}))[table] == "refused"
