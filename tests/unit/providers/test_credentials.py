"""Proofs of who asks: where a key stands in a call, and where it must not appear."""

from typing import Any

import pytest

from gateway.outbound.messages import HttpCall
from gateway.providers._credentials import Credential, KeyCredentials
from gateway.providers._vendor import HttpSettings
from tests.unit.providers.builders import Keys, a_provider

CALL = HttpCall(url="https://vendor.example/v1", body=b"{}", headers={"accept": "application/json"})


async def credential_of(key: str = "sk-key", **settings: Any) -> Credential:
    source = KeyCredentials(Keys(vendor=key))
    return await source(a_provider(key="vendor"), HttpSettings(**settings))


@pytest.mark.parametrize(
    ("settings", "header"),
    [
        ({}, {"authorization": "Bearer sk-key"}),
        ({"auth_scheme": "Token"}, {"authorization": "Token sk-key"}),
        ({"auth_scheme": ""}, {"authorization": "sk-key"}),
        ({"auth_header": "Api-Key"}, {"api-key": "sk-key"}),
        ({"auth_header": "x-key", "auth_scheme": "Key"}, {"x-key": "Key sk-key"}),
    ],
)
async def test_the_row_decides_where_the_key_stands(settings: dict[str, Any], header: dict[str, str]) -> None:
    credential = await credential_of(**settings)

    assert credential.apply(CALL) == HttpCall(
        url=CALL.url, body=CALL.body, headers={"accept": "application/json", **header}
    )


async def test_white_space_around_a_key_is_no_part_of_it() -> None:
    credential = await credential_of(" sk-key\r\n")

    assert credential.apply(CALL).headers["authorization"] == "Bearer sk-key"


@pytest.mark.parametrize(("key", "name"), [("sk-key", None), (" \n", "vendor")])
async def test_a_vendor_without_a_key_gets_none(key: str, name: str | None) -> None:
    credential = await KeyCredentials(Keys(vendor=key))(a_provider(key=name), HttpSettings())

    assert credential.apply(CALL) is CALL
    assert credential.conceal(b"as it is") == b"as it is"


async def test_a_key_is_shown_nowhere() -> None:
    credential = await credential_of("opaque.token")

    assert "opaque" not in repr(credential)
    assert credential.conceal(b"You sent opaque.token!") == b"You sent [key]!"
