"""Who is let in."""

from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import pytest

from gateway.core import api_key
from gateway.core.api_key import ApiKey
from gateway.core.caller import KeyRecord, KeyRecords, OidcToken, Workspace
from gateway.core.catalogue import Catalogue
from gateway.core.errors import StoreUnavailable, Unauthenticated
from gateway.operations.authenticate import Authenticate

KEY = ApiKey(workspace="acme", key_id="key00001", secret="s" * 32)
RECORD = KeyRecord(key_id="key00001", sha256=api_key.digest(KEY.secret), created=1, models=frozenset({"echo"}))
NOW = 1000


@dataclass
class Keys:
    kept: dict[str, KeyRecords] = field(default_factory=lambda: {"acme": {RECORD.key_id: RECORD}})
    asked: list[str] = field(default_factory=list)
    broken: bool = False

    async def records(self, workspace: str, key_id: str) -> KeyRecords:
        self.asked.append(workspace)
        if self.broken:
            raise StoreUnavailable("down")
        return self.kept.get(workspace, {})


@dataclass
class NoModels:
    is_set: bool = True

    async def catalogue(self) -> Catalogue:
        return Catalogue([])

    async def workspace(self, name: str) -> Workspace:
        return Workspace(name=name, dialect="ctyun", is_set=self.is_set)


def authenticate(keys: Keys) -> Authenticate:
    return Authenticate(keys=keys, catalogue=NoModels(), now=lambda: NOW)


async def test_a_known_key_is_its_workspace_with_its_rights() -> None:
    caller = await authenticate(Keys())(KEY.text)

    assert caller.workspace.name == "acme"
    assert caller.key_id == KEY.key_id
    assert caller.may_use("echo")
    assert not caller.may_use("another")
    assert caller.dialect == "ctyun"


@pytest.mark.parametrize("text", [None, "", "sk-something", KEY.text[:-1] + "!"])
async def test_junk_is_refused_without_a_look_up(text: str | None) -> None:
    keys = Keys()

    with pytest.raises(Unauthenticated):
        await authenticate(keys)(text)

    assert not keys.asked


@pytest.mark.parametrize(
    "other", [{"secret": "t" * 32}, {"key_id": "key00002"}, {"workspace": "nobody"}], ids=["secret", "id", "workspace"]
)
async def test_a_key_that_was_never_made_is_refused(other: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated, match="unknown"):
        await authenticate(Keys())(msgspec.structs.replace(KEY, **other).text)


@pytest.mark.parametrize(
    ("change", "word"), [({"disabled": True}, "revoked"), ({"expires": NOW}, "expired"), ({"expires": 1}, "expired")]
)
async def test_a_key_out_of_force_is_refused(change: dict[str, Any], word: str) -> None:
    keys = Keys(kept={"acme": {RECORD.key_id: replace(RECORD, **change)}})

    with pytest.raises(Unauthenticated, match=word):
        await authenticate(keys)(KEY.text)


async def test_a_key_in_force_until_later_is_let_in() -> None:
    keys = Keys(kept={"acme": {RECORD.key_id: replace(RECORD, expires=NOW + 1)}})

    assert await authenticate(keys)(KEY.text)


@dataclass
class AnyToken:
    """An identity provider that vouches for everybody, as of one workspace."""

    workspace: str = "acme"

    async def read(self, token: str) -> OidcToken:
        return OidcToken(workspace=self.workspace, subject="someone")


@pytest.mark.parametrize("text", [KEY.text, "a.signed.token"], ids=["key", "token"])
async def test_nobody_is_let_into_a_workspace_that_was_never_set(text: str) -> None:
    into_nothing = Authenticate(keys=Keys(), catalogue=NoModels(is_set=False), now=lambda: NOW, identity=AnyToken())

    with pytest.raises(Unauthenticated, match="no workspace 'acme'"):
        await into_nothing(text)


async def test_a_token_is_let_into_the_workspace_that_it_is_for() -> None:
    caller = await Authenticate(keys=Keys(), catalogue=NoModels(), now=lambda: NOW, identity=AnyToken())("a.b.c")

    assert (caller.workspace.name, caller.key_id, caller.dialect) == ("acme", "someone", "ctyun")


async def test_nobody_is_let_in_while_keys_cannot_be_checked() -> None:
    with pytest.raises(StoreUnavailable):
        await authenticate(Keys(broken=True))(KEY.text)
