"""What the operator learns of a provider's failure: one line of the log, and one in a metric."""

import json
import re
from collections.abc import Collection, Sequence

from gateway import telemetry
from gateway.core.embedding import Input
from gateway.core.ports import ProviderCall

MAX_REASON = 500
"""Characters of a reason in the log."""
PART = 12
"""Characters of a block: part of a text that is shorter than two of them may stay."""
REMOVED = "[text]"


def report_failure(call: ProviderCall, reason: str | None, status: int | None = None, code: str | None = None) -> None:
    """Report which provider failed, and why; texts of the call that the reason repeats are left out."""
    telemetry.provider_failed(
        provider=call.provider.name,
        route=call.route.name,
        status=status,
        code=code and _without_texts(code, call.inputs),
        reason=_without_texts(reason or "it gave no reason", call.inputs)[:MAX_REASON],
    )


def _without_texts(reason: str, inputs: Sequence[Input]) -> str:
    """Texts go in all their spellings and also in part: vendors cut what they repeat, and so do we."""
    spellings = {spelling for text in inputs if isinstance(text, str) and text.strip() for spelling in _spellings(text)}
    return _without_parts(_without_whole(reason, spellings), "\0".join(spellings))


def _spellings(text: str) -> set[str]:
    """A text as it is, as JSON writes it, and as Python does."""
    return {text, text.strip(), json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1]}


def _without_whole(reason: str, spellings: Collection[str]) -> str:
    """All texts are replaced in one pass: a second one would find `t` and `text` in the `[text]` of the first."""
    repeated = sorted((text for text in spellings if text in reason), key=len, reverse=True)
    return re.sub("|".join(map(re.escape, repeated)), REMOVED, reason) if repeated else reason


def _without_parts(reason: str, texts: str) -> str:
    """Any 2 * PART - 1 characters in a row that stand in a text hold one of the blocks that are looked for."""
    kept = []
    done = 0
    for start in range(0, len(reason) - PART + 1, PART):
        if start < done or (at := texts.find(reason[start : start + PART])) < 0:
            continue
        before = _common(reason[done:start][::-1], texts[max(0, at - start + done) : at][::-1])
        length = _common(reason[start:], texts[at : at + len(reason) - start])
        kept += [reason[done : start - before], REMOVED]
        done = start + length
    return "".join(kept) + reason[done:]


def _common(one: str, other: str) -> int:
    """How many characters two texts have in common at their beginnings."""
    differs = (at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1])
    return next(differs, min(len(one), len(other)))
