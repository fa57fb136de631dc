"""How often a newsletter is said to come."""

import pytest

from mailer.schedule.rhythm import Rhythm, rhythm
from mailer.schedule.rules import parse_cron, parse_send


@pytest.mark.parametrize(
    ("send", "times", "per"),
    [
        ("daily 06:00", 1, "day"),
        ("mon 07:30", 1, "week"),
        ("mon,thu 07:30", 2, "week"),
        ("mon,tue,wed,thu,fri,sat 07:30", 6, "week"),
        ("first tue 09:00", 1, "month"),
        ("last fri 09:00", 1, "month"),
        ("second tue,thu 09:00", 2, "month"),
    ],
)
def test_a_rule_of_days_is_said_by_day_week_or_month(send: str, times: int, per: str) -> None:
    assert (rhythm(parse_send(send)).times, rhythm(parse_send(send)).per) == (times, per)


@pytest.mark.parametrize(
    ("cron", "times", "per"),
    [
        ("*/5 * * * *", 1, "day"),
        ("0 9 * * mon-fri", 5, "week"),
        ("0 9 1,15 * *", 2, "month"),
        # day and weekday must both fit
        ("0 9 1-7 * tue", 1, "month"),
        ("0 9 1 */3 *", 4, "year"),
        ("0 9 24 dec *", 1, "year"),
        # once in four years is seldom enough to be once a year
        ("0 9 29 feb *", 1, "year"),
        # from 2001 to 2004 no such day was a Thursday
        ("0 9 31 dec thu", 1, "year"),
    ],
)
def test_a_cron_line_is_counted(cron: str, times: int, per: str) -> None:
    assert rhythm(parse_cron(cron)) == Rhythm(times, per)  # type: ignore[arg-type]  # from the table
