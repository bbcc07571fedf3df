"""Lengths of time, as people write them."""

from __future__ import annotations

import pytest

from lesionctl.errors import UsageError
from lesionctl.train.planning.duration import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("1h30m", 5400), ("1.5h", 5400), (" 1H5s ", 3605)]
)
def test_a_time_is_read_in_seconds(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "m", "0m", "30m1h", "-5m", "a while", "1d"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(UsageError, match="no length of time") as caught:
        parse_duration(text)
    assert "1h30m" in caught.value.hint


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (59.2, "1m"), (5400, "1h30m"), (3661, "1h1m1s")])
def test_a_time_is_written_as_it_is_read(seconds, text):
    assert format_duration(seconds) == text
