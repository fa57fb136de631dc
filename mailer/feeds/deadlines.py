"""The deadline (Frist) of an item: the last day on which to apply, to register or to hand something in.

Found only where a text says so plainly: a word for a deadline, and close behind it a whole date.
When two such places name different days, or one leaves out the year, nobody knows and it is None.
"""

import html
import re
from datetime import date

from mailer.feeds.dates import BERLIN, read_date


def deadline_of(title: str, text: str) -> date | None:
    """The one day that the title (plain text) and the text (HTML) clearly state. Linear in their length."""
    words = " ".join(html.unescape(_TAG.sub(" ", f"{title} . {text[:_LONGEST]}")).split())
    found: set[date | None] = set()
    for stated in _STATED.finditer(words):
        between = _BETWEEN.match(words, stated.end())
        at = between.end() if between else stated.end()
        if named := _RANGE.match(words, at) or _DATE.match(words, at):
            found.add(day_of(named["last"]))
        elif _YEARLESS.match(words, at):
            found.add(None)
    return found.pop() if len(found) == 1 else None


def day_of(written: str) -> date | None:
    """The day in Germany that a field made for a deadline names, None when it names none for certain."""
    instant = read_date(written)
    return instant.astimezone(BERLIN).date() if instant else None


_LONGEST = 20_000  # characters of markup; what is beyond is no announcement
_TAG = re.compile(r"<[^<>]*>")

_WHAT = (
    "anmelde antrags abgabe bewerbungs einreichungs einreich einsende förder melde registrierungs rückmelde"
    " teilnahme vorschlags"
).replace(" ", "|")
_THINGS = (
    "anmeldung(?:en)? antr[aä]g(?:e|stellung)? bewerb(?:ung|ungen|en) einreichung(?:en)? einreichen"
    " einsendung(?:en)? rückmeldung(?:en)? vorschläge teilnahme anmelden"
).replace(" ", "|")
#: how a deadline is announced; what follows a thing to hand in may stand up to 60 characters before "bis"
_STATED = re.compile(
    rf"\b(?:(?:{_WHAT})(?:frist(?:ende)?|schluss|ende|termin)|frist(?:ende)?|deadline"
    rf"|bis spätestens|spätestens bis|(?:{_THINGS})\b[^.:;!?\d]{{0,60}}?\bbis)\b",
    re.I,
)
_BETWEEN = re.compile(
    r"(?:\s(?:für|zur|zum|der|des)\s[^.:;!?\d]{1,40}(?=:))?(?:\s?:)?(?:\s\(?(?:ist|endet|läuft|wurde|wird|verlängert|noch|der|den|am|bis|zum|zur|spätestens|einschließlich"
    r"|(?:mo|di|mi|do|fr|sa|so)[a-z]{0,9}\.?)\)?[.,:]?){0,8}\s?",
    re.I,
)
_DAY = (
    r"\d{1,2}\.\s?(?:\d{1,2}\.\s?(?:\d{4}|\d{2})(?![\d.:]\d)|[^\W\d_]{3,9}\.?\s\d{4})\b|\d{4}-\d{2}-\d{2}\b"
)
_DATE = re.compile(rf"(?P<last>{_DAY})")
_RANGE = re.compile(
    rf"(?:vom? )?(?:{_DAY}|\d{{1,2}}\.(?:\s?\d{{1,2}}\.|\s[^\W\d_]{{3,9}})?)\s?"
    rf"(?:bis(?: zum)?|-|–)\s?(?P<last>{_DAY})",
    re.I,
)
_YEARLESS = re.compile(r"\d{1,2}\.\s?(?:\d{1,2}\.|[^\W\d_]{3,9})")
