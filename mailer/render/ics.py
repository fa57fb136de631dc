"""Events as an iCalendar file (RFC 5545) that calendars take over. A leaf: values in, bytes out."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from icalendar import Calendar
from icalendar import Event as Component


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `uid` is the same whenever and wherever it is written; texts may be ""."""

    uid: str
    title: str
    starts: datetime
    ends: datetime | None = None
    #: both are midnights, and nobody means a time of day; the end is exclusive
    all_day: bool = False
    location: str = ""
    description: str = ""
    url: str = ""


def calendar(events: Iterable[Event], *, stamp: datetime, zone: ZoneInfo, name: str = "") -> bytes:
    """The file with these events, as somebody publishes them who wants no answer (RFC 5546 3.2.1).

    A `name` is for one that is subscribed to. `stamp` says when they were written down (DTSTAMP). Times
    stand in it in UTC; days are those of `zone`.
    """
    file = Calendar()
    # RFC 5545 3.6 wants both
    file.add("prodid", "-//Infomail//Infomail//DE")
    file.add("version", "2.0")
    file.add("method", "PUBLISH")
    if name:
        # RFC 7986 5.1 and 5.7; Outlook and Apple know the older name only
        file.add("name", name)
        file.add("x-wr-calname", name)
        file.add("refresh-interval", timedelta(hours=6), parameters={"VALUE": "DURATION"})
    for event in events:
        file.add_component(_component(event, stamp, zone))
    written: bytes = file.to_ical()
    return written


def _component(event: Event, stamp: datetime, zone: ZoneInfo) -> Component:
    component = Component()
    component.add("uid", event.uid)
    component.add("dtstamp", stamp.astimezone(UTC))
    component.add("summary", event.title)
    for name, moment in zip(("dtstart", "dtend"), _span(event, zone), strict=True):
        if moment is not None:
            component.add(name, moment)
    for name in ("location", "description", "url"):
        if text := getattr(event, name):
            component.add(name, text)
    return component


def _span(event: Event, zone: ZoneInfo) -> tuple[date, date | None]:
    """Start and end; of what lasts all day both are dates, and the end is exclusive (3.6.1)."""
    starts = event.starts.astimezone(zone)
    ends = event.ends.astimezone(zone) if event.ends and event.ends > event.starts else None
    midnights = ends is not None and starts.time() == ends.time() == time()
    if not event.all_day and not midnights:
        return event.starts.astimezone(UTC), ends and ends.astimezone(UTC)
    if ends is None:
        return starts.date(), starts.date() + timedelta(days=1)
    # an end within a day is no midnight: that day belongs to it
    return starts.date(), ends.date() + timedelta(days=0 if ends.time() == time() else 1)
