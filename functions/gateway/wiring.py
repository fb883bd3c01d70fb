"""The only place that chooses and builds concrete things. Nothing is asked of the network before the first request."""

import time
from collections.abc import Callable, Mapping
from functools import cache
from ssl import SSLContext
from typing import TYPE_CHECKING

from gateway import telemetry
from gateway.aws.client import AwsClient, Endpoints
from gateway.aws.credentials import FunctionCredentials
from gateway.aws.dynamodb import DynamoDb
from gateway.aws.lambda_functions import Functions
from gateway.aws.s3 import Bucket
from gateway.aws.secrets_manager import Secrets
from gateway.core.ports import Health, OidcVerifier
from gateway.operations.authenticate import Authenticate
from gateway.operations.embed import Embed
from gateway.operations.gateway import BatchOperations, Gateway
from gateway.operations.models import Models
from gateway.providers import ProviderDependencies, Providers
from gateway.settings import Settings
from gateway.stores.api_keys import SecretApiKeys
from gateway.stores.catalogue import TableCatalogue
from gateway.stores.large_answers import BucketLargeAnswers
from gateway.stores.minute_counters import TableCounters
from gateway.stores.provider_keys import SecretProviderKeys
from gateway.stores.rate_limits import TIMEOUT, SharedRateLimits
from gateway.stores.read_limits import OwnReadLimits
from gateway.stores.vector_cache import TableVectorCache
from gateway.vocabularies import vocabulary_at_hand

if TYPE_CHECKING:
    from gateway.outbound.client import HttpClient


def wire_api(settings: Settings, environment: Mapping[str, str]) -> Gateway:
    """The operations of one stage on AWS; `environment` is the function's, for its region and credentials."""
    aws, client = _aws_client(environment), _http_client(settings)
    embed = _embed(settings, aws, client)
    return Gateway(
        region=settings.stage,
        aws_region=environment["AWS_REGION"],
        authenticate=Authenticate(
            keys=SecretApiKeys(Secrets(aws), prefix=settings.api_keys_secret_prefix, clock=time.time),
            catalogue=embed.catalogue,
            now=time.time,
            identity=_identity(settings, client),
        ),
        embed=embed,
        models=Models(region=settings.stage, catalogue=embed.catalogue),
        large_answers=BucketLargeAnswers(Bucket(aws, settings.files_bucket)),
        reads=OwnReadLimits(time.time),
        health=_health(aws, settings),
        stages=settings.stages,
        batch=_batch_operations(settings, environment),
    )


def _health(aws: AwsClient, settings: Settings) -> Health:
    def ask() -> Mapping[str, str]:
        from gateway.stores.health import StoreHealth, store_checks  # noqa: PLC0415  (seldom asked for)

        checks = store_checks(
            DynamoDb(aws),
            Secrets(aws),
            catalogue=settings.catalogue_table,
            cache=settings.vector_cache_table,
            usage=settings.usage_table,
            keys=settings.api_keys_secret_prefix,
            provider_keys=settings.provider_keys_secret_prefix,
        )
        return StoreHealth(checks)()

    return ask


def wire_embed(settings: Settings, environment: Mapping[str, str]) -> Embed:
    """What a function needs that embeds for callers who are known already; it imports no web framework."""
    return _embed(settings, _aws_client(environment), _http_client(settings))


def _batch_operations(settings: Settings, environment: Mapping[str, str]) -> Callable[[], BatchOperations]:
    """What callers may do with batch jobs, made when it is first needed: it imports boto3."""

    @cache
    def operations() -> BatchOperations:
        from gateway.wiring_batch import batch_operations  # noqa: PLC0415

        return batch_operations(settings, environment)

    return operations


def _embed(settings: Settings, aws: AwsClient, client: "Callable[[], HttpClient]") -> Embed:
    dynamodb = DynamoDb(aws)
    return Embed(
        region=settings.stage,
        catalogue=TableCatalogue(dynamodb, table=settings.catalogue_table, clock=time.time),
        rate_limits=_rate_limits(aws, settings),
        cache=_vector_cache(dynamodb, settings),
        provider=_providers(aws, settings, client),
        clock=time.perf_counter,
        vocabularies=vocabulary_at_hand,
    )


def _http_client(settings: Settings) -> "Callable[[], HttpClient]":
    """The one client for vendors and identity providers, made when it is first needed: it imports httpx."""

    @cache
    def client() -> "HttpClient":
        from gateway.outbound.client import HttpClient  # noqa: PLC0415

        return HttpClient(allow_loopback=settings.allow_loopback_providers)

    return client


def _identity(settings: Settings, client: "Callable[[], HttpClient]") -> OidcVerifier | None:
    if settings.oidc is None:
        return None
    from gateway.outbound.fetch import document_fetcher  # noqa: PLC0415  (few stages have one)
    from gateway.stores.oidc_tokens import Issuer, OidcTokenVerifier  # noqa: PLC0415

    issuer = Issuer(
        name=settings.oidc.issuer,
        audiences=settings.oidc.audiences,
        jwks_url=settings.oidc.jwks_url,
        claim=settings.oidc.workspace_claim,
    )
    return OidcTokenVerifier(issuer, fetch=document_fetcher(client), clock=time.time)


def _aws_client(environment: Mapping[str, str]) -> AwsClient:
    region = environment["AWS_REGION"]
    return AwsClient(
        region=region,
        endpoints=Endpoints(environment, region),
        credentials=FunctionCredentials(environment, time.time),
        ssl_context=_ssl_context,
        clock=time.time,
    )


def _ssl_context() -> SSLContext:
    from gateway.outbound.authorities import shared_ssl_context  # noqa: PLC0415  (not where all is plain HTTP)

    return shared_ssl_context()


def _rate_limits(aws: AwsClient, settings: Settings) -> SharedRateLimits:
    return SharedRateLimits(
        TableCounters(DynamoDb(aws, timeout=TIMEOUT), table=settings.usage_table),
        clock=time.time,
        on_fallback=lambda reason: telemetry.degraded("AllowanceFallbacks", reason),
    )


def _vector_cache(dynamodb: DynamoDb, settings: Settings) -> TableVectorCache:
    return TableVectorCache(
        dynamodb,
        table=settings.vector_cache_table,
        clock=time.time,
        on_failure=lambda reason: telemetry.degraded("CacheFailures", reason),
    )


def _providers(aws: AwsClient, settings: Settings, client: "Callable[[], HttpClient]") -> Providers:
    return Providers(
        ProviderDependencies(
            keys=SecretProviderKeys(Secrets(aws), prefix=settings.provider_keys_secret_prefix, clock=time.time),
            embedded_function=settings.embedded_model_function,
            functions=Functions(aws),
            client=client,
            role=aws.credentials,
        )
    )
