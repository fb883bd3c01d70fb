"""What the operator learns of a provider's failure: one line of the log, and one in a metric."""

import re
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
    """All texts are replaced in one pass: a second one would find `t` and `text` in the `[text]` of the first."""
    repeated = [text for text in inputs if isinstance(text, str) and text.strip() and text in reason]
    longest_first = sorted(repeated, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, longest_first)), "[text]", reason) if repeated else reason
