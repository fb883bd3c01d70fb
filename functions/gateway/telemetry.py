"""Logger, metrics and tracer of Powertools, each made when it is first used.

Names and numbers only: a key or a text never gets here.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger, Metrics, Tracer

NAMESPACE = "EmbeddingsGateway"


@cache
def logger() -> "Logger":
    """JSON lines on standard output; the level is `LOG_LEVEL`."""
    from aws_lambda_powertools import Logger  # noqa: PLC0415  (paid for when first used)

    return Logger()


@cache
def tracer() -> "Tracer":
    """X-Ray; needed only by requests that are sampled."""
    from aws_lambda_powertools import Tracer  # noqa: PLC0415  (brings aws-xray-sdk and botocore)

    return Tracer(auto_patch=False)


def count(name: str, value: float = 1, unit: str = "Count") -> None:
    """Add to a metric of the request under way; `publish` writes it."""
    _metrics().add_metric(name=name, unit=unit, value=value)


def degraded(metric: str, reason: str) -> None:
    """A store was of no help and the request went on without it: counted, and said why."""
    count(metric)
    logger().warning("degraded", metric=metric, reason=reason)


def publish(**dimensions: str) -> None:
    """Write what was counted as one CloudWatch line (EMF): for the service, and by the dimensions given."""
    metrics = _metrics()
    if dimensions:
        metrics.add_dimensions(service=_service(), **dimensions)
    metrics.flush_metrics()


@contextmanager
def segment(name: str) -> Iterator[None]:
    """A subsegment of the request's trace, where X-Ray chose to sample it; otherwise nothing, at no cost."""
    if "Sampled=1" not in os.environ.get("_X_AMZN_TRACE_ID", ""):
        yield
        return
    with tracer().provider.in_subsegment(f"## {name}"):
        yield


@cache
def _metrics() -> "Metrics":
    from aws_lambda_powertools import Metrics  # noqa: PLC0415  (paid for when first used)

    return Metrics(namespace=NAMESPACE, service=_service())


def _service() -> str:
    return os.environ.get("POWERTOOLS_SERVICE_NAME", "embeddings-gateway")
