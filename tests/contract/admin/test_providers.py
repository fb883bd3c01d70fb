"""`gateway providers`: rows, and vendors' keys that nobody sees again."""

from pathlib import Path

import pytest

from gateway.core.catalogue import Provider
from gateway.providers import KINDS
from tests.contract.admin.command import VENDOR, Outcome, a_model, a_provider, gateway, provider_key, rows, write_folder


def test_a_key_comes_from_the_environment_and_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENDOR_KEY", "sk-very-secret\n")

    outcome = gateway("providers", "set", "vendor", *VENDOR, "--key-from-env", "VENDOR_KEY")

    assert provider_key("vendor") == "sk-very-secret"
    assert rows().providers["vendor"].key == "vendor"
    assert "sk-very-secret" not in outcome.out + outcome.err + gateway("providers", "list").out


def test_a_key_comes_from_standard_input() -> None:
    gateway("providers", "set", "vendor", *VENDOR, "--key-stdin", stdin="sk-1\n")
    gateway("providers", "set", "vendor", "--key-stdin", stdin="sk-2\n")

    assert provider_key("vendor") == "sk-2"


def test_two_providers_may_share_a_key() -> None:
    gateway("providers", "set", "vendor-eu", *VENDOR, "--key-name", "vendor", "--key-stdin", stdin="sk-1")
    gateway("providers", "set", "vendor-us", *VENDOR, "--key-name", "vendor")

    gateway("providers", "remove", "vendor-eu", "--yes")

    assert provider_key("vendor") == "sk-1"


def test_the_list_tells_which_keys_are_missing() -> None:
    gateway("providers", "set", "vendor", *VENDOR, "--key-name", "shared")

    assert "shared (not set)" in gateway("providers", "list").out


def test_what_is_not_mentioned_stays() -> None:
    gateway("providers", "set", "vendor", *VENDOR, "--setting", "path=/embed", "--setting", "send_user=true")

    gateway("providers", "set", "vendor", "--timeout", "9", "--setting", "path=null")

    assert rows().providers["vendor"] == Provider(
        name="vendor", kind="openai", url="https://vendor.example/v1", timeout=9, settings={"send_user": True}
    )


@pytest.mark.parametrize(
    "url", ["http://vendor.example/v1", "https://10.0.0.1/v1", "https://169.254.169.254/", "https://a:b@c.example/"]
)
def test_an_address_that_is_not_public_is_refused_and_nothing_written(url: str) -> None:
    outcome = gateway("providers", "set", "vendor", "--kind", "openai", "--url", url)

    assert outcome.exit_code == 1
    assert "Nothing was written" in outcome.err
    assert rows().providers == {}


def test_only_the_local_stage_may_have_providers_on_this_machine() -> None:
    words = ("providers", "set", "vendor", "--kind", "openai", "--url", "http://127.0.0.1:9/v1")

    assert gateway(*words).exit_code == 0
    assert gateway(*words, stage="us").exit_code == 1


def test_an_unknown_kind_is_refused_with_those_that_there_are() -> None:
    outcome = gateway("providers", "set", "vendor", "--kind", "carrier-pigeon")

    assert outcome.exit_code == 1
    assert all(kind in outcome.err for kind in KINDS)


def test_a_key_that_is_not_there_leaves_everything_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VENDOR_KEY", raising=False)

    outcome = gateway("providers", "set", "vendor", *VENDOR, "--key-from-env", "VENDOR_KEY")

    assert outcome == Outcome(2, "", "Error: The environment variable VENDOR_KEY holds no key.\n")
    assert rows().providers == {}


@pytest.mark.parametrize(
    "move",
    [
        ("--url", "https://other.example/v1"),
        ("--url", "https://vendor.example:8443/v1"),
    ],
)
def test_a_stored_key_does_not_go_to_another_host_until_it_is_given_anew(move: tuple[str, ...]) -> None:
    gateway("providers", "set", "vendor", *VENDOR, "--key-stdin", stdin="sk-1")

    refused = gateway("providers", "set", "vendor", *move)
    before = rows().providers["vendor"]
    moved = gateway("providers", "set", "vendor", *move, "--key-stdin", stdin="sk-2")

    assert refused.exit_code == 1
    assert "gateway providers set vendor --kind openai --url https://" in refused.err
    assert "--key-from-env" in refused.err
    assert before.url == "https://vendor.example/v1"
    assert moved.exit_code == 0
    assert rows().providers["vendor"] != before
    assert provider_key("vendor") == "sk-2"


def test_a_path_cannot_turn_the_host_into_another() -> None:
    gateway("providers", "set", "vendor", *VENDOR, "--key-stdin", stdin="sk-1")
    words = ("--setting", "path=.other.example/v1", "--url", "https://vendor.example")

    outcome = gateway("providers", "set", "vendor", *words, "--key-stdin", stdin="sk-2")

    assert outcome.exit_code == 1
    assert "must begin with a slash" in outcome.err
    assert provider_key("vendor") == "sk-1"


def test_every_change_of_a_provider_is_shown() -> None:
    gateway("providers", "set", "vendor", *VENDOR, "--setting", "headers={x-a: '1', x-b: '2'}")

    changed = gateway("providers", "set", "vendor", "--timeout", "9", "--setting", "headers={x-a: '1', x-b: '3'}")
    same = gateway("providers", "set", "vendor", "--timeout", "9")

    assert changed.out == (
        'The provider vendor is set.\n    settings.headers.x-b: "2" → "3"\n    timeout: 25.0 → 9.0\n'
    )
    assert same.out == "The provider vendor is as it was: nothing changed.\n"


def test_a_path_at_the_same_host_may_change_without_the_key() -> None:
    gateway("providers", "set", "vendor", *VENDOR, "--key-stdin", stdin="sk-1")

    outcome = gateway("providers", "set", "vendor", "--url", "https://vendor.example:443/v2")

    assert outcome.exit_code == 0


def test_another_provider_cannot_take_a_stored_key_to_its_own_host(tmp_path: Path) -> None:
    gateway("providers", "set", "vendor", *VENDOR, "--key-stdin", stdin="sk-1")
    thief = a_provider("thief", url="https://thief.example", key="vendor")
    folder = write_folder(tmp_path, all={"providers": [thief]})

    made = gateway(
        "providers", "set", "thief", "--kind", "openai", "--url", "https://thief.example", "--key-name", "vendor"
    )
    loaded, compared = gateway("catalogue", "load", folder), gateway("catalogue", "diff", folder)

    assert [outcome.exit_code for outcome in (made, loaded, compared)] == [1, 1, 1]
    assert "--key-name vendor --key-from-env" in made.err
    assert made.err == loaded.err == compared.err
    assert rows().providers.keys() == {"vendor"}


def test_a_key_that_nobody_used_yet_may_be_named_by_any_provider() -> None:
    gateway("providers", "set", "vendor-eu", *VENDOR, "--key-name", "vendor")

    outcome = gateway(
        "providers", "set", "vendor-us", "--kind", "openai", "--url", "https://us.example", "--key-name", "vendor"
    )

    assert outcome.exit_code == 0


def test_a_provider_that_a_model_leads_to_cannot_be_removed(tmp_path: Path) -> None:
    gateway("catalogue", "load", write_folder(tmp_path, all={"providers": [a_provider()], "models": [a_model()]}))

    outcome = gateway("providers", "remove", "vendor", "--yes")

    assert outcome == Outcome(1, "", "Error: The provider 'vendor' cannot be removed: 'm' still leads to it.\n")
    assert "vendor" in rows().providers


def test_a_removed_provider_takes_its_key_with_it_and_may_come_back() -> None:
    gateway("providers", "set", "vendor", *VENDOR, "--key-stdin", stdin="sk-1")

    gateway("providers", "remove", "vendor", "--yes")
    gone = rows().providers
    gateway("providers", "set", "vendor", *VENDOR, "--key-stdin", stdin="sk-2")

    assert gone == {}
    assert provider_key("vendor") == "sk-2"


def test_removing_asks_first() -> None:
    gateway("providers", "set", "vendor", *VENDOR)

    outcome = gateway("providers", "remove", "vendor", stdin="n\n")

    assert outcome.exit_code == 1
    assert "vendor" in rows().providers


def test_a_provider_may_be_asked_by_the_function_s_role() -> None:
    url = "https://bedrock-runtime.eu-central-1.amazonaws.com"

    gateway("providers", "set", "bedrock", "--kind", "bedrock", "--url", url, "--auth", "aws")

    assert rows().providers["bedrock"] == Provider(name="bedrock", kind="bedrock", url=url, auth="aws")
    assert "aws" in gateway("providers", "list").out


def test_a_word_that_is_no_way_to_prove_anything_is_refused() -> None:
    outcome = gateway("providers", "set", "vendor", *VENDOR, "--auth", "handshake")

    assert outcome.exit_code == 2
    assert "auth" in outcome.err
    assert not rows().providers
