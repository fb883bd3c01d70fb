"""The log line and the metrics of one request, from the facts of what it did. Every entrance calls it."""

import msgspec

from gateway import telemetry
from gateway.core.caller import Caller
from gateway.core.facts import Facts

FIRST_SERVER_ERROR = 500


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a request ended. `duration` is seconds, `bytes_out` the size of the answer, `error` the name of the cause."""

    request_id: str
    dialect: str
    method: str
    status: int
    duration: float
    bytes_out: int = 0
    error: str | None = None


def observe(outcome: Outcome, facts: Facts, caller: Caller | None) -> None:
    """Write the line of a request: its facts, and its metrics for the service and by model.

    No metric is by workspace: CloudWatch bills each combination of dimensions as a metric of its own, every month.
    """
    upstream_ms = facts.upstream_time * 1000
    own_ms = outcome.duration * 1000 - upstream_ms
    line = {**_line(outcome, facts, caller), "upstream_ms": round(upstream_ms, 1), "own_ms": round(own_ms, 1)}
    counted: dict[str, float] = {"Requests": 1, "Errors": int(outcome.status >= FIRST_SERVER_ERROR)}
    if not (caller and facts.model):
        telemetry.publish(counted, line)
        return
    counted |= _counted(facts)
    if facts.upstream_calls:
        counted["UpstreamTime"] = upstream_ms
    telemetry.publish(counted | {"OwnTime": own_ms}, line, model=facts.model)


def _line(outcome: Outcome, facts: Facts, caller: Caller | None) -> dict[str, object]:
    """The facts of the line; what is not known is left out."""
    line = {
        "message": "request",
        "request_id": outcome.request_id,
        "dialect": outcome.dialect,
        "method": outcome.method,
        "status": outcome.status,
        "error": outcome.error,
        "workspace": caller and caller.workspace.name,
        "key_id": caller and caller.key_id,
        "model": facts.model,
        "route": facts.route,
        "inputs": facts.inputs,
        "hits": facts.hits,
        "input_tokens": facts.input_tokens,
        "billed_tokens": facts.billed_tokens,
        "upstream_calls": facts.upstream_calls,
        "bytes_out": outcome.bytes_out,
    }
    return {name: fact for name, fact in line.items() if fact is not None}


def _counted(facts: Facts) -> dict[str, float]:
    return {
        "BilledTokens": facts.billed_tokens,
        "InputTokens": facts.input_tokens,
        "CacheHits": facts.hits,
        "CacheMisses": facts.misses,
    }
