"""The environment, read once."""

from collections.abc import Mapping
from dataclasses import dataclass

_OTHER = {"eu": "us", "us": "eu"}
"""By stage: the one whose address is OTHER_STAGE_URL, which is older than STAGES and knows two stages."""

_OIDC_NAMES = ("OIDC_AUDIENCE", "OIDC_JWKS_URL", "OIDC_WORKSPACE_CLAIM")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What template.yaml sets for the function."""

    stage: str
    """The region whose vectors this stage computes: one of `stages`."""
    catalogue_table: str
    vector_cache_table: str
    usage_table: str
    api_keys_secret_prefix: str
    provider_keys_secret_prefix: str
    files_bucket: str
    batch_table: str
    batch_queue: str
    """The address of the queue that wakes the workers of batch jobs."""
    embedded_model_function: str
    stages: Mapping[str, str | None]
    """The address of every stage, by name and in the order of infra/stages.yaml; None where it is not known."""
    allow_loopback_providers: bool
    cors_origins: tuple[str, ...]
    oidc: "OidcSettings | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcSettings:
    """The identity provider whose tokens are taken beside keys; `workspace_claim` names a token's workspace."""

    issuer: str
    audiences: tuple[str, ...]
    jwks_url: str
    workspace_claim: str


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Settings of that environment; raises `KeyError` naming the variable that is missing."""
    return Settings(
        stage=environment["STAGE"],
        catalogue_table=environment["CATALOGUE_TABLE"],
        vector_cache_table=environment["VECTOR_CACHE_TABLE"],
        usage_table=environment["USAGE_TABLE"],
        api_keys_secret_prefix=environment["API_KEYS_SECRET_PREFIX"],
        provider_keys_secret_prefix=environment["PROVIDER_KEYS_SECRET_PREFIX"],
        files_bucket=environment["FILES_BUCKET"],
        batch_table=environment["BATCH_TABLE"],
        batch_queue=environment["BATCH_QUEUE"],
        embedded_model_function=environment["EMBEDDED_MODEL_FUNCTION"],
        stages=_stages(environment),
        allow_loopback_providers=environment.get("ALLOW_LOOPBACK_PROVIDERS", "false") == "true",
        cors_origins=_list(environment.get("CORS_ORIGINS", "")),
        oidc=_oidc(environment) if environment.get("OIDC_ISSUER") else None,
    )


def _oidc(environment: Mapping[str, str]) -> OidcSettings:
    """Without audience and claim every token of the issuer would be accepted, so they have no default."""
    missing = [name for name in _OIDC_NAMES if not environment.get(name)]
    if missing:
        raise KeyError(missing[0])
    return OidcSettings(
        issuer=environment["OIDC_ISSUER"],
        audiences=_list(environment["OIDC_AUDIENCE"]),
        jwks_url=environment["OIDC_JWKS_URL"],
        workspace_claim=environment["OIDC_WORKSPACE_CLAIM"],
    )


def _stages(environment: Mapping[str, str]) -> Mapping[str, str | None]:
    """Reads `eu=https://eu.example us`; here `us` has no address."""
    words = (word.partition("=") for word in environment["STAGES"].split())
    stages = {name: address or None for name, _, address in words}
    other = _OTHER.get(environment["STAGE"])
    if other in stages and stages[other] is None:
        stages[other] = environment.get("OTHER_STAGE_URL") or None
    return stages


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
