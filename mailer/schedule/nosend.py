"""The days on which nothing is sent: public holidays of a country and region, and what a plan adds to them.

Public holidays come from the package `holidays`; which country and region is the plan's business. A plan adds
dates ("2026-05-15"), days of every year ("12-24") and customs that move with Easter ("rosenmontag").
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Literal

import holidays

OnNoSendDay = Literal["next-working-day", "previous-working-day", "skip", "send"]

# Days that no law makes a holiday: name, and days from Easter Sunday.
CUSTOMS: Mapping[str, tuple[str, int]] = {
    "weiberfastnacht": ("Weiberfastnacht", -52),
    "rosenmontag": ("Rosenmontag", -48),
    "veilchendienstag": ("Veilchendienstag", -47),
    "aschermittwoch": ("Aschermittwoch", -46),
    "gruendonnerstag": ("Gründonnerstag", -3),
    "karsamstag": ("Karsamstag", -1),
    "ostersonntag": ("Ostersonntag", 0),
    "pfingstsonntag": ("Pfingstsonntag", 49),
}

# No run of holidays and weekends is longer. A plan that forbids more days in a row skips the slot instead.
LONGEST_SHIFT = timedelta(days=31)


@dataclass(frozen=True, slots=True)
class NoSend:
    """The no-send days of a plan; `country` and `region` are codes of the package holidays (DE, NW)."""

    country: str | None = None
    region: str | None = None
    extra: tuple[str, ...] = ()

    def name(self, day: date) -> str | None:
        """What forbids sending on `day` ("Fronleichnam", "24.12."), or None on any other day."""
        if self.country is not None:
            holiday = _public_holidays(self.country, self.region, day.year).get(day)
            if holiday is not None:
                return holiday
        for entry in self.extra:
            if entry in CUSTOMS:
                name, offset = CUSTOMS[entry]
                if day == easter(day.year) + timedelta(days=offset):
                    return name
            elif day.isoformat().endswith(entry):  # "12-24" of any year, "2026-12-24" of one
                return f"{day:%d.%m.}"
        return None

    def working_day(self, day: date, step: Literal[1, -1]) -> date | None:
        """The nearest working day after (step 1) or before (-1) `day`: neither no-send nor a weekend.

        None when there is none within LONGEST_SHIFT.
        """
        for distance in range(1, LONGEST_SHIFT.days + 1):
            candidate = day + timedelta(days=distance * step)
            if candidate.isoweekday() < 6 and self.name(candidate) is None:
                return candidate
        return None


@lru_cache(maxsize=256)
def _public_holidays(country: str, region: str | None, year: int) -> Mapping[date, str]:
    # Without a language the package would take the server's locale.
    language = holidays.country_holidays(country).default_language
    return dict(holidays.country_holidays(country, subdiv=region, years=year, language=language))


def parse_extra(text: str) -> str:
    """Check one entry of `extra`. Raises ValueError when it names no day."""
    if text in CUSTOMS:
        return text
    if re.fullmatch(r"\d\d-\d\d", text):
        date.fromisoformat(f"2000-{text}")  # a leap year, so 02-29 is a day
        return text
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        date.fromisoformat(text)
        return text
    raise ValueError


@lru_cache(maxsize=256)
def easter(year: int) -> date:
    """Easter Sunday in the Gregorian calendar (Meeus, Jones and Butcher; Astronomical Algorithms, ch. 8)."""
    golden = year % 19
    century, in_century = divmod(year, 100)
    leap_centuries, century_rest = divmod(century, 4)
    moon_shift = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - leap_centuries - moon_shift + 15) % 30
    leaps, leap_rest = divmod(in_century, 4)
    to_sunday = (32 + 2 * century_rest + 2 * leaps - epact - leap_rest) % 7
    correction = (golden + 11 * epact + 22 * to_sunday) // 451
    month, day = divmod(epact + to_sunday - 7 * correction + 114, 31)
    return date(year, month, day + 1)
