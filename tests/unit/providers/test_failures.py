"""Callers' texts never reach the log, however a vendor repeats them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.providers._error_body import read_error_body
from gateway.providers._failures import MAX_REASON, PART, report_failure
from tests.unit.providers.builders import a_call

LETTERS = st.text(st.sampled_from('abc äé"\\\n\t日🙂{}[]'), min_size=2 * PART, max_size=3_000)


def reason_of(caplog: pytest.LogCaptureFixture, message: str, *texts: str) -> str:
    caplog.clear()
    said = read_error_body(json.dumps({"error": {"message": message}}).encode())
    report_failure(a_call(*texts), said and said.message)
    (record,) = caplog.records
    reason: str = record.__dict__["reason"]
    return reason


def repeats(reason: str, text: str) -> bool:
    """Whether so many characters in a row of a text stand in the reason."""
    size = 2 * PART - 1
    return any(text[at : at + size] in reason for at in range(len(text) - size + 1))


@pytest.mark.parametrize("length", [60, 499, 600, 1_001, 5_000, 100_000])
@pytest.mark.parametrize("cut", [1.0, 0.5])
def test_a_text_that_a_vendor_repeats_is_removed_before_the_reason_is_cut(
    caplog: pytest.LogCaptureFixture, length: int, cut: float
) -> None:
    text = "".join(f"secret {at} " for at in range(length // 8))[:length]

    reason = reason_of(caplog, f"Cannot embed: {text[: int(length * cut)]}", text)

    assert reason.startswith("Cannot embed: [text]")
    assert not repeats(reason, text)
    assert len(reason) <= MAX_REASON


@given(
    text=LETTERS,
    spelling=st.sampled_from([str, json.dumps, repr]),
    cut=st.integers(0, 3_000),
    before=st.text(max_size=40),
)
def test_no_spelling_of_a_text_and_no_part_of_one_is_logged(text: str, spelling: object, cut: int, before: str) -> None:
    assert callable(spelling)
    with pytest.MonkeyPatch.context() as patch:
        told: list[str] = []
        patch.setattr("gateway.telemetry.provider_failed", lambda **facts: told.append(facts["reason"]))
        report_failure(a_call(text), f"{before}{spelling(text)[cut:]} is refused.")

    assert not repeats(told[0], text)
    assert not repeats(told[0], spelling(text))


def test_what_is_no_text_of_the_caller_s_stays(caplog: pytest.LogCaptureFixture) -> None:
    message = "This model's maximum context length is 512 tokens, however you requested 900."

    assert reason_of(caplog, message, "a text of the caller's", "another one") == message
