"""Dates as they stand in a letter: "Dienstag, 5. März 2024, 10:00–12:00 Uhr"."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_date

_NBSP = "\N{NO-BREAK SPACE}"
#: what ends so early the next morning is still the same evening
_NIGHT_ENDS = 6


def long_date(day: date, *, language: str, zone: ZoneInfo) -> str:
    """ "Dienstag, 5. März 2024"; a moment is that day in `zone`."""
    return _said(_local(day, zone), "EEEE, d. MMMM y", language)


def when(
    starts: date, ends: date | None = None, all_day: bool = False, *, language: str, zone: ZoneInfo
) -> str:
    """When something takes place: day and time, from-to, or several days.

    From midnight to midnight is all day. The end of what lasts all day is exclusive where it is a
    moment (RFC 5545 3.8.2.2).
    """
    first, last = _local(starts, zone), _local(ends or starts, zone)
    if last < first:
        last = first
    begin, end = _clock(starts, zone), _clock(ends or starts, zone)
    all_day = all_day or begin == "" or (begin == end == "00:00" and last > first)
    if all_day and isinstance(ends, datetime) and last > first and end == "00:00":
        last -= timedelta(days=1)
    overnight = not all_day and last - first == timedelta(days=1) and int(end[:2]) < _NIGHT_ENDS
    if last > first and not overnight:
        return _span(first, last, language)
    day = _said(first, "EEEE, d. MMMM y", language)
    if all_day:
        return day
    times = begin if end == begin else f"{begin}–{end}"
    return f"{day}, {times}" if language.startswith("en") else f"{day}, {times}{_NBSP}Uhr"


def _span(first: date, last: date, language: str) -> str:
    whole = _said(last, "d. MMMM y", language)
    if first.year != last.year:
        return f"{_said(first, 'd. MMMM y', language)} – {whole}"
    if first.month != last.month:
        return f"{_said(first, 'd. MMMM', language)} – {whole}"
    return f"{_said(first, 'd.', language)}–{whole}"


def _said(day: date, pattern: str, language: str) -> str:
    if language.startswith("en"):
        return format_date(day, pattern.replace("d.", "d"), locale="en_GB")
    return format_date(day, pattern.replace("d. ", f"d.{_NBSP}"), locale="de")


def _local(moment: date, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date() if isinstance(moment, datetime) else moment


def _clock(moment: date, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%H:%M}" if isinstance(moment, datetime) else ""
