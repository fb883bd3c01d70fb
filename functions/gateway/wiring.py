"""The only place that chooses and builds concrete things. Nothing is asked of the network before the first request."""

import time
from collections.abc import Mapping
from ssl import SSLContext

from gateway import telemetry
from gateway.aws.client import AwsClient, Endpoints
from gateway.aws.credentials import FunctionCredentials
from gateway.aws.dynamodb import DynamoDb
from gateway.aws.lambda_functions import Functions
from gateway.aws.s3 import Bucket
from gateway.aws.secrets_manager import Secrets
from gateway.core.ports import OidcVerifier
from gateway.operations.authenticate import Authenticate
from gateway.operations.embed import Embed
from gateway.operations.gateway import Gateway
from gateway.operations.models import Models
from gateway.providers import ProviderDependencies, Providers
from gateway.settings import Settings
from gateway.stores.api_keys import SecretApiKeys
from gateway.stores.catalogue import TableCatalogue
from gateway.stores.large_answers import BucketLargeAnswers
from gateway.stores.provider_keys import SecretProviderKeys
from gateway.stores.rate_limits import TIMEOUT, SharedRateLimits, TableCounters
from gateway.stores.vector_cache import TableVectorCache
from gateway.vocabularies import vocabulary_at_hand


def wire_gateway(settings: Settings, environment: Mapping[str, str]) -> Gateway:
    """The operations of one stage on AWS; `environment` is the function's, for its region and credentials."""
    aws = _aws_client(environment)
    dynamodb, secrets = DynamoDb(aws), Secrets(aws)
    catalogue = TableCatalogue(dynamodb, table=settings.catalogue_table, clock=time.time)
    return Gateway(
        region=settings.stage,
        authenticate=Authenticate(
            keys=SecretApiKeys(secrets, prefix=settings.api_keys_secret_prefix, clock=time.time),
            catalogue=catalogue,
            now=time.time,
            identity=_identity(settings),
        ),
        embed=Embed(
            region=settings.stage,
            catalogue=catalogue,
            allowances=_allowances(aws, settings),
            cache=_vector_cache(dynamodb, settings),
            provider=_providers(aws, secrets, settings),
            clock=time.perf_counter,
            vocabularies=vocabulary_at_hand,
        ),
        models=Models(region=settings.stage, catalogue=catalogue),
        answers=BucketLargeAnswers(Bucket(aws, settings.files_bucket)),
        other_stages=settings.other_stages,
    )


def _identity(settings: Settings) -> OidcVerifier | None:
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
    fetch = document_fetcher(allow_loopback=settings.allow_loopback_providers)
    return OidcTokenVerifier(issuer, fetch=fetch, clock=time.time)


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
    from gateway.outbound.client import shared_ssl_context  # noqa: PLC0415  (not where all is plain HTTP)

    return shared_ssl_context()


def _allowances(aws: AwsClient, settings: Settings) -> SharedRateLimits:
    return SharedRateLimits(
        TableCounters(DynamoDb(aws, timeout=TIMEOUT), table=settings.allowances_table),
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


def _providers(aws: AwsClient, secrets: Secrets, settings: Settings) -> Providers:
    return Providers(
        ProviderDependencies(
            keys=SecretProviderKeys(secrets, prefix=settings.provider_keys_secret_prefix, clock=time.time),
            embedded_function=settings.embedded_model_function,
            functions=Functions(aws),
            allow_loopback=settings.allow_loopback_providers,
        )
    )
