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
    """X-Ray segments; off unless the function is traced."""
    from aws_lambda_powertools import Tracer  # noqa: PLC0415  (brings aws-xray-sdk and botocore)

    return Tracer(auto_patch=False)


def count(name: str, value: float = 1, unit: str = "Count") -> None:
    """Add to a metric of the request under way; `publish` writes it."""
    _metrics().add_metric(name=name, unit=unit, value=value)


def publish(**dimensions: str) -> None:
    """Write what was counted as one CloudWatch line (EMF): for the service, and by the dimensions given."""
    metrics = _metrics()
    if dimensions:
        metrics.add_dimensions(service=metrics.service or NAMESPACE, **dimensions)
    metrics.flush_metrics()


@contextmanager
def segment(name: str) -> Iterator[None]:
    """A subsegment of the request's trace, where the function is traced."""
    if os.environ.get("TRACING") != "Active":
        yield
        return
    with tracer().provider.in_subsegment(name):
        yield


@cache
def _metrics() -> "Metrics":
    from aws_lambda_powertools import Metrics  # noqa: PLC0415  (paid for when first used)

    return Metrics(namespace=NAMESPACE)
