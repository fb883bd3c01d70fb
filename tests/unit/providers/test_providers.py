"""The table of kinds: each makes a provider, each is imported only when it is needed, each checks its rows."""

import subprocess
import sys
from typing import Any

import pytest

from gateway.aws.lambda_functions import Functions
from gateway.aws.signing import Credentials
from gateway.core.catalogue import Model, Prefix
from gateway.core.embedding import Purpose
from gateway.core.errors import ProviderUnavailable
from gateway.outbound.client import HttpClient
from gateway.providers import KINDS, OverHttp, ProviderDependencies, Providers, check_provider, check_route
from gateway.providers._http import HttpProvider
from gateway.providers._vendor import HttpSettings
from gateway.providers.in_lambda import LambdaProvider
from tests.fakes.aws import make_aws
from tests.unit.providers.builders import Keys, a_provider, a_route

ROLE = Credentials("AKIDEXAMPLE", "secret", "session")
FUNCTIONS = Functions(make_aws("http://127.0.0.1:9"))


def parts(**changes: Any) -> ProviderDependencies:
    return ProviderDependencies(
        **{
            "keys": Keys(),
            "client": HttpClient,
            "embedded_function": "model",
            "functions": FUNCTIONS,
            "role": lambda: ROLE,
            **changes,
        }
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_makes_a_provider_once(kind: str) -> None:
    providers = Providers(parts())

    assert providers(kind) is providers(kind)


def test_a_vendor_over_http_has_its_parts() -> None:
    client = HttpClient()

    provider = Providers(parts(client=lambda: client))("openai")

    assert isinstance(provider, HttpProvider)
    assert provider.vendor.__class__.__name__ == "module"
    assert provider.client is client


def test_our_own_model_has_its_parts() -> None:
    provider = Providers(parts())("embedded")

    assert provider == LambdaProvider(own_model="model", functions=FUNCTIONS)


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
        {"kind": "openai", "settings": {"errors": "voyage", "purposes": {"query": "query"}}},
        {"kind": "cohere", "settings": {"path": "/providers/cohere/v2/embed", "auth_header": "api-key"}},
        {"kind": "embedded", "url": None},
        {"kind": "lambda", "url": None},
        {"kind": "lambda", "url": None, "settings": {"function": "mine", "purposes": {"query": "q"}}},
        {"kind": "bedrock", "url": "https://bedrock-runtime.eu-central-1.amazonaws.com", "auth": "aws"},
        {"kind": "bedrock", "auth": "aws", "settings": {"region": "eu-central-1"}},
    ],
)
def test_a_row_that_can_be_used_is_accepted(row: dict[str, Any]) -> None:
    check_provider(a_provider(**row))


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"kind": "telepathy"}, "no kind 'telepathy', only bedrock, cohere, "),
        ({"url": "http://vendor.example"}, "https://"),
        ({"url": "https://10.0.0.1"}, "not a public address"),
        ({"settings": {"pth": "/x"}}, "'vendor'.*pth"),
        ({"settings": {"headers": {"content-length": "9"}}}, "content-length"),
        ({"settings": {"headers": {"x-a": "b\r\nc: d"}}}, "x-a"),
        ({"settings": {"auth_header": "api key"}}, "api key"),
        ({"settings": {"errors": "of others"}}, "'vendor'.*errors"),
        ({"kind": "cohere", "settings": {"api_version": "1"}}, "'vendor'.*api_version"),
        ({"kind": "embedded", "url": None, "settings": {"path": "/x"}}, "'embedded' has none"),
        ({"kind": "lambda", "url": None, "settings": {"funktion": "mine"}}, "'vendor'.*funktion"),
        ({"auth": "aws"}, "'openai' is not signed"),
        ({"kind": "bedrock", "auth": "aws"}, "names no AWS region"),
        ({"kind": "bedrock", "auth": "aws", "key": "vendor"}, "needs no key"),
        ({"kind": "vertex", "settings": {"project": "p"}}, "location"),
        (
            {"kind": "vertex", "auth": "google-service-account", "settings": {"project": "p", "location": "eu"}},
            "needs a key",
        ),
    ],
)
def test_a_row_that_cannot_is_refused_with_a_sentence(row: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        check_provider(a_provider(**row))


def test_the_local_stack_s_rows_may_name_its_machine() -> None:
    check_provider(a_provider(url="http://127.0.0.1:8080/v1"), allow_loopback=True)


def a_model(**changes: Any) -> Model:
    return Model(**{"name": "m", "dimensions": 2, "routes": (), **changes})


PROMISES_KEPT: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "nothing special": ({}, {}, {}),
    "a word of the row": (
        {"purposes": {Purpose.QUERY: "native"}},
        {},
        {"settings": {"purposes": {"query": "retrieval.query"}}},
    ),
    "a purpose that is told by a prefix": ({"purposes": {Purpose.QUERY: Prefix("query: ")}}, {}, {}),
    "a word of the vendor": ({"purposes": {Purpose.QUERY: "native"}}, {}, {"kind": "cohere"}),
    "a word of the row beside the vendor's": (
        {"purposes": {Purpose.QUERY: "native", Purpose.SIMILARITY: "native"}},
        {},
        {"kind": "cohere", "settings": {"purposes": {"similarity": "clustering"}}},
    ),
    "token ids": ({}, {"accepts_tokens": True}, {}),
    "an operator's function, told all": (
        {"purposes": {Purpose.QUERY: "native"}, "accepts_title": True},
        {},
        {"kind": "lambda", "url": None, "settings": {"function": "mine"}},
    ),
    "our own model": ({}, {}, {"kind": "embedded", "url": None}),
    "what is refused elsewhere": (
        {"purposes": {Purpose.QUERY: "native"}},
        {"accepts_tokens": True},
        {"kind": "cohere", "settings": {"pth": "/x"}},
    ),
    "a kind nobody knows": ({"accepts_title": True}, {}, {"kind": "telepathy"}),
}


@pytest.mark.parametrize(("model", "route", "provider"), PROMISES_KEPT.values(), ids=PROMISES_KEPT)
def test_a_route_whose_provider_can_do_what_the_model_promises_is_accepted(
    model: dict[str, Any], route: dict[str, Any], provider: dict[str, Any]
) -> None:
    row = a_provider(**provider)

    check_route(a_model(**model), a_route(**route), row)


PROMISES_BROKEN: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any], str]] = {
    "no words at all": (
        {"purposes": {Purpose.QUERY: "native", Purpose.DOCUMENT: "native"}},
        {},
        {},
        "Route 'vendor-eu': its provider 'vendor' has no word for document, query; give it by the setting purposes.",
    ),
    "one word missing": (
        {"purposes": {Purpose.QUERY: "native", Purpose.SIMILARITY: "native"}},
        {},
        {"kind": "cohere"},
        "no word for similarity",
    ),
    "our own model": (
        {"purposes": {Purpose.QUERY: "native"}},
        {},
        {"kind": "embedded", "url": None},
        "no word for query",
    ),
    "a title": ({"accepts_title": True}, {}, {}, "no place for a title"),
    "token ids": ({}, {"accepts_tokens": True}, {"kind": "cohere"}, "no place for token ids"),
}


@pytest.mark.parametrize(("model", "route", "provider", "told"), PROMISES_BROKEN.values(), ids=PROMISES_BROKEN)
def test_a_promise_that_the_provider_cannot_keep_is_refused_with_a_sentence(
    model: dict[str, Any], route: dict[str, Any], provider: dict[str, Any], told: str
) -> None:
    row = a_provider(**provider)

    with pytest.raises(ValueError, match=told):
        check_route(a_model(**model), a_route(**route), row)


@pytest.mark.parametrize("kind", [kind for kind, make in KINDS.items() if isinstance(make, OverHttp)])
def test_a_vendor_s_file_has_what_the_sender_and_the_operator_s_command_ask(kind: str) -> None:
    make = KINDS[kind]
    assert isinstance(make, OverHttp)
    vendor = make.vendor()

    assert set(vendor.PURPOSES) <= set(Purpose)
    assert {type(vendor.ACCEPTS_TITLE), type(vendor.ACCEPTS_TOKENS)} == {bool}
    assert issubclass(vendor.Settings, HttpSettings)
    assert all(callable(function) for function in (vendor.build_call, vendor.read_reply, vendor.read_error))
