"""The environment of the function."""

import pytest

from gateway.settings import OidcSettings, read_settings

ENVIRONMENT = {
    "STAGE": "eu",
    "CATALOGUE_TABLE": "catalogue",
    "VECTOR_CACHE_TABLE": "cache",
    "ALLOWANCES_TABLE": "allowances",
    "API_KEYS_SECRET_PREFIX": "stack/workspaces/",
    "PROVIDER_KEYS_SECRET_PREFIX": "stack/providers/",
    "FILES_BUCKET": "files",
    "EMBEDDED_MODEL_FUNCTION": "model",
}

OIDC = {
    "OIDC_ISSUER": "https://login.example",
    "OIDC_AUDIENCE": "one, two",
    "OIDC_JWKS_URL": "https://login.example/keys",
    "OIDC_WORKSPACE_CLAIM": "workspace",
}


def test_the_least_environment_has_nothing_optional() -> None:
    settings = read_settings(ENVIRONMENT)

    assert (settings.other_stages, settings.cors_origins, settings.oidc) == ({}, (), None)
    assert settings.allow_loopback_providers is False


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_a_missing_variable_is_named(name: str) -> None:
    environment = {key: value for key, value in ENVIRONMENT.items() if key != name}

    with pytest.raises(KeyError, match=name):
        read_settings(environment)


@pytest.mark.parametrize(("stage", "other"), [("eu", "us"), ("us", "eu")])
def test_the_other_stage_is_that_of_the_other_region(stage: str, other: str) -> None:
    settings = read_settings({**ENVIRONMENT, "STAGE": stage, "OTHER_STAGE_URL": "https://x"})

    assert settings.other_stages == {other: "https://x"}


def test_origins_are_listed_with_commas() -> None:
    settings = read_settings({**ENVIRONMENT, "CORS_ORIGINS": "https://a, https://b,"})

    assert settings.cors_origins == ("https://a", "https://b")


def test_an_identity_provider_is_read_whole() -> None:
    assert read_settings({**ENVIRONMENT, **OIDC}).oidc == OidcSettings(
        issuer="https://login.example",
        audiences=("one", "two"),
        jwks_url="https://login.example/keys",
        workspace_claim="workspace",
    )


@pytest.mark.parametrize("name", ["OIDC_AUDIENCE", "OIDC_JWKS_URL", "OIDC_WORKSPACE_CLAIM"])
def test_half_an_identity_provider_is_refused(name: str) -> None:
    """Without an audience or a claim, any token of the issuer would open any door."""
    with pytest.raises(KeyError, match=name):
        read_settings({**ENVIRONMENT, **OIDC, name: ""})
