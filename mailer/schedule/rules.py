"""When a newsletter comes round, as times on the clock on the wall.

    send = "first tue 09:00"     the first Tuesday of a month; also second, third, fourth, last
    send = "mon,thu 07:30"       every week
    send = "daily 06:00"
    cron = "0 9 1-7 * tue"       minute, hour, day, month, weekday

All of them become the five fields of APScheduler's CronTrigger, which does the calendar. Two of its habits
matter. A day AND a weekday must both fit, whereas cron takes either. And its weekday numbers start with
Monday = 0, whereas cron's start with Sunday = 0, so only weekday names are accepted.

The trigger is asked in UTC, where no hour is missing or doubled, and its answer is read as a wall-clock time.
Asked in Europe/Berlin, APScheduler 3.11 would give 02:30 twice in the night in which summer time ends.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from apscheduler.triggers.cron import CronTrigger

_ORDINALS = {"first": "1st", "second": "2nd", "third": "3rd", "fourth": "4th", "last": "last"}
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WEEKS = tuple(_ORDINALS)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as written (`text`), and its five fields in APScheduler's words."""

    text: str
    minute: str
    hour: str
    day: str
    month: str
    weekday: str

    def wall_times(self, after: datetime) -> Iterator[datetime]:
        """The rule's times after the naive wall-clock time `after`: naive, ascending, to the minute."""
        trigger = _trigger(self)
        found = after
        while True:
            fire_time = trigger.get_next_fire_time(
                None, found.replace(tzinfo=UTC) + timedelta(microseconds=1)
            )
            if fire_time is None:
                return
            found = fire_time.replace(tzinfo=None)
            yield found


def parse_send(text: str) -> Rule:
    """The rule that a value of `send` describes. Raises ValueError when it describes none."""
    parts = re.fullmatch(
        r"(?:(?P<ordinal>[a-z]+) +)?(?P<days>[a-z]+(?: *, *[a-z]+)*) +(?P<hour>\d\d):(?P<minute>\d\d)",
        text.strip().lower(),
        re.ASCII,
    )
    if parts is None:
        raise ValueError
    hour, minute = int(parts["hour"]), int(parts["minute"])
    if hour > 23 or minute > 59:
        raise ValueError
    day, weekday = _days(parts["ordinal"], parts["days"])
    return Rule(text, str(minute), str(hour), day, "*", weekday)


def _days(ordinal: str | None, days: str) -> tuple[str, str]:
    """The fields for day and weekday."""
    if days == "daily" and ordinal is None:
        return "*", "*"
    names = [_weekday(day.strip()) for day in days.split(",")]
    if ordinal is None:
        return "*", ",".join(names)
    if ordinal not in _ORDINALS:
        raise ValueError
    return ",".join(f"{_ORDINALS[ordinal]} {name}" for name in names), "*"


def _weekday(word: str) -> str:
    for name in _WEEKDAYS:
        if word in (name, name[:3]):
            return name[:3]
    raise ValueError


# APScheduler ignores what it does not understand behind a name ("tue-", "last-3", "mon-fri/2"), so each field
# has to be right before it gets there.
_NUMBERS = r"\*(?:/\d+)?|\d+|\d+-\d+(?:/\d+)?"
_NAMES = r"[a-z]+(?:-[a-z]+)?"
_CRON_FIELDS = {
    "minute": _NUMBERS,
    "hour": _NUMBERS,
    "day": rf"{_NUMBERS}|last",
    "month": rf"{_NUMBERS}|{_NAMES}",
    "weekday": rf"\*|{_NAMES}",
}


def parse_cron(text: str) -> Rule:
    """The rule of a cron line. Raises ValueError, which says what was expected, when there is none."""
    fields = text.lower().split()
    if len(fields) != len(_CRON_FIELDS):
        raise ValueError('five fields "minute hour day month weekday" such as "0 9 1-7 * tue"')
    if re.search(r"\d", fields[-1]):
        raise ValueError(
            'weekday names such as "mon" or "mon-fri" in the last field'
            " (1 means Monday to cron, but Tuesday to APScheduler)"
        )
    for (name, shape), field in zip(_CRON_FIELDS.items(), fields, strict=True):
        if not all(re.fullmatch(shape, part, re.ASCII) for part in field.split(",")):
            raise ValueError(f"a cron line whose {name} can be read")
    rule = Rule(text, *fields)
    try:
        comes = next(rule.wall_times(datetime(2000, 1, 1)), None)  # noqa: DTZ001 - on the clock on the wall
    except ValueError as error:
        raise ValueError(f"a cron line that can be read ({error})") from error
    if comes is None:
        raise ValueError("a cron line that ever comes round")
    return rule


@lru_cache(maxsize=256)
def _trigger(rule: Rule) -> CronTrigger:
    return CronTrigger(
        minute=rule.minute,
        hour=rule.hour,
        day=rule.day,
        month=rule.month,
        day_of_week=rule.weekday,
        timezone=UTC,
    )


def week_of_month(day: date) -> frozenset[str]:
    """Which of its weekday in the month `day` is, in words of `send`: {"fourth", "last"} for 28 Feb 2026."""
    words = {word for number, word in enumerate(WEEKS[:4]) if (day.day - 1) // 7 == number}
    if (day + timedelta(days=7)).month != day.month:
        words.add("last")
    return frozenset(words)
