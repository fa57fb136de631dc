"""iCalendar (RFC 5545): events, with repeating ones as the dates they have in the coming year."""

import html
from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import icalendar
import recurring_ical_events

from mailer.feeds.dates import BERLIN
from mailer.feeds.identity import identify
from mailer.feeds.markup import absolute_url, plain
from mailer.feeds.parsed import MOST_ITEMS, NotAFeed, ParsedFeed, ParsedItem, Problems

LARGEST = 2_000_000  # bytes; icalendar reads about a megabyte a second
MOST_DATES, AHEAD = 12_000, timedelta(days=366)  # 7,000 dates a second


def read_calendar(
    body: bytes, url: str, known: Collection[str], now: datetime, problems: Problems
) -> ParsedFeed:
    """Single events whenever they are; of a series the dates from yesterday to a year from `now`."""
    if len(body) > LARGEST or body.count(b"BEGIN:") > MOST_ITEMS:
        raise NotAFeed("a calendar that is too large")
    try:
        calendar = icalendar.Calendar.from_ical(body.decode("utf-8-sig", "replace"))
        events = [event for event in calendar.walk("VEVENT") if event.get("DTSTART")]
        series = [event for event in events if event.get("RRULE") or event.get("RDATE")]
        repeated = {_uid(event) for event in series}
        items = [_item(event, url) for event in events if _uid(event) not in repeated]
        items += [_item(event, url) for event in _dates(calendar, series, now, problems)]
        title = plain(str(calendar.get("X-WR-CALNAME", "")), markup=False)
    except Exception as error:  # both libraries raise whatever they run into
        raise NotAFeed(f"a calendar that cannot be read: {type(error).__name__}") from error
    return ParsedFeed("icalendar", title, identify(items, known, problems), tuple(problems.lines))


def _uid(event: Any) -> str:
    return str(event.get("UID", "")).strip()


def _dates(calendar: Any, series: list[Any], now: datetime, problems: Problems) -> list[Any]:
    """The occurrences of each series, changed and dropped ones minded (RECURRENCE-ID, EXDATE)."""
    if sum(map(_dates_a_year, filter(_is_tame, series))) > MOST_DATES:
        problems.note("too many repeating events: only their first dates were read")
        return series
    wild = [event for event in series if not _is_tame(event)]
    if wild:
        problems.note("repeating events with an unusual rule: only their first dates were read")
    tame = {_uid(event) for event in series} - {_uid(event) for event in wild}
    chosen = icalendar.Calendar()
    for part in calendar.subcomponents:
        if part.name == "VTIMEZONE" or (part.name == "VEVENT" and _uid(part) in tame):
            chosen.add_component(part)
    found = recurring_ical_events.of(chosen).between(now - timedelta(days=1), now + AHEAD) if tame else []
    return [*wild, *found[:MOST_ITEMS]]


def _dates_a_year(event: Any) -> int:
    """At most so many, roughly: a weekly or rarer event on one or two days, or else as if daily."""
    rules = event.get("RRULE") or {}
    days = len(rules.get("BYDAY", [])) + len(rules.get("BYMONTHDAY", []))
    return 366 if days > 2 or "DAILY" in map(str, rules.get("FREQ", [])) else 104


def _is_tame(event: Any) -> bool:
    """Whether the rule is one that people make: at most daily, and for days that do come."""
    rules = event.get("RRULE")
    start = event["DTSTART"].dt
    if rules is None or isinstance(rules, list) or start.year < 1990:
        return rules is None
    often = str(rules.get("FREQ", [""])[0])
    allowed = {
        "DAILY": {"BYDAY"},
        "WEEKLY": {"BYDAY"},
        "MONTHLY": {"BYDAY", "BYMONTHDAY", "BYSETPOS", "BYMONTH"},
        "YEARLY": {"BYDAY", "BYMONTHDAY", "BYSETPOS", "BYMONTH"},
    }.get(often)
    if allowed is None or min(rules.get("INTERVAL", [1])) < 1:
        return False
    return set(rules) <= allowed | {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST"}


def _item(event: Any, url: str) -> ParsedItem:
    identity = _uid(event)
    starts = _instant(event["DTSTART"].dt)
    if event.get("RECURRENCE-ID") is not None:  # each date of a series has the one it was planned for
        identity += f"#{_instant(event['RECURRENCE-ID'].dt):%Y%m%dT%H%M%SZ}"
    return ParsedItem(
        identity=identity,
        title=plain(str(event.get("SUMMARY", "")), markup=False),
        url=absolute_url(str(event.get("URL") or ""), url),
        summary=html.escape(str(event.get("DESCRIPTION", "")), quote=False),
        published=_time(event, "CREATED"),
        updated=_time(event, "LAST-MODIFIED"),
        starts=starts,
        ends=_time(event, "DTEND") or (starts + event["DURATION"].dt if event.get("DURATION") else None),
        location=plain(str(event.get("LOCATION", "")), markup=False),
        categories=tuple(dict.fromkeys(str(word) for word in event.categories)),
    )


def _time(event: Any, name: str) -> datetime | None:
    return _instant(event[name].dt) if event.get(name) else None


def _instant(value: date | datetime) -> datetime:
    """A day is its midnight, and a time without zone is meant, in Berlin."""
    if not isinstance(value, datetime):
        value = datetime.combine(value, time())
    return (value if value.tzinfo else value.replace(tzinfo=BERLIN)).astimezone(UTC)
