"""How often a rule comes round, as a reader has use for it: once a month, not "first tue 09:00"."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import islice, takewhile
from typing import Literal

from mailer.schedule.rules import Rule

#: four years with a leap year among them, so that every date comes round
_BEGIN, _END, _YEARS = datetime(2000, 12, 31, 23, 59), datetime(2005, 1, 1), 4  # noqa: DTZ001 - on the clock on the wall
_MONTHS, _WEEKS, _DAYS = 12, 52, 365


@dataclass(frozen=True, slots=True)
class Rhythm:
    """So many `times` `per` day, week, month or year; more than once a day is once a day."""

    times: int
    per: Literal["day", "week", "month", "year"]


@lru_cache(maxsize=256)
def rhythm(rule: Rule) -> Rhythm:
    """How often the rule comes round, rounded: every working day is five times a week."""
    most = _YEARS * _DAYS
    times = len(list(islice(takewhile(lambda at: at < _END, rule.wall_times(_BEGIN)), most)))
    a_year = times / _YEARS
    if times == most:
        return Rhythm(1, "day")
    if a_year >= _WEEKS - 1:
        return Rhythm(round(a_year / _WEEKS), "week")
    if a_year >= _MONTHS - 1:
        return Rhythm(round(a_year / _MONTHS), "month")
    return Rhythm(max(1, round(a_year)), "year")
