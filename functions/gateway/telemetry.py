"""What is seen from outside: Powertools' logger, metrics and tracer, each made when it is first used.

Names and numbers only: a key or a text never gets here.
"""

import logging
import os
import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger, Tracer

NAMESPACE = "EmbeddingsGateway"
TRACE = "_X_AMZN_TRACE_ID"
"""Where Lambda's runtime puts a request's trace."""

UNITS = {
    "Requests": "Count",
    "Errors": "Count",
    "Tokens": "Count",
    "InputTokens": "Count",
    "CacheHits": "Count",
    "CacheMisses": "Count",
    "CacheFailures": "Count",
    "AllowanceFallbacks": "Count",
    "UpstreamTime": "Milliseconds",
    "OwnTime": "Milliseconds",
}
"""By metric."""

_counted: dict[str, float] = {}
"""By metric, of the request under way."""
_NO_SEGMENT = nullcontext()


@cache
def logger() -> "Logger":
    """JSON lines on standard output; the level is `LOG_LEVEL`."""
    from aws_lambda_powertools import Logger  # noqa: PLC0415  (paid for when first used)

    return Logger(use_rfc3339=True, utc=True)


@cache
def tracer() -> "Tracer":
    """X-Ray; needed only by requests that are sampled."""
    from aws_lambda_powertools import Tracer  # noqa: PLC0415  (brings aws-xray-sdk and botocore)

    return Tracer(auto_patch=False)


def count(metric: str, value: float = 1) -> None:
    """Add to one of `UNITS`, for the request under way; `publish` writes it."""
    _counted[metric] = _counted.get(metric, 0) + value


def degraded(metric: str, reason: str) -> None:
    """A store was of no help and the request went on without it: counted, and said why."""
    count(metric)
    logger().warning("degraded", metric=metric, reason=reason)


def publish(facts: Mapping[str, Any], **dimensions: str) -> None:
    """Write the line of a request: its facts, and what was counted, for the service and by the dimensions given.

    It begins as the logger's other lines do; CloudWatch finds metrics in any line (EMF). It is put together here, as
    Powertools would write two and take a sixth of the request for it.
    """
    directive = _directive(tuple(_counted), tuple(dimensions))
    emf = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": directive}
    line: dict[str, Any] = {"service": _service(), **dimensions, "_aws": emf, **_counted}
    _counted.clear()
    if _wants_facts():
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"level": "INFO", "message": "request", "timestamp": now, **facts, **line}
        if trace := os.environ.get(TRACE):
            line["xray_trace_id"] = trace.partition(";")[0].removeprefix("Root=")  # as in the logger's lines
    sys.stdout.write(orjson.dumps(line).decode() + "\n")
    sys.stdout.flush()


def segment(name: str) -> AbstractContextManager[Any]:
    """A subsegment of the request's trace, where X-Ray chose to sample it; otherwise nothing, at no cost."""
    if "Sampled=1" not in os.environ.get(TRACE, ""):
        return _NO_SEGMENT
    return tracer().provider.in_subsegment(f"## {name}")


@cache
def _directive(metrics: tuple[str, ...], dimensions: tuple[str, ...]) -> orjson.Fragment:
    """JSON that tells CloudWatch how to read a line with these metrics, in Powertools' words."""
    from aws_lambda_powertools.metrics import Metrics  # noqa: PLC0415  (paid for when first used)

    directions = Metrics(namespace=NAMESPACE, service=_service())
    if dimensions:
        directions.add_dimensions(**dict.fromkeys(("service", *dimensions), "some"))
    for name in metrics:
        directions.add_metric(name=name, unit=UNITS[name], value=0)
    told = directions.serialize_metric_set()["_aws"]["CloudWatchMetrics"]
    directions.clear_metrics()
    return orjson.Fragment(orjson.dumps(told))


@cache
def _service() -> str:
    return os.environ.get("POWERTOOLS_SERVICE_NAME", "embeddings-gateway")


@cache
def _wants_facts() -> bool:
    """Whoever asks for fewer lines with `LOG_LEVEL` still wants to be alarmed."""
    return logger().log_level <= logging.INFO
