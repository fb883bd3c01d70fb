"""What is seen from outside: Powertools' logger, metrics and tracer, each made when it is first used.

Names and numbers only: a key or a text never gets here.
"""

import logging
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger, Metrics, Tracer

NAMESPACE = "EmbeddingsGateway"
TRACE = "_X_AMZN_TRACE_ID"
"""Where Lambda's runtime puts a request's trace."""

UNITS = {
    "Requests": "Count",
    "Errors": "Count",
    "BilledTokens": "Count",
    "InputTokens": "Count",
    "CacheHits": "Count",
    "CacheMisses": "Count",
    "CacheFailures": "Count",
    "AllowanceFallbacks": "Count",
    "ProviderFailures": "Count",
    "UpstreamTime": "Milliseconds",
    "OwnTime": "Milliseconds",
}
"""By metric."""

REQUEST_ID: ContextVar[str | None] = ContextVar("REQUEST_ID", default=None)
"""The id of the request under way, for lines that are written below its entrance."""

_NO_SEGMENT = nullcontext()


@cache
def logger() -> "Logger":
    """JSON lines on standard output; the level is `LOG_LEVEL`."""
    from aws_lambda_powertools import Logger  # noqa: PLC0415  (paid for when first used)

    return Logger(use_rfc3339=True, utc=True)


@cache
def metrics() -> "Metrics":
    """Metrics in CloudWatch's embedded format (EMF): a JSON line on standard output for each `publish`."""
    from aws_lambda_powertools.metrics import Metrics  # noqa: PLC0415  (paid for when first used)

    return Metrics(namespace=NAMESPACE, service=_service())


@cache
def tracer() -> "Tracer":
    """X-Ray; needed only by requests that are sampled."""
    from aws_lambda_powertools import Tracer  # noqa: PLC0415  (brings aws-xray-sdk and botocore)

    return Tracer(auto_patch=False)


def publish(counted: Mapping[str, float], facts: Mapping[str, Any], **dimensions: str) -> None:
    """Write one line: the metrics, for the service and by the dimensions given, and the facts beside them.

    `counted` has names of `UNITS`. `LOG_LEVEL=WARNING` drops the facts and keeps the metrics, which alarms need.
    """
    line = metrics()
    for name, value in counted.items():
        line.add_metric(name=name, unit=UNITS[name], value=value)
    if dimensions:
        line.add_dimensions(service=_service(), **dimensions)
    if _keeps_facts():
        line.metadata_set.update(facts)  # add_metadata would also write a debug line for each
        if trace := os.environ.get(TRACE):
            line.add_metadata("xray_trace_id", trace.partition(";")[0].removeprefix("Root="))  # as the logger does
    line.flush_metrics()


def provider_failed(**facts: Any) -> None:
    """Report a provider's failure: a warning with what is known, and one in the metric of that `provider`."""
    known = {name: fact for name, fact in facts.items() if fact is not None}
    logger().warning("provider failed", **known, request_id=REQUEST_ID.get())
    publish({"ProviderFailures": 1}, {}, provider=facts["provider"])


def degraded(metric: str, reason: str) -> None:
    """Report that a store failed and the request went on without it: log a warning, add 1 to the metric."""
    logger().warning("degraded", metric=metric, reason=reason)
    publish({metric: 1}, {})


def segment(name: str) -> AbstractContextManager[Any]:
    """A subsegment of the request's trace, where X-Ray chose to sample it; otherwise nothing, at no cost."""
    if "Sampled=1" not in os.environ.get(TRACE, ""):
        return _NO_SEGMENT
    return tracer().provider.in_subsegment(f"## {name}")


@cache
def _service() -> str:
    return os.environ.get("POWERTOOLS_SERVICE_NAME", "embeddings-gateway")


@cache
def _keeps_facts() -> bool:
    return logger().log_level <= logging.INFO
