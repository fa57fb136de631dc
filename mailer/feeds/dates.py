"""Dates as German public sites write them.

Covers RFC 822/5322 with German or English names, `21.04.2021 - 15:26`, asctime and ISO 8601
(W3CDTF, and the basic form of RFC 5545). feedparser's own readers know no German and take MEZ for
UTC, and registering a handler with them would change them for the whole process; so the
feed readers hand the text as written to `read_date` and leave feedparser's answer alone.
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

BERLIN = ZoneInfo("Europe/Berlin")


def read_date(text: str, zone: tzinfo = BERLIN) -> datetime | None:
    """The instant `text` names, aware and in UTC; None when it names none for certain.

    A date without a time is its midnight; without a zone it is meant in `zone`. W3CDTF allows
    `2024` and `2024-03`: their first day. Never raises.
    """
    if len(text) > _LONGEST:
        return None
    if marked := _TIME_ELEMENT.search(text):
        text = marked["when"]
    words = " ".join(text.split())
    for form in _FORMS:
        if found := form.fullmatch(words):
            return _instant(found.groupdict(), zone)
    return None


_LONGEST = 200
_TIME_ELEMENT = re.compile(r"<time\s[^<>]*?\bdatetime\s?=\s?[\"'](?P<when>[^\"'<>]*)", re.I)  # Drupal's feeds

_NAME = r"[^\W\d_]"
_WEEKDAY = rf"(?:(?:vom|am|ab) )?(?:(?P<weekday>{_NAME}{{2,10}})\.?(?:\s*,\s*|\s+))?(?:den )?"
_MONTH = rf"(?P<name>{_NAME}{{3,9}})"
_YEAR = r"(?P<year>\d{4}|\d{2})"
_TIME = (
    r"(?P<hour>\d{1,2})(?:(?P<mark>[:.])(?P<minute>\d{2})(?:(?P=mark)(?P<second>\d{2})(?:[.,]\d{1,9})?)?)?"
    r"(?P<uhr> ?(?:Uhr|h)\b)? ?(?P<half>[AaPp]\.?[Mm]\.?)?"
)
_ZONE = rf"(?P<zone>(?: ?[(+-]?[+\d:)]{{1,7}}| ?\(?{_NAME}[\w/+:-]{{0,31}}\)?){{0,4}})"
_THEN_TIME = rf"(?:(?: ?, ?| ?- ?| ?– ?| ?\| ?| )(?:um )?{_TIME} ?{_ZONE})?"
_ISO_TIME = rf"(?:(?:[Tt]| [Tt]? ?){_TIME} ?{_ZONE})?"
_FORMS = tuple(
    re.compile(form)
    for form in (
        rf"(?P<year>\d{{4}})(?:-(?P<month>\d{{1,2}})(?:-(?P<day>\d{{1,2}}){_ISO_TIME})?)?",
        rf"(?P<year>\d{{4}})/(?P<month>\d{{1,2}})/(?P<day>\d{{1,2}}){_ISO_TIME}",
        rf"(?P<year>\d{{4}})(?P<month>\d{{2}})(?P<day>\d{{2}})"
        rf"(?:T(?P<hour>\d{{2}})(?P<minute>\d{{2}})(?P<second>\d{{2}})?{_ZONE})?",
        rf"{_WEEKDAY}(?P<day>\d{{1,2}})[. -]{{1,2}}{_MONTH}\.?[ ,-]{{1,2}}{_YEAR}{_THEN_TIME}",
        rf"{_WEEKDAY}(?P<day>\d{{1,2}})\. ?(?P<month>\d{{1,2}})\. ?{_YEAR}{_THEN_TIME}",
        # asctime: Tue Mar  5 10:00:00 2024, and `date`: the zone before the year
        rf"{_WEEKDAY}{_MONTH} (?P<day>\d{{1,2}}) {_TIME}(?P<zone>(?: {_NAME}{{1,5}}| [+-]\d{{4}})?) {_YEAR}",
        rf"{_WEEKDAY}{_MONTH}\.? (?P<day>\d{{1,2}}),? (?P<year>\d{{4}}){_THEN_TIME}",
    )
)


def _instant(part: dict[str, str | None], zone: tzinfo) -> datetime | None:
    weekday, name, hour = part.get("weekday"), part.get("name"), part.get("hour")
    if weekday and weekday[:2].casefold() not in _WEEKDAYS:
        return None
    month = _MONTHS.get(name.casefold()) if name else int(part.get("month") or 1)
    if month is None or (hour and not (part.get("minute") or part.get("uhr") or part.get("half"))):
        return None
    zoned = _offset(part.get("zone") or "", zone)
    if zoned is None:
        return None
    try:
        day = datetime(_full_year(part["year"] or ""), month, int(part.get("day") or 1), tzinfo=zoned)
        clock = _clock(
            int(hour or 0), int(part.get("minute") or 0), int(part.get("second") or 0), part.get("half")
        )
        return None if clock is None else (day + clock).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _full_year(digits: str) -> int:
    """RFC 5322 section 4.3 for two digits; no feed is older than 1970, nor announces past 2199."""
    year = int(digits)
    if len(digits) == 2:
        year += 2000 if year < 50 else 1900
    if not 1970 <= year < 2200:
        raise ValueError(year)
    return year


def _clock(hour: int, minute: int, second: int, half: str | None) -> timedelta | None:
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half[0] in "Pp" else 0)
    if hour > 24 or minute > 59 or second > 60 or (hour == 24 and (minute or second)):
        return None
    # wall clock arithmetic: aware datetimes of one zone add without minding DST, as meant here
    return timedelta(hours=hour, minutes=minute, seconds=min(second, 59))


def _offset(words: str, zone: tzinfo) -> tzinfo | None:
    """The zone the words name. Doubled ones (`+0100 MEZ`, `GMT+1`): a number says it, else the first name.

    MEZ is UTC+1 in July too: what is written counts. A name nobody knows leaves the local zone.
    """
    if number := re.search(r"([+-])(\d{1,2}):?(\d{2})?(?!\d)", words):
        sign, hours, minutes = number.groups()
        if int(hours) > 14 or int(minutes or 0) > 59:
            return None
        span = timedelta(hours=int(hours), minutes=int(minutes or 0))
        return timezone(-span if sign == "-" else span)
    if re.search(r"\d", words):
        return None
    for name in re.findall(r"[^\W\d_]+", words):
        if (hours_east := _ZONES.get(name.upper())) is not None:
            return timezone(timedelta(hours=hours_east))
    return zone


_WEEKDAYS = frozenset(("mo", "di", "mi", "do", "fr", "sa", "so", "tu", "we", "th", "su"))

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan januar january jän jänner jaen",
            "feb februar february feber",
            "mär märz mrz mar march maerz maer marz",
            "apr april",
            "mai may",
            "jun juni june",
            "jul juli july",
            "aug august",
            "sep sept september",
            "okt oct oktober october",
            "nov november",
            "dez dec dezember december",
        ),
        start=1,
    )
    for name in names.split()
}

_ZONES = {
    "Z": 0, "UT": 0, "UTC": 0, "GMT": 0, "WEZ": 0, "WET": 0,
    "MEZ": 1, "CET": 1, "MET": 1, "WESZ": 1, "WEST": 1, "BST": 1,
    "MESZ": 2, "CEST": 2, "MEST": 2, "OEZ": 2, "EET": 2, "OESZ": 3, "EEST": 3, "MSK": 3,
    "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
    "JST": 9,
}  # fmt: skip
