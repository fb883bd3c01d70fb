"""The environment, read once."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What template.yaml tells the function."""

    stage: str
    """The region whose vectors this stage computes: eu or us."""
    catalogue_table: str
    vector_cache_table: str
    allowances_table: str
    api_keys_secret_prefix: str
    provider_keys_secret_prefix: str
    files_bucket: str
    embedded_model_function: str
    other_stages: dict[str, str]
    allow_loopback_providers: bool
    cors_origins: tuple[str, ...]


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Settings of that environment; raises `KeyError` naming the variable that is missing."""
    return Settings(
        stage=environment["STAGE"],
        catalogue_table=environment["CATALOGUE_TABLE"],
        vector_cache_table=environment["VECTOR_CACHE_TABLE"],
        allowances_table=environment["ALLOWANCES_TABLE"],
        api_keys_secret_prefix=environment["API_KEYS_SECRET_PREFIX"],
        provider_keys_secret_prefix=environment["PROVIDER_KEYS_SECRET_PREFIX"],
        files_bucket=environment["FILES_BUCKET"],
        embedded_model_function=environment["EMBEDDED_MODEL_FUNCTION"],
        other_stages=_other_stages(environment["STAGE"], environment.get("OTHER_STAGE_URL", "")),
        allow_loopback_providers=environment.get("ALLOW_LOOPBACK_PROVIDERS", "false") == "true",
        cors_origins=_list(environment.get("CORS_ORIGINS", "")),
    )


def _other_stages(stage: str, url: str) -> dict[str, str]:
    return {"us" if stage == "eu" else "eu": url} if url else {}


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
