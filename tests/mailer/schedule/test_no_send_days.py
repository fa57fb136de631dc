"""Holidays, customs and Easter. Dates are those of the German calendar."""

from datetime import date, timedelta

import holidays
import pytest

from mailer.schedule import CUSTOMS, NoSend
from mailer.schedule.nosend import easter

NW = NoSend("DE", "NW", ("12-24", "2026-05-15", *CUSTOMS))


@pytest.mark.parametrize(
    ("day", "name"),
    [
        ("2026-06-04", "Fronleichnam"),
        ("2026-11-01", "Allerheiligen"),
        ("2026-10-31", None),  # Reformation Day is no holiday in NW
        ("2017-10-31", "Reformationstag"),  # but was everywhere in its 500th year
        ("2027-02-04", "Weiberfastnacht"),
        ("2027-02-08", "Rosenmontag"),
        ("2027-02-09", "Veilchendienstag"),
        ("2027-02-10", "Aschermittwoch"),
        ("2026-04-02", "Gründonnerstag"),
        ("2026-04-03", "Karfreitag"),
        ("2026-04-04", "Karsamstag"),
        ("2026-04-05", "Ostersonntag"),
        ("2026-05-24", "Pfingstsonntag"),
        ("2026-12-24", "24.12."),
        ("2031-12-24", "24.12."),
        ("2026-05-15", "15.05."),
        ("2027-05-14", None),
        ("2026-11-23", None),
    ],
)
def test_a_day_is_called_by_what_forbids_sending(day: str, name: str | None) -> None:
    assert NW.name(date.fromisoformat(day)) == name


def test_the_region_is_data() -> None:
    corpus_christi = date(2026, 6, 4)
    assert NoSend("DE", "NW").name(corpus_christi) == "Fronleichnam"
    assert NoSend("DE", "BE").name(corpus_christi) is None
    assert NoSend("DE").name(corpus_christi) is None
    assert NoSend().name(date(2026, 12, 25)) is None


def test_easter_agrees_with_easter_monday_until_the_end_of_the_century() -> None:
    for year in range(1991, 2101):
        monday = holidays.country_holidays("DE", years=year, language="de").get_named("Ostermontag")
        assert monday == [easter(year) + timedelta(days=1)]


@pytest.mark.parametrize(
    ("day", "step", "expected"),
    [
        ("2026-12-24", 1, "2026-12-28"),  # Thu; Fri and Sat holidays, Sunday
        ("2026-12-28", -1, "2026-12-23"),
        ("2026-11-20", 1, "2026-11-23"),  # over a plain weekend
        ("2026-05-13", 1, "2026-05-18"),  # Ascension, the 15th of `extra`, weekend
    ],
)
def test_a_working_day_is_neither_no_send_nor_weekend(day: str, step: int, expected: str) -> None:
    found = NW.working_day(date.fromisoformat(day), 1 if step == 1 else -1)
    assert found == date.fromisoformat(expected)
