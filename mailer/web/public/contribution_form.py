"""What the form for contributions says, and what is wrong with it. Pure.

Faults: missing, address, long, signs, choice, where, link, day, time, order, and of a picture large,
format, pixels; the page has the words for them.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from mailer.feeds.contributions import Illustration, Sent
from mailer.feeds.dates import read_date
from mailer.feeds.markup import absolute_url
from mailer.feeds.model import Kind
from mailer.feeds.pictures import BadPicture, made_ours
from subscribers.addresses import BadAddress, normalise

#: characters of each field; the address as RFC 5321 4.5.3.1.3 bounds it
LONGEST = {
    "kind": 20, "municipality": 200, "title": 200, "text": 3000, "url": 500, "day": 40, "time": 10,
    "until_day": 40, "until_time": 10, "location": 200, "deadline": 40, "contact": 300, "alt": 300,
    "credit": 200, "pass_on": 10, "email": 254,
}  # fmt: skip
KINDS = tuple(kind.value for kind in Kind if kind is not Kind.NEWS)
_FURTHEST = timedelta(days=3 * 366)
_TICKED = "yes"


@dataclass(frozen=True, slots=True)
class ContributionForm:
    """As typed, white space at the ends aside."""

    kind: str = ""
    municipality: str = ""
    title: str = ""
    text: str = ""
    url: str = ""
    day: str = ""
    time: str = ""
    until_day: str = ""
    until_time: str = ""
    location: str = ""
    deadline: str = ""
    contact: str = ""
    alt: str = ""
    credit: str = ""
    pass_on: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class SentIn:
    """A form without faults; the address is normalised."""

    sent: Sent
    illustration: Illustration | None
    address: str


def read_contribution(
    typed: ContributionForm, picture: bytes, *, ags: str, zone: ZoneInfo, today: date
) -> tuple[SentIn | None, Mapping[str, str]]:
    """What was sent in, or None and what is wrong with each field.

    `ags` is what the register knows the municipality by, "" if it does not; `picture` is b"" without one.
    """
    faults = {
        name: fault
        for name, longest in LONGEST.items()
        if (fault := _fault(getattr(typed, name), longest, lines=name == "text"))
    }
    for name in ("kind", "municipality", "title", "text", "email"):
        if not getattr(typed, name):
            faults.setdefault(name, "missing")
    if typed.kind and typed.kind not in KINDS:
        faults["kind"] = "choice"
    if typed.municipality and not ags:
        faults.setdefault("municipality", "where")
    if typed.url and not absolute_url(typed.url, ""):
        faults.setdefault("url", "link")
    address = _address(typed.email, faults)
    starts, ends, all_day = _when(typed, faults, zone)
    if typed.kind == Kind.EVENT and not typed.day:
        faults.setdefault("day", "missing")
    deadline = _day(typed.deadline, zone)
    for name, day in (("day", starts and starts.astimezone(zone).date()), ("deadline", deadline)):
        if getattr(typed, name) and (day is None or not today <= day <= today + _FURTHEST):
            faults.setdefault(name, "day")
    illustration = _illustration(typed, picture, faults)
    if faults:
        return None, {name: faults[name] for name in (*LONGEST, "picture") if name in faults}
    sent = Sent(
        kind=Kind(typed.kind),
        municipality=ags,
        title=typed.title,
        text=typed.text.replace("\r\n", "\n"),
        url=absolute_url(typed.url, "") if typed.url else "",
        starts=starts,
        ends=ends,
        all_day=all_day,
        deadline=deadline,
        location=typed.location,
        contact=typed.contact,
        pass_on=typed.pass_on == _TICKED,
    )
    return SentIn(sent, illustration, address), {}


def _fault(text: str, longest: int, *, lines: bool) -> str:
    if len(text) > longest:
        return "long"
    shown = text.replace("\r\n", "").replace("\n", "").replace("\t", "") if lines else text
    # a title stands in the head of a mail one day: no line breaks, no controls
    return "signs" if any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in shown) else ""


def _address(typed: str, faults: dict[str, str]) -> str:
    if typed and "email" not in faults:
        try:
            return normalise(typed)
        except BadAddress:
            faults["email"] = "address"
    return ""


def _when(
    typed: ContributionForm, faults: dict[str, str], zone: ZoneInfo
) -> tuple[datetime | None, datetime | None, bool]:
    """Beginning and end, and whether they are whole days: then the end is the midnight after the last."""
    day, last = _day(typed.day, zone), _day(typed.until_day, zone)
    at, until = _time(typed.time), _time(typed.until_time)
    for name, said, read in (("time", typed.time, at), ("until_time", typed.until_time, until)):
        if said and read is None:
            faults.setdefault(name, "time")
    if typed.until_day and last is None:
        faults.setdefault("until_day", "day")
    if day is None:
        if typed.time or typed.until_day or typed.until_time:
            faults.setdefault("day", "missing")
        return None, None, False
    all_day = at is None
    starts = _instant(day, at or time(), zone)
    if all_day:
        ends = _instant((last or day) + timedelta(days=1), time(), zone)
    elif until is not None or last is not None:
        ends = _instant(last or day, until or time(23, 59), zone)
    else:
        return starts, None, False
    if ends <= starts:
        faults.setdefault("until_day" if typed.until_day else "until_time", "order")
    return starts, ends, all_day


def _instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, tzinfo=zone).astimezone(UTC)


def _day(text: str, zone: ZoneInfo) -> date | None:
    """A day as browsers send it (2026-03-05) or as people write it (5. März 2026)."""
    moment = read_date(text, zone) if text else None
    return moment.astimezone(zone).date() if moment else None


def _time(text: str) -> time | None:
    found = re.fullmatch(r"(\d{1,2})(?:[:.](\d{2}))?(?::\d{2})?(?: ?Uhr)?", text, re.ASCII)
    if found is None or int(found[1]) > 23 or int(found[2] or 0) > 59:
        return None
    return time(int(found[1]), int(found[2] or 0))


def _illustration(typed: ContributionForm, picture: bytes, faults: dict[str, str]) -> Illustration | None:
    if not picture:
        return None
    for name in ("alt", "credit"):
        if not getattr(typed, name):
            faults.setdefault(name, "missing")
    if faults:
        return None  # nothing is worth decoding yet, and the file has to be chosen again anyway
    try:
        return Illustration(made_ours(picture), typed.alt, typed.credit)
    except BadPicture as problem:
        faults["picture"] = problem.reason
        return None
