"""The table of kinds: each makes a provider, each is imported only when it is needed, each checks its rows."""

import subprocess
import sys
from typing import Any

import pytest

from gateway.aws.lambda_functions import Functions
from gateway.core.errors import ProviderUnavailable
from gateway.providers import KINDS, ProviderDependencies, Providers, check_provider
from gateway.providers._http import HttpProvider
from gateway.providers.embedded import EmbeddedProvider
from tests.fakes.aws import make_aws
from tests.unit.providers.builders import Keys, a_provider

FUNCTIONS = Functions(make_aws("http://127.0.0.1:1"))
"""Nothing here invokes any."""


def parts(**changes: Any) -> ProviderDependencies:
    return ProviderDependencies(**{"keys": Keys(), "embedded_function": "model", "functions": FUNCTIONS, **changes})


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_makes_a_provider_once(kind: str) -> None:
    providers = Providers(parts())

    assert providers(kind) is providers(kind)


def test_a_vendor_over_http_has_its_parts() -> None:
    providers = Providers(parts())

    provider = providers("openai")

    assert isinstance(provider, HttpProvider)
    assert provider.vendor.__class__.__name__ == "module"
    assert provider.connections is providers.shared_connections()


def test_our_own_model_has_its_parts() -> None:
    provider = Providers(parts())("embedded")

    assert provider == EmbeddedProvider(function_name="model", functions=FUNCTIONS)


def test_a_kind_of_a_later_version_is_unavailable() -> None:
    with pytest.raises(ProviderUnavailable, match="'telepathy'"):
        Providers(parts())("telepathy")


def test_importing_the_table_imports_no_vendor() -> None:
    script = (
        "import sys; sys.path.insert(0, 'functions'); import gateway.providers; "
        "print([name for name in sys.modules if name.split('.')[0] in ('asyncio', 'httpx', 'ssl') "
        "or name.startswith('gateway.providers.')])"
    )

    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert printed == "[]\n"


@pytest.mark.parametrize(
    "row",
    [
        {"kind": "openai"},
        {"kind": "openai", "url": None},
        {"kind": "openai", "settings": {"api_version": "2024-10-21", "auth_header": "api-key"}},
        {"kind": "embedded", "url": None},
    ],
)
def test_a_row_that_can_be_used_is_accepted(row: dict[str, Any]) -> None:
    check_provider(a_provider(**row))


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"kind": "telepathy"}, "no kind 'telepathy', only openai, embedded"),
        ({"url": "http://vendor.example"}, "https://"),
        ({"url": "https://10.0.0.1"}, "not a public address"),
        ({"settings": {"pth": "/x"}}, "'vendor'.*pth"),
        ({"kind": "embedded", "url": None, "settings": {"path": "/x"}}, "'embedded' has none"),
    ],
)
def test_a_row_that_cannot_is_refused_with_a_sentence(row: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        check_provider(a_provider(**row))


def test_the_local_stack_s_rows_may_name_its_machine() -> None:
    check_provider(a_provider(url="http://127.0.0.1:8080/v1"), allow_loopback=True)
