"""Whether each store can be asked now, past every memory: what `/health?deep=1` says."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final

import msgspec

from gateway.aws.dynamodb import DynamoDb
from gateway.aws.errors import AwsError, ConditionFailed, NotFound, reason_of
from gateway.aws.secrets_manager import Vault

NOBODY: Final = "health"
"""The name of what does not exist: who learns that it is not there has read."""

NO_VECTOR: Final = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
"""Base64 of a key of 32 bytes that no input has."""

Check = Callable[[], Any]
"""Asks a store for something, whatever it answers; raises `AwsError`."""


class StoreHealth:
    """The port `Health` over checks, by the name of their store."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks

    def __call__(self) -> Mapping[str, str]:
        """Ask every store, one after the other, each within its own time limit: `ok`, or a word for what is wrong."""
        return {name: _state(check) for name, check in self._checks.items()}


def store_checks(
    dynamodb: DynamoDb, secrets: Vault, *, catalogue: str, cache: str, usage: str, keys: str, provider_keys: str
) -> dict[str, Check]:
    """Checks of these tables, and of the secrets below these prefixes, by rights that the function has anyway."""
    return {
        "catalogue": partial(dynamodb.get_item, catalogue, {"pk": {"S": NOBODY}, "sk": {"S": NOBODY}}, _Anything),
        "vector_cache": partial(_read_vectors, dynamodb, cache),
        "usage": partial(_write_nothing, dynamodb, usage),
        "api_keys": partial(_read_secret, secrets, keys + NOBODY),
        "provider_keys": partial(_read_secret, secrets, provider_keys + NOBODY),
    }


def _state(check: Check) -> str:
    try:
        check()
    except AwsError as error:
        return reason_of(error)
    return "ok"


class _Anything(msgspec.Struct):
    """An item of which nothing is read."""


def _read_vectors(dynamodb: DynamoDb, table: str) -> None:
    dynamodb.begin_batch_get(table, [{"key": {"B": NO_VECTOR}}], _Anything, attributes=("key",)).finish()


def _write_nothing(dynamodb: DynamoDb, table: str) -> None:
    """The usage table may only be written, so it is, under a condition that never holds."""
    with suppress(ConditionFailed):
        dynamodb.begin_update_item(
            table,
            {"account": {"S": NOBODY}, "minute": {"S": NOBODY}},
            _Anything,
            update="SET #never = :never",
            condition="attribute_exists(#never)",
            names={"#never": "never"},
            values={":never": {"N": "0"}},
            repeatable=True,
        ).finish()


def _read_secret(secrets: Vault, name: str) -> None:
    with suppress(NotFound):
        secrets.text(name)
