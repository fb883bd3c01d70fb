import pytest

from infra.admin.failures import NotTried
from infra.admin.times import read_duration, read_expiry, show_moment

NOON = 1_798_804_800  # 2027-01-01 12:00 UTC
DAY = 86_400


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("30s", 30), ("15m", 900), ("24h", DAY), ("90d", 90 * DAY), ("2w", 14 * DAY)]
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert read_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "24", "h", "-1h", "1.5h", "1y", "1 h"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(NotTried, match="24h"):
        read_duration(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1d", NOON + DAY),
        ("2027-01-02", NOON + DAY // 2),
        ("2027-01-01T13:00", NOON + 3600),
        ("2027-01-01T14:00+01:00", NOON + 3600),
    ],
)
def test_an_expiry_is_a_duration_or_a_moment_in_utc(text: str, moment: int) -> None:
    assert read_expiry(text, now=NOON) == moment


@pytest.mark.parametrize("text", ["2026-12-31", "0d"])
def test_an_expiry_that_has_passed_is_refused(text: str) -> None:
    with pytest.raises(NotTried, match="passed"):
        read_expiry(text, now=NOON)


@pytest.mark.parametrize("text", ["36501d", "999999w", "9999999d", "9" * 5000 + "s"])
def test_a_duration_of_more_than_a_century_is_refused_as_such(text: str) -> None:
    with pytest.raises(NotTried, match="longer than 100 years") as refusal:
        read_duration(text)

    assert len(refusal.value.sentence) < 120


def test_a_date_in_more_than_a_century_is_refused_as_such() -> None:
    with pytest.raises(NotTried, match="in more than 100 years"):
        read_expiry("2200-01-01", now=NOON)


def test_a_century_is_not_too_long() -> None:
    assert show_moment(read_expiry("36500d", now=NOON)) == "2126-12-08 12:00 UTC"


def test_what_is_no_expiry_is_refused() -> None:
    with pytest.raises(NotTried, match="90d"):
        read_expiry("tomorrow", now=NOON)


def test_a_moment_is_shown_in_utc_and_none_as_never() -> None:
    assert show_moment(NOON) == "2027-01-01 12:00 UTC"
    assert show_moment(None) == "never"
