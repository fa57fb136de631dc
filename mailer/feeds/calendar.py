"""iCalendar (RFC 5545): events, repeating ones as the dates of the coming year, and tasks with a deadline."""

import html
import re
import warnings
from collections.abc import Callable, Collection
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import icalendar
import recurring_ical_events

from mailer.feeds.charset import decode
from mailer.feeds.dates import BERLIN
from mailer.feeds.deadlines import deadline_of
from mailer.feeds.identity import identify
from mailer.feeds.markup import absolute_url, plain
from mailer.feeds.parsed import MOST_ITEMS, NotAFeed, ParsedFeed, ParsedItem, Problems

LARGEST = 2_000_000  # bytes; icalendar reads about a megabyte a second
MOST_DATES, AHEAD = 6_000, timedelta(days=366)  # 7,000 dates a second


def read_calendar(
    body: bytes, content_type: str, url: str, known: Collection[str], now: datetime, problems: Problems
) -> ParsedFeed:
    """Single events whenever they are; of a series the dates from yesterday to a year from `now`.

    A task (VTODO) with a DUE date is an item with that deadline, which neither starts nor ends.
    """
    if len(body) > LARGEST or body.count(b"BEGIN:") > MOST_ITEMS:
        raise NotAFeed("a calendar that is too large")
    text = _mend(decode(body, content_type, problems), problems)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of each time zone that it has to guess
            calendars = icalendar.Calendar.from_ical(text, multiple=True)
            parts = [part for calendar in calendars for part in calendar.subcomponents]
            for part in parts:
                _drop_broken(part, problems)
            items = _items(parts, url, now, problems)
        title = next(
            (plain(str(c["X-WR-CALNAME"]), markup=False) for c in calendars if "X-WR-CALNAME" in c), ""
        )
    except Exception as error:  # both libraries raise whatever they run into
        raise NotAFeed(f"a calendar that cannot be read: {type(error).__name__}") from error
    if not calendars:
        raise NotAFeed("a calendar that does not end")
    return ParsedFeed("icalendar", title, identify(items, known, problems), tuple(problems.lines))


def _items(parts: list[Any], url: str, now: datetime, problems: Problems) -> list[ParsedItem]:
    events = [part for part in parts if part.name == "VEVENT" and part.get("DTSTART")]
    if len(events) < sum(part.name == "VEVENT" for part in parts):
        problems.note("events without a start were left out")
    series = [event for event in events if event.get("RRULE") or event.get("RDATE")]
    repeated = {_uid(event) for event in series}
    dates = [event for event in events if _uid(event) not in repeated]
    dates += _dates(parts, series, now, problems)
    tasks = [part for part in parts if part.name == "VTODO" and part.get("DUE")]
    made = [_readable(_event, event, url, problems) for event in dates]
    made += [_readable(_task, task, url, problems) for task in tasks]
    return [item for item in made if item]


def _mend(text: str, problems: Problems) -> str:
    """Join to the line before what is no content line (section 3.1): a text broken without being folded."""

    def broken(found: re.Match[str]) -> str:
        problems.note("lines that belong to the line before were joined to it")
        return f"\\n{found['text']}"

    return _STRAY.sub(broken, text.replace("\0", "").strip())


_STRAY = re.compile(r"\r?\n(?![ \t]|[A-Za-z0-9-]{1,80}[:;])(?P<text>[^\r\n]*)")


def _drop_broken(part: Any, problems: Problems) -> None:
    """Take out the properties that the library could not read, so that the others count."""
    for name, value in list(part.items()):
        values = value if isinstance(value, list) else [value]
        whole = [each for each in values if not isinstance(each, icalendar.vBroken)]
        if len(whole) < len(values):
            problems.note(f"unreadable {name} in the calendar")
            part.pop(name)
            if whole:
                part[name] = whole if len(whole) > 1 else whole[0]


def _readable(
    make: Callable[[Any, str], ParsedItem], part: Any, url: str, problems: Problems
) -> ParsedItem | None:
    try:
        return make(part, url)
    except (ValueError, TypeError, AttributeError, KeyError, OverflowError):  # twice what may stand once, …
        problems.note("events that cannot be read were left out")
        return None


def _uid(event: Any) -> str:
    return str(event.get("UID", "")).strip()


def _dates(parts: list[Any], series: list[Any], now: datetime, problems: Problems) -> list[Any]:
    """The occurrences of each series, changed and dropped ones minded (RECURRENCE-ID, EXDATE)."""
    if sum(map(_dates_a_year, filter(_is_tame, series))) > MOST_DATES:
        problems.note("too many repeating events: only their first dates were read")
        return series
    wild = [event for event in series if not _is_tame(event)]
    if wild:
        problems.note("repeating events with an unusual rule: only their first dates were read")
    tame = {_uid(event) for event in series} - {_uid(event) for event in wild}
    chosen = icalendar.Calendar()
    for part in parts:
        if part.name == "VTIMEZONE" or (part.name == "VEVENT" and part.get("DTSTART") and _uid(part) in tame):
            chosen.add_component(part)
    found = _between(chosen, now - timedelta(days=1)) if tame else []
    coming = {_uid(event) for event in found}
    for uid in sorted(tame - coming):  # a series of the past is listed like a single event of the past
        found += _between(_only(chosen, uid), min(_first(event) for event in series if _uid(event) == uid))
    lasting = {_uid(event) for event in series if event.get("DTEND") or event.get("DURATION")}
    for event in found:
        if _uid(event) not in lasting:
            event.pop("DTEND", None)  # the library's own, equal to the start
    return [*wild, *found[:MOST_ITEMS]]


def _between(calendar: Any, begin: datetime) -> list[Any]:
    return list(recurring_ical_events.of(calendar).between(begin, begin + AHEAD))


def _only(calendar: Any, uid: str) -> Any:
    """The calendar with one series, and the time zones, of which it may use any."""
    one = icalendar.Calendar()
    for part in calendar.subcomponents:
        if part.name == "VTIMEZONE" or _uid(part) == uid:
            one.add_component(part)
    return one


def _first(event: Any) -> datetime:
    return _instant(event["DTSTART"].dt)


def _dates_a_year(event: Any) -> int:
    """At most so many, roughly: a weekly or rarer event on one or two days, or else as if daily."""
    rules = event.get("RRULE") or {}
    days = len(rules.get("BYDAY", [])) + len(rules.get("BYMONTHDAY", []))
    return 366 if days > 2 or "DAILY" in map(str, rules.get("FREQ", [])) else 104


def _is_tame(event: Any) -> bool:
    """Whether the rule is one that people make: at most daily, and for days that do come."""
    rules = event.get("RRULE")
    start = getattr(event["DTSTART"], "dt", None)
    if rules is None:
        return start is not None
    if isinstance(rules, list) or start is None or start.year < 1990:
        return False
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


def _event(event: Any, url: str) -> ParsedItem:
    identity = _uid(event)
    first = event["DTSTART"].dt
    starts = _instant(first)
    if (
        identity and event.get("RECURRENCE-ID") is not None
    ):  # each date of a series has the one it was planned for
        identity += f"#{_instant(event['RECURRENCE-ID'].dt):%Y%m%dT%H%M%SZ}"
    title, summary = _texts(event)
    if str(event.get("STATUS", "")).upper() == "CANCELLED" and not _CALLED_OFF.search(title):
        title = f"Abgesagt: {title}"  # section 3.8.1.11; left out, it would stand in the next mail as planned
    return ParsedItem(
        identity=identity,
        title=title,
        url=absolute_url(str(event.get("URL") or ""), url),
        summary=summary,
        published=_time(event, "CREATED"),
        updated=_time(event, "LAST-MODIFIED"),
        starts=starts,
        ends=_time(event, "DTEND") or (starts + event["DURATION"].dt if event.get("DURATION") else None),
        location=plain(str(event.get("LOCATION", "")), markup=False),
        categories=_categories(event),
        all_day=not isinstance(first, datetime),
        deadline=deadline_of(title, summary),
    )


_CALLED_OFF = re.compile(r"abgesagt|absage|entfällt|fällt aus|verschoben|cancel", re.I)


def _task(task: Any, url: str) -> ParsedItem:
    due = task["DUE"].dt
    title, summary = _texts(task)
    return ParsedItem(
        identity=_uid(task),
        title=title,
        url=absolute_url(str(task.get("URL") or ""), url),
        summary=summary,
        published=_time(task, "CREATED"),
        updated=_time(task, "LAST-MODIFIED"),
        starts=None,
        ends=None,
        location=plain(str(task.get("LOCATION", "")), markup=False),
        categories=_categories(task),
        deadline=_instant(due).astimezone(BERLIN).date(),
    )


def _texts(part: Any) -> tuple[str, str]:
    title = plain(str(part.get("SUMMARY", "")), markup=False)
    return title, html.escape(str(part.get("DESCRIPTION", "")), quote=False)


def _categories(part: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(word) for word in part.categories))


def _time(event: Any, name: str) -> datetime | None:
    return _instant(event[name].dt) if event.get(name) else None


def _instant(value: date | datetime) -> datetime:
    """A day is its midnight, and a time without zone is meant, in Berlin."""
    if not isinstance(value, datetime):
        value = datetime.combine(value, time())
    return (value if value.tzinfo else value.replace(tzinfo=BERLIN)).astimezone(UTC)
