"""What the operator learns of a provider's failure: one line of the log, and one in a metric."""

from collections.abc import Sequence

from gateway import telemetry
from gateway.core.embedding import Input
from gateway.core.ports import ProviderCall

MAX_REASON = 500
"""Characters of a reason in the log."""


def report_failure(call: ProviderCall, reason: str | None, status: int | None = None, code: str | None = None) -> None:
    """Report which provider failed, and why; texts of the call that the reason repeats are left out."""
    telemetry.provider_failed(
        provider=call.provider.name,
        route=call.route.name,
        status=status,
        code=code,
        reason=_without_texts(reason or "it gave no reason", call.inputs)[:MAX_REASON],
    )


def _without_texts(reason: str, inputs: Sequence[Input]) -> str:
    for text in inputs:
        if isinstance(text, str) and text.strip():
            reason = reason.replace(text, "[text]")
    return reason
