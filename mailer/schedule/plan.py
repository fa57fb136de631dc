"""The values that a plan consists of. `read_plan` makes them, nothing changes them.

Durations are timedelta, so "5d" is five times 24 hours also over a change of the clocks.
What each key means to an operator, and its default, stands in docs/schedule.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from mailer.schedule.nosend import NoSend, OnNoSendDay
from mailer.schedule.rules import Rule, week_of_month

Release = Literal["required", "none"]
Order = Literal["newest", "event", "deadline"]
Then = Literal["skip", "postpone", "send"]
Contributed = Literal["practice", "event", "help-wanted", "help-offered"]


@dataclass(frozen=True, slots=True)
class Plan:
    timezone: ZoneInfo
    no_send: NoSend
    newsletters: Mapping[str, "Newsletter"]
    feeds: Mapping[str, "Feed"]


@dataclass(frozen=True, slots=True)
class Newsletter:
    """A recurring publication. `zone` is its own or, by default, the plan's time zone."""

    key: str
    title: str
    list: str
    rule: Rule
    draft: timedelta
    release: Release
    late: timedelta
    remind: timedelta
    notify: tuple[str, ...]
    on_no_send_day: OnNoSendDay
    too_few: "TooFew"
    template: str
    zone: ZoneInfo
    deputies: tuple[str, ...]
    emergency_release: bool
    sections: tuple["Section", ...]


@dataclass(frozen=True, slots=True)
class TooFew:
    """With fewer than `below` items an issue is skipped, postponed to the next slot, or sent all the same."""

    below: int
    then: Then


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a newsletter; `within` and `max_age` are None where there is no limit.

    It takes from `feeds`, from what municipalities sent in (`contributions`: the kinds), and with
    `municipal` from all feeds that belong to a municipality.
    """

    title: str
    feeds: tuple[str, ...]
    contributions: tuple["Contributed", ...]
    municipal: bool
    order: Order
    within: timedelta | None
    max: int
    min: int
    only_if: "OnlyIf | None"
    carry_over: bool
    max_age: timedelta | None
    match: "Match | None"


@dataclass(frozen=True, slots=True)
class OnlyIf:
    """When a section appears at all; an empty tuple sets no condition.

    months: 1 to 12. weeks: first, second, third, fourth, last, counted by weekday as in `send`: the 8th
    is the second of its weekday in the month, and "last" is that weekday's last.
    """

    months: tuple[int, ...]
    weeks: tuple[str, ...]

    def holds(self, day: date) -> bool:
        """Whether the section appears in an issue whose nominal day is `day` (in the newsletter's zone)."""
        if self.months and day.month not in self.months:
            return False
        return not self.weeks or not week_of_month(day).isdisjoint(self.weeks)


@dataclass(frozen=True, slots=True)
class Match:
    """Which items a section takes: one hit in every condition that is given (an empty tuple is none).

    category: names of feed categories. words: found in title or summary. places: AGS prefixes, of which the
    item's place must begin with one.
    """

    category: tuple[str, ...]
    words: tuple[str, ...]
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Feed:
    """A source. `municipality` is the AGS or letter key of the body that owns it; `title` may be empty.

    `places` are AGS prefixes of those its items are for, () for everybody.
    """

    key: str
    url: str
    every: timedelta
    municipality: str | None
    places: tuple[str, ...]
    internal: bool
    allow_private: bool
    title: str


@dataclass(frozen=True, slots=True)
class PlanProblem:
    """One thing that is wrong; `line` counts from 1."""

    line: int
    message: str


class PlanProblems(ValueError):
    """Everything that is wrong with a plan, in the order of its lines."""

    def __init__(self, problems: tuple[PlanProblem, ...], *, source: str) -> None:
        self.problems = problems
        self.source = source
        super().__init__("\n".join(f"{source}:{problem.line}: {problem.message}" for problem in problems))
