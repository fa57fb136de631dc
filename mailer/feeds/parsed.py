"""What every reader of a feed format returns, and what it refuses with."""

from dataclasses import dataclass, field
from datetime import date, datetime

MOST_ITEMS = 5000  # more is no feed but an archive
MOST_TAGS = 200_000  # in all texts; making their links absolute and cleaning them takes 5 microseconds each


class NotAFeed(Exception):
    """The bytes are no feed that may be read; `reason` says why in a short English phrase."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ParsedItem:
    """One entry of a feed. Every time is aware and in UTC."""

    identity: str  # names the item within its feed; see identity.py
    title: str  # plain text, whitespace folded
    url: str  # absolute http(s), or ""
    summary: str  # HTML as the feed has it, links made absolute, NOT sanitised
    published: datetime | None
    updated: datetime | None
    starts: datetime | None  # of an event
    ends: datetime | None
    location: str
    categories: tuple[str, ...]
    all_day: bool = False  # starts and ends are midnights in Berlin that stand for days; `ends` is exclusive
    deadline: date | None = None  # the last day on which to apply, register or hand in; a day in Germany


@dataclass(frozen=True, slots=True)
class ParsedFeed:
    """A feed as read. `format` is rss20, rss10, rss09x, atom, jsonfeed or icalendar."""

    format: str
    title: str
    items: tuple[ParsedItem, ...]
    problems: tuple[str, ...]  # what was mended, a short English line each


@dataclass(slots=True)
class Problems:
    """Collects what was mended: each line once, and no more of them than a person would read."""

    lines: list[str] = field(default_factory=list)

    def note(self, line: str) -> None:
        if line not in self.lines and len(self.lines) < 20:
            self.lines.append(line)
