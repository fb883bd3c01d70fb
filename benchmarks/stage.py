"""A stage to measure in: one workspace with one key, two models, their providers, and the function's environment."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

WORKSPACE = "benchmark"
VENDOR_MODEL = "text-embedding-3-small"
OWN_MODEL = "all-minilm-l6-v2"
REGION = "eu-central-1"
LIMITS = {"requests": 10_000, "tokens": 1_000_000_000}
"""Per minute. The requests are those of a usual workspace, which is counted in one place; the fake refuses none."""

KEY_ID, SECRET = "bench001", "0123456789abcdefghijABCDEFGHIJkl"
KEY = f"egw_{WORKSPACE}_{KEY_ID}_{SECRET}0TykB3"
"""The key of the workspace; its last six characters are a checksum."""

TABLE_KEYS = {"catalogue": ("pk", "sk"), "vectors": ("key",), "usage": ("account", "minute")}
"""Tables by name, with the attributes of their keys."""

WORKSPACES_PREFIX = "stack/workspaces/"
KEYS_SECRET = WORKSPACES_PREFIX + "buckets/6"  # bucket_of(WORKSPACE)
PROVIDERS_PREFIX = "stack/providers/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the fakes listen."""

    aws: str
    vendor: str


def environment(addresses: Addresses) -> dict[str, str]:
    """What template.yaml and Lambda give the API function."""
    return {
        "AWS_ACCESS_KEY_ID": "AKIDBENCHMARK",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "token",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": addresses.aws,
        "STAGE": "eu",
        "CATALOGUE_TABLE": "catalogue",
        "VECTOR_CACHE_TABLE": "vectors",
        "USAGE_TABLE": "usage",
        "API_KEYS_SECRET_PREFIX": WORKSPACES_PREFIX,
        "PROVIDER_KEYS_SECRET_PREFIX": PROVIDERS_PREFIX,
        "FILES_BUCKET": "files",
        "BATCH_TABLE": "batch",
        "BATCH_QUEUE": "https://sqs.eu-central-1.amazonaws.com/123456789012/work",
        "EMBEDDED_MODEL_FUNCTION": "embedded-model",
        "STAGES": "eu us",
        "OTHER_STAGE_URL": "",
        "CORS_ORIGINS": "",
        "ALLOW_LOOPBACK_PROVIDERS": "true",
        "POWERTOOLS_SERVICE_NAME": "api",
        "POWERTOOLS_METRICS_NAMESPACE": "EmbeddingsGateway",
        "LOG_LEVEL": "INFO",
        "MALLOC_MMAP_THRESHOLD_": "33554432",
        "MALLOC_TRIM_THRESHOLD_": "67108864",
        "OPENBLAS_NUM_THREADS": "1",
    }


def secrets() -> dict[str, str]:
    """Secrets by name."""
    record = {
        "sha256": hashlib.sha256(SECRET.encode()).hexdigest(),
        "created": 0,
        "expires": None,
        "disabled": False,
        "models": None,
        "label": "",
        "dialect": None,
    }
    return {
        KEYS_SECRET: json.dumps({"workspaces": {WORKSPACE: {KEY_ID: record}}}),
        PROVIDERS_PREFIX + "vendor": "sk-benchmark",
    }


def catalogue_rows(addresses: Addresses) -> list[Mapping[str, str]]:
    """Rows of the catalogue table: `pk`, `sk` and the document."""
    documents = {
        "provider#vendor": {"name": "vendor", "kind": "openai", "url": f"{addresses.vendor}/v1", "key": "vendor"},
        "provider#embedded": {"name": "embedded", "kind": "embedded"},
        f"model#{VENDOR_MODEL}": _vendor_model(),
        f"model#{OWN_MODEL}": _own_model(),
    }
    rows = [{"pk": "catalogue", "sk": key, "document": json.dumps(value)} for key, value in documents.items()]
    settings = {"name": WORKSPACE, "limits": LIMITS}
    return [*rows, {"pk": f"workspace#{WORKSPACE}", "sk": "settings", "document": json.dumps(settings)}]


def _vendor_model() -> dict[str, object]:
    route = {
        "name": "vendor",
        "provider": "vendor",
        "vendor_model": VENDOR_MODEL,
        "region": "eu",
        "accepts_tokens": True,
        "accepts_dimensions": True,
    }
    return {"name": VENDOR_MODEL, "dimensions": 1536, "shortenable": True, "routes": [route]}


def _own_model() -> dict[str, object]:
    route = {"name": "own", "provider": "embedded", "vendor_model": OWN_MODEL, "region": "eu", "max_inputs": 256}
    return {"name": OWN_MODEL, "dimensions": 384, "max_tokens": 256, "routes": [route]}


def event(body: str, path: str = "/v1/embeddings", **headers: str) -> dict[str, object]:
    """What API Gateway hands to the function: payload format 2.0, headers as openai-python sends them, and those."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {
            "accept": "application/json",
            "accept-encoding": "gzip, deflate",
            "authorization": f"Bearer {KEY}",
            "content-length": str(len(body.encode())),
            "content-type": "application/json",
            "host": "abcdefghij.execute-api.eu-central-1.amazonaws.com",
            "user-agent": "OpenAI/Python 3.52.0",
            "x-amzn-trace-id": "Root=1-67890abc-0123456789abcdef01234567",
            "x-forwarded-for": "192.0.2.1",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
            "x-stainless-async": "false",
            "x-stainless-lang": "python",
            "x-stainless-retry-count": "0",
            **headers,
        },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abcdefghij",
            "domainName": "abcdefghij.execute-api.eu-central-1.amazonaws.com",
            "domainPrefix": "abcdefghij",
            "http": {
                "method": "POST",
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "OpenAI/Python 3.52.0",
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "$default",
            "stage": "$default",
            "time": "21/Nov/2026:00:00:00 +0000",
            "timeEpoch": 1795219200000,
        },
        "body": body,
        "isBase64Encoded": False,
    }


def body(texts: list[str], encoding: str, model: str = VENDOR_MODEL) -> str:
    """What openai-python writes; one text as a string, more as an array."""
    inputs: str | list[str] = texts[0] if len(texts) == 1 else texts
    return json.dumps({"model": model, "input": inputs, "encoding_format": encoding}, separators=(",", ":"))


def texts(inputs: int, number: int, kind: str) -> list[str]:
    """Sentences that no other number and kind has."""
    return [f"Sentence {place} of request {number} for {inputs} {kind} vectors." for place in range(inputs)]
