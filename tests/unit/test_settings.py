"""The environment of the function."""

import pytest

from gateway.settings import OidcSettings, read_settings

ENVIRONMENT = {
    "STAGE": "eu",
    "CATALOGUE_TABLE": "catalogue",
    "VECTOR_CACHE_TABLE": "cache",
    "USAGE_TABLE": "usage",
    "API_KEYS_SECRET_PREFIX": "stack/workspaces/",
    "PROVIDER_KEYS_SECRET_PREFIX": "stack/providers/",
    "FILES_BUCKET": "files",
    "BATCH_TABLE": "batch",
    "BATCH_QUEUE": "https://sqs.eu-central-1.amazonaws.com/123456789012/work",
    "EMBEDDED_MODEL_FUNCTION": "model",
    "STAGES": "eu us",
}

OIDC = {
    "OIDC_ISSUER": "https://login.example",
    "OIDC_AUDIENCE": "one, two",
    "OIDC_JWKS_URL": "https://login.example/keys",
    "OIDC_WORKSPACE_CLAIM": "workspace",
}


def test_the_least_environment_has_nothing_optional() -> None:
    settings = read_settings(ENVIRONMENT)

    assert (settings.stages, settings.cors_origins, settings.oidc) == ({"eu": None, "us": None}, (), None)
    assert settings.allow_loopback_providers is False


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_a_missing_variable_is_named(name: str) -> None:
    environment = {key: value for key, value in ENVIRONMENT.items() if key != name}

    with pytest.raises(KeyError, match=name):
        read_settings(environment)


def test_stages_are_listed_in_order_with_the_addresses_that_are_known() -> None:
    settings = read_settings({**ENVIRONMENT, "STAGES": "us=https://us.example/?a=b eu ap=https://ap.example"})

    assert list(settings.stages.items()) == [
        ("us", "https://us.example/?a=b"),
        ("eu", None),
        ("ap", "https://ap.example"),
    ]


@pytest.mark.parametrize(
    ("stage", "stages", "addresses"),
    [
        ("eu", "eu us ap", {"eu": None, "us": "https://x", "ap": None}),
        ("us", "eu us ap", {"eu": "https://x", "us": None, "ap": None}),
        ("ap", "eu us ap", {"eu": None, "us": None, "ap": None}),
        ("eu", "eu us=https://listed", {"eu": None, "us": "https://listed"}),
        ("eu", "eu ap", {"eu": None, "ap": None}),
    ],
)
def test_the_other_stages_url_is_that_of_eu_or_us_unless_the_list_has_it(
    stage: str, stages: str, addresses: dict[str, str | None]
) -> None:
    """Stages deployed before there was a list have this variable."""
    settings = read_settings({**ENVIRONMENT, "STAGE": stage, "STAGES": stages, "OTHER_STAGE_URL": "https://x"})

    assert settings.stages == addresses


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
