"""Who is let in."""

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from gateway.core import api_key
from gateway.core.api_key import ApiKey
from gateway.core.caller import Caller, KeyLimits, KeyRecord, Limits, OidcToken, Workspace
from gateway.core.errors import StoreUnavailable, Unauthenticated
from gateway.core.ports import OidcVerifier
from gateway.operations.authenticate import Authenticate
from tests.fakes.stores import MemoryApiKeys, MemoryCatalogue

KEY = ApiKey(workspace="acme", key_id="key00001", secret="s" * 32)
RECORD = KeyRecord(sha256=api_key.digest(KEY.secret), created=1, models=frozenset({"echo"}))
ACME = Workspace(name="acme", dialect="ctyun")
NOW = 1000


def stored(**changes: Any) -> MemoryApiKeys:
    """A store with the record of `KEY`, changed like this."""
    return MemoryApiKeys({"acme": {KEY.key_id: msgspec.structs.replace(RECORD, **changes)}})


async def authenticate(
    text: str | None,
    *,
    keys: MemoryApiKeys | None = None,
    workspaces: tuple[Workspace, ...] = (ACME,),
    identity: OidcVerifier | None = None,
) -> Caller:
    return await Authenticate(
        keys=keys or stored(), catalogue=MemoryCatalogue(workspaces=workspaces), now=lambda: NOW, identity=identity
    )(text)


@pytest.mark.parametrize(("text", "missing"), [(None, True), ("", True), ("sk-something", False)])
async def test_a_missing_key_is_another_cause_than_a_wrong_one(text: str | None, *, missing: bool) -> None:
    with pytest.raises(Unauthenticated) as caught:
        await authenticate(text)

    assert caught.value.missing is missing


async def test_a_known_key_is_its_workspace_with_its_rights() -> None:
    caller = await authenticate(KEY.text)

    assert caller.workspace.name == "acme"
    assert caller.key_id == KEY.key_id
    assert caller.may_use("echo")
    assert not caller.may_use("another")
    assert caller.dialect == "ctyun"


@pytest.mark.parametrize("text", [None, "", "sk-something", KEY.text[:-1] + "!"])
async def test_junk_is_refused_without_a_look_up(text: str | None) -> None:
    # A store that is down answers every look-up with another error.
    with pytest.raises(Unauthenticated):
        await authenticate(text, keys=MemoryApiKeys(down=True))


@pytest.mark.parametrize(
    "other", [{"secret": "t" * 32}, {"key_id": "key00002"}, {"workspace": "nobody"}], ids=["secret", "id", "workspace"]
)
async def test_a_key_that_was_never_made_is_refused(other: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated, match="unknown"):
        await authenticate(msgspec.structs.replace(KEY, **other).text)


@pytest.mark.parametrize(
    ("change", "word"), [({"disabled": True}, "revoked"), ({"expires": NOW}, "expired"), ({"expires": 1}, "expired")]
)
async def test_a_key_out_of_force_is_refused(change: dict[str, Any], word: str) -> None:
    with pytest.raises(Unauthenticated, match=word):
        await authenticate(KEY.text, keys=stored(**change))


async def test_a_key_in_force_until_later_is_let_in() -> None:
    assert await authenticate(KEY.text, keys=stored(expires=NOW + 1))


@dataclass
class AnyToken:
    """An identity provider that vouches for everybody, as of one workspace."""

    workspace: str = "acme"

    async def read(self, token: str) -> OidcToken:
        return OidcToken(workspace=self.workspace, subject="someone")


@pytest.mark.parametrize("text", [KEY.text, "a.signed.token"], ids=["key", "token"])
async def test_nobody_is_let_into_a_workspace_that_was_never_set(text: str) -> None:
    with pytest.raises(Unauthenticated, match="no workspace 'acme'"):
        await authenticate(text, workspaces=(), identity=AnyToken())


async def test_a_token_is_let_into_the_workspace_that_it_is_for() -> None:
    caller = await authenticate("a.b.c", identity=AnyToken())

    assert (caller.workspace.name, caller.key_id, caller.dialect) == ("acme", "someone", "ctyun")


@pytest.mark.parametrize("text", ["a.b", "a.b.c.d", "..."])
async def test_only_three_parts_are_a_token(text: str) -> None:
    with pytest.raises(Unauthenticated):
        await authenticate(text, identity=AnyToken())


async def test_without_an_identity_provider_a_token_is_no_key() -> None:
    with pytest.raises(Unauthenticated):
        await authenticate("a.b.c")


async def test_nobody_is_let_in_while_keys_cannot_be_checked() -> None:
    with pytest.raises(StoreUnavailable):
        await authenticate(KEY.text, keys=MemoryApiKeys(down=True))


@pytest.mark.parametrize(("of_the_key", "speaks"), [("openai", "openai"), (None, "ctyun")])
async def test_a_key_speaks_its_own_dialect_before_that_of_its_workspace(of_the_key: str | None, speaks: str) -> None:
    caller = await authenticate(KEY.text, keys=stored(dialect=of_the_key))

    assert caller.dialect == speaks


@pytest.mark.parametrize(
    ("own", "limits"),
    [(None, None), (KeyLimits(requests=3), Limits(requests=3, tokens=60_000)), (KeyLimits(requests=999), Limits())],
)
async def test_a_key_has_its_own_limits_up_to_those_of_its_workspace(
    own: KeyLimits | None, limits: Limits | None
) -> None:
    caller = await authenticate(KEY.text, keys=stored(limits=own))

    assert caller.limits == limits


@pytest.mark.parametrize(
    ("of_the_key", "of_the_workspace"), [("", "ab" * 8), ("ab" * 8, ""), ("ab" * 8, "cd" * 8)], ids=str
)
async def test_a_key_opens_no_other_workspace_of_the_same_name(of_the_key: str, of_the_workspace: str) -> None:
    """Whatever of the two a function still remembers: the old keys, the old settings, or both are new."""
    successor = Workspace(name="acme", id=of_the_workspace)

    with pytest.raises(Unauthenticated, match="removed"):
        await authenticate(KEY.text, keys=stored(workspace_id=of_the_key), workspaces=(successor,))


async def test_a_key_opens_the_workspace_that_it_was_made_for() -> None:
    caller = await authenticate(
        KEY.text, keys=stored(workspace_id="ab" * 8), workspaces=(Workspace(name="acme", id="ab" * 8),)
    )

    assert caller.workspace.id == "ab" * 8
