"""What a plan says, and what is said about a broken one: the line and what was expected."""

import random
import time
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mailer.schedule import Feed, Match, NoSend, OnlyIf, PlanProblems, Section, TooFew, read_plan

SOUND = """\
timezone = "Europe/Berlin"
no_send_days = { country = "DE", region = "NW", extra = ["12-24"] }

[newsletter.infomail]
title = "Infomail"
list = "netzwerk"
send = "first tue 09:00"
draft = "5d"
notify = ["redaktion@example.org"]
too_few = { below = 3, then = "skip" }

[[newsletter.infomail.section]]
title = "Praxis"
feeds = ["praxis"]

[[newsletter.infomail.section]]
title = "Termine"
feeds = ["termine"]
order = "event"
within = "6w"
max = 10

[feed.praxis]
url = "https://www.example.org/praxis.xml"

[feed.termine]
url = "https://www.example.org/termine.ics"
every = "30m"
municipality = "05711000"
"""


def problems_of(text: str) -> list[str]:
    with pytest.raises(PlanProblems) as caught:
        read_plan(text)
    return str(caught.value).splitlines()


def test_a_plan_is_read_with_its_defaults() -> None:
    plan = read_plan(SOUND)
    assert plan.timezone == ZoneInfo("Europe/Berlin")
    assert plan.no_send == NoSend("DE", "NW", ("12-24",))
    assert plan.feeds["praxis"] == Feed(
        key="praxis",
        url="https://www.example.org/praxis.xml",
        every=timedelta(hours=1),
        municipality=None,
        places=(),
        internal=False,
        allow_private=False,
        title="",
    )
    # what a municipality says is for itself unless the plan says otherwise
    assert (plan.feeds["termine"].municipality, plan.feeds["termine"].places) == ("05711000", ("05711000",))
    newsletter = plan.newsletters["infomail"]
    assert (newsletter.key, newsletter.list, newsletter.rule.text) == (
        "infomail",
        "netzwerk",
        "first tue 09:00",
    )
    assert (newsletter.draft, newsletter.late, newsletter.remind) == (
        timedelta(days=5),
        timedelta(hours=6),
        timedelta(days=1),
    )
    assert (newsletter.release, newsletter.on_no_send_day) == ("required", "next-working-day")
    assert (newsletter.template, newsletter.zone, newsletter.deputies) == ("issue", plan.timezone, ())
    assert not newsletter.emergency_release
    assert newsletter.too_few == TooFew(3, "skip")
    assert newsletter.sections[0] == Section(
        title="Praxis",
        feeds=("praxis",),
        contributions=(),
        municipal=False,
        order="newest",
        within=None,
        max=8,
        min=1,
        only_if=None,
        carry_over=True,
        max_age=None,
        match=None,
    )
    assert (newsletter.sections[1].within, newsletter.sections[1].max_age) == (timedelta(weeks=6), None)


def test_every_key_of_a_plan_arrives() -> None:
    plan = read_plan(
        SOUND.replace('send = "first tue 09:00"', 'cron = "0 9 1-7 * tue"')
        .replace(
            'draft = "5d"',
            'draft = "2d"\nrelease = "none"\nlate = "90m"\nremind = "3h"\ndeputies = ["v@example.org"]\n'
            'on_no_send_day = "skip"\ntemplate = "kurz"\nzone = "Europe/Lisbon"',
        )
        .replace(
            "max = 10",
            'max = 10\nmin = 2\ncarry_over = false\nmax_age = "1w"\n'
            'only_if = { months = [3], weeks = ["last"] }\n'
            'match = { category = "Ehrenamt", words = ["Verein", "Club"], places = ["05711"] }',
        )
        .replace('every = "30m"', 'every = "1d"\ninternal = true\nallow_private = true\ntitle = "Kalender"')
    )
    newsletter = plan.newsletters["infomail"]
    assert (newsletter.draft, newsletter.late, newsletter.remind) == (
        timedelta(days=2),
        timedelta(minutes=90),
        timedelta(hours=3),
    )
    assert (newsletter.release, newsletter.on_no_send_day, newsletter.template) == ("none", "skip", "kurz")
    assert (newsletter.zone, newsletter.deputies) == (ZoneInfo("Europe/Lisbon"), ("v@example.org",))
    section = newsletter.sections[1]
    assert (section.max, section.min, section.carry_over, section.max_age) == (
        10,
        2,
        False,
        timedelta(weeks=1),
    )
    assert section.only_if == OnlyIf((3,), ("last",))
    assert section.match == Match(("Ehrenamt",), ("Verein", "Club"), ("05711",))
    feed = plan.feeds["termine"]
    assert (feed.every, feed.internal, feed.allow_private, feed.title) == (
        timedelta(days=1),
        True,
        True,
        "Kalender",
    )


SEND = '"first tue 09:00", "mon 07:30" or cron = "..."'
KEY = 'a key of a-z, 0-9 and single "-" between them, such as "engagiert-termine"'
DURATION = 'a duration such as "30m", "6h", "5d" or "6w"'
URL = 'an address such as "https://www.example.org/feed.xml"'
AGS = "an AGS of 2, 3, 5 or 8 digits in quotes or a key that begins with a letter"
INFOMAIL = "newsletter.infomail"
ADDRESS = 'an e-mail address such as "redaktion@example.org"'
ZONE = 'a time zone such as "Europe/Berlin"'
EXTRA = (
    'a day such as "12-24" or "2026-05-15", or one of weiberfastnacht, rosenmontag, veilchendienstag,'
    " aschermittwoch, gruendonnerstag, karsamstag, ostersonntag, pfingstsonntag"
)


@pytest.mark.parametrize(
    ("sound", "broken", "expected"),
    [
        ('"first tue 09:00"', '"tuesday 9"', f'7: {INFOMAIL}.send: expected {SEND}, got "tuesday 9"'),
        (
            '"first tue 09:00"',
            '"fifth tue 09:00"',
            f'7: {INFOMAIL}.send: expected {SEND}, got "fifth tue 09:00"',
        ),
        ('"first tue 09:00"', '"tue 24:00"', f'7: {INFOMAIL}.send: expected {SEND}, got "tue 24:00"'),
        (
            '"first tue 09:00"',
            '"first daily 9:00"',
            f'7: {INFOMAIL}.send: expected {SEND}, got "first daily 9:00"',
        ),
        ('"first tue 09:00"', "09:00:00", f"7: {INFOMAIL}.send: expected {SEND}, got 09:00:00"),
        ('send = "first tue 09:00"', "", f"4: {INFOMAIL}.send: expected {SEND}, but it is missing"),
        (
            'send = "first tue 09:00"',
            'cron = "0 8 * * 1"',
            f'7: {INFOMAIL}.cron: expected weekday names such as "mon" or "mon-fri" in the last field'
            ' (1 means Monday to cron, but Tuesday to APScheduler), got "0 8 * * 1"',
        ),
        (
            'send = "first tue 09:00"',
            'cron = "0 8 * tue"',
            f'7: {INFOMAIL}.cron: expected five fields "minute hour day month weekday" such as'
            ' "0 9 1-7 * tue", got "0 8 * tue"',
        ),
        (
            'send = "first tue 09:00"',
            'cron = "0 8 last-3 * *"',
            f'7: {INFOMAIL}.cron: expected a cron line whose day can be read, got "0 8 last-3 * *"',
        ),
        (
            'send = "first tue 09:00"',
            'cron = "0 9 30 2 *"',
            f'7: {INFOMAIL}.cron: expected a cron line that ever comes round, got "0 9 30 2 *"',
        ),
        (
            'draft = "5d"',
            'cron = "0 9 * * tue"',
            f"8: {INFOMAIL}.cron: expected send or cron, got both",
        ),
        ('draft = "5d"', 'draft = "5 days"', f'8: {INFOMAIL}.draft: expected {DURATION}, got "5 days"'),
        (
            'draft = "5d"',
            'draft = "53w"',
            f'8: {INFOMAIL}.draft: expected a duration from "0m" to "52w", got "53w"',
        ),
        (
            'draft = "5d"',
            'draft = "5d"\nremind = "6d"',
            f"9: {INFOMAIL}.remind: expected at most the time of draft, before which there is nothing"
            " to release",
        ),
        ("draft =", "darft =", f'8: {INFOMAIL}.darft: unknown key, nearest is "draft"'),
        (
            'draft = "5d"',
            "xyz = 1",
            f"8: {INFOMAIL}.xyz: unknown key, expected one of title, list, send, cron, draft, release, late,"
            " remind, notify, deputies, on_no_send_day, too_few, template, zone, emergency_release, section",
        ),
        (
            '["redaktion@example.org"]',
            '[\n  "redaktion@example.org",\n  "redaktion@",\n]',
            f'11: {INFOMAIL}.notify[2]: expected {ADDRESS}, got "redaktion@"',
        ),
        (
            '["redaktion@example.org"]',
            '"redaktion@example.org"',
            f'9: {INFOMAIL}.notify: expected a list of {ADDRESS}, got "redaktion@example.org"',
        ),
        (
            "below = 3",
            "below = true",
            f"10: {INFOMAIL}.too_few.below: expected a whole number from 0 to 1000, got true",
        ),
        (
            'then = "skip"',
            'then = "wait"',
            f'10: {INFOMAIL}.too_few.then: expected "skip" or "postpone" or "send", got "wait"',
        ),
        ('"netzwerk"', '"Netz werk"', f'6: {INFOMAIL}.list: expected {KEY}, got "Netz werk"'),
        ('title = "Infomail"', 'title = " "', f'5: {INFOMAIL}.title: expected "text in quotes", got " "'),
        (
            '["praxis"]',
            '["praxs"]',
            f"14: {INFOMAIL}.section[1].feeds[1]: expected the key of a [feed.KEY] table, nearest"
            ' is "praxis", got "praxs"',
        ),
        (
            'feeds = ["praxis"]',
            "feeds = []",
            f"14: {INFOMAIL}.section[1].feeds: expected at least one of the keys of [feed.KEY] tables",
        ),
        (
            'feeds = ["praxis"]',
            "",
            f"12: {INFOMAIL}.section[1]: expected feeds, contributions or municipal, where its items come from",
        ),
        (
            "max = 10",
            "max = 0",
            f"21: {INFOMAIL}.section[2].max: expected a whole number from 1 to 1000, got 0",
        ),
        (
            "max = 10",
            "max = 3\nmin = 4",
            f"22: {INFOMAIL}.section[2].min: expected at most max, which is 3, got 4",
        ),
        (
            'order = "event"',
            "",
            f'20: {INFOMAIL}.section[2].within: expected only with order = "event" or "deadline"'
            " (see max_age)",
        ),
        (
            'title = "Termine"',
            'title = "Praxis"',
            f"17: {INFOMAIL}.section[2].title: expected a title that no section before it has",
        ),
        ("max = 10", "only_if = {}", f"21: {INFOMAIL}.section[2].only_if: expected months or weeks in it"),
        (
            "max = 10",
            "match = {}",
            f"21: {INFOMAIL}.section[2].match: expected category, words or places in it",
        ),
        (
            "max = 10",
            'match = { places = "0571" }',
            f"21: {INFOMAIL}.section[2].match.places: expected an AGS of 2, 3, 5 or 8 digits in quotes,"
            ' got "0571"',
        ),
        (
            "https://www.example.org/praxis",
            "ftp://example.org/",
            f'24: feed.praxis.url: expected {URL}, got "ftp://example.org/.xml"',
        ),
        (
            "https://www.example.org/praxis",
            "https://[::1/",
            f'24: feed.praxis.url: expected {URL}, got "https://[::1/.xml"',
        ),
        (
            "www.example.org/praxis",
            "example.org:99999/",
            f'24: feed.praxis.url: expected {URL}, got "https://example.org:99999/.xml"',
        ),
        ("www.example.org/praxis.xml", "", f'24: feed.praxis.url: expected {URL}, got "https://"'),
        ('"05711000"', "5711000", f"29: feed.termine.municipality: expected {AGS}, got 5711000"),
        ('"05711000"', '"0571"', f'29: feed.termine.municipality: expected {AGS}, got "0571"'),
        (
            'every = "30m"',
            'every = "1m"',
            '28: feed.termine.every: expected a duration from "5m" to "52w", got "1m"',
        ),
        ("[feed.praxis]", '[feed."Praxis 1"]', f'23: feed.Praxis 1: expected {KEY}, got "Praxis 1"'),
        ('"Europe/Berlin"', '"Europe/Berln"', f'1: timezone: expected {ZONE}, got "Europe/Berln"'),
        ('"Europe/Berlin"', '"Europe"', f'1: timezone: expected {ZONE}, got "Europe"'),
        ('timezone = "Europe/Berlin"', "", f"1: timezone: expected {ZONE}, but it is missing"),
        ('"DE"', '"XX"', '2: no_send_days.country: expected a country code such as "DE", got "XX"'),
        ('"NW"', '"NRW"', '2: no_send_days.region: expected a region of DE, nearest is "NW", got "NRW"'),
        ('country = "DE", ', "", "2: no_send_days.region: expected a country with it"),
        (
            '"12-24"',
            '"rosemontag"',
            f'2: no_send_days.extra[1]: expected {EXTRA}, got "rosemontag"',
        ),
        (
            '[[newsletter.infomail.section]]\ntitle = "Praxis"',
            '[newsletter.infomail.section]\ntitle = "Praxis"',
            "16: column 30: Cannot overwrite a value",
        ),
        ('"Infomail"', '"Infomail', "5: column 18: Illegal character '\\n'"),
        ('list = "netzwerk"', 'title = "Doppelt"', "6: column 18: Cannot overwrite a value"),
        ("[feed.praxis]", "[feed.praxis", "23: column 13: Expected ']' at the end of a table declaration"),
    ],
)
def test_a_problem_says_its_line_and_what_was_expected(sound: str, broken: str, expected: str) -> None:
    assert sound in SOUND
    assert f"schedule.toml:{expected}" in problems_of(SOUND.replace(sound, broken, 1))


@pytest.mark.parametrize("day", ["02-30", "13-01", "2026-02-29", "1-1", "24.12.", "rosenmontag "])
def test_a_day_that_does_not_exist_is_refused(day: str) -> None:
    (problem,) = problems_of(SOUND.replace("12-24", day))
    assert problem.startswith("schedule.toml:2: no_send_days.extra[1]: expected a day such as")


def test_29_february_is_a_day_of_every_year_that_has_it() -> None:
    no_send = read_plan(SOUND.replace("12-24", "02-29")).no_send
    assert no_send.name(date(2028, 2, 29)) == "29.02."
    assert no_send.name(date(2027, 2, 28)) is None


def test_all_problems_are_told_at_once_in_the_order_of_their_lines() -> None:
    broken = SOUND.replace("Europe/Berlin", "Mars").replace('"5d"', "5").replace('"30m"', '"x"')
    lines = [int(line.split(":")[1]) for line in problems_of(broken)]
    assert lines == [1, 8, 28]


def test_problems_name_the_file_they_are_in() -> None:
    with pytest.raises(PlanProblems) as caught:
        read_plan("timezone = 1", source="/etc/infomail/schedule.toml")
    assert str(caught.value).startswith("/etc/infomail/schedule.toml:1: timezone: ")
    assert [problem.line for problem in caught.value.problems] == [1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("newsletter = 3", "newsletter: expected a table, got 3"),
        ("[[newsletter]]", "newsletter: expected a table, got a list"),
        ("newsletter.a = 3", "newsletter.a: expected a table, got 3"),
        (
            "newsletter.a.section = [1]",
            "newsletter.a.section: expected tables in double brackets, [[newsletter.a.section]], got a list",
        ),
        ("newsletter.a.title = { b = 1 }", 'newsletter.a.title: expected "text in quotes", got a table'),
        ("newsletter.a.draft = nan", "newsletter.a.draft: expected " + DURATION + ", got nan"),
        ("newsletter.a.late = '0m'", 'newsletter.a.late: expected a duration from "1m" to "52w", got "0m"'),
        ("feed.a = {}", f"feed.a.url: expected {URL}, but it is missing"),
        ("newsletter.a = {}", "newsletter.a: expected at least one [[newsletter.a.section]]"),
        ("no_send_days = []", "no_send_days: expected a table, got a list"),
        ("no_send_days.extra = [12-24]", "column 25: Unclosed array"),
    ],
)
def test_a_value_of_another_kind_is_a_problem_like_any_other(text: str, expected: str) -> None:
    assert f"schedule.toml:1: {expected}" in problems_of(text)


def test_a_long_value_is_shortened_in_the_message() -> None:
    (problem,) = problems_of(SOUND.replace("Europe/Berlin", "x" * 500))
    assert problem.endswith('got "' + "x" * 56 + "...")


def test_a_file_from_windows_is_read_like_any_other() -> None:
    assert read_plan("\ufeff" + SOUND.replace("\n", "\r\n")) == read_plan(SOUND)
    (problem,) = problems_of(("\ufeff" + SOUND.replace('"30m"', "30")).replace("\n", "\r\n"))
    assert problem.startswith("schedule.toml:28: feed.termine.every")


GARBAGE = {
    "letters and brackets": "".join(random.Random(1).choices('[]{}",=.# \nabc', k=1_000_000)),
    "one long line": "a" * 1_000_000,
    "just under the limit": "".join(random.Random(2).choices('[]{}",=.# \nabc', k=250_000)),
    "one long key": "a." * 120_000 + "a = 1",
    "open brackets": "a = " + "[" * 4000,
    "brackets on many lines": "a = " + "[\n" * 60_000 + "]\n" * 60_000,
    "quotes": "a = " + '"' * 4001,
    "many keys": "\n".join(f"key{n} = {n}" for n in range(15_000)),
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_is_refused_quickly(name: str) -> None:
    started = time.process_time()
    assert problems_of(GARBAGE[name])
    assert time.process_time() - started < 5


def test_a_line_that_no_plan_has_is_named() -> None:
    (problem,) = problems_of(SOUND.replace('"Infomail"', '"' + "x" * 4087 + '"'))  # title = "" is 10 more
    assert problem == "schedule.toml:5: expected at most 4096 characters in a line, got 4097"


def test_only_if_counts_weeks_by_weekday() -> None:
    # November 2026: Mondays are 2, 9, 16, 23, 30; the 23rd is the fourth and not the last.
    fourth, last = OnlyIf((), ("fourth",)), OnlyIf((), ("last",))
    assert [day for day in (2, 9, 16, 23, 30) if fourth.holds(date(2026, 11, day))] == [23]
    assert [day for day in (2, 9, 16, 23, 30) if last.holds(date(2026, 11, day))] == [30]
    # February 2026 has four of each: the fourth is the last.
    assert fourth.holds(date(2026, 2, 23))
    assert last.holds(date(2026, 2, 23))


def test_only_if_needs_month_and_week_together() -> None:
    condition = OnlyIf((3, 9), ("first",))
    assert condition.holds(date(2026, 3, 2))
    assert not condition.holds(date(2026, 3, 9))
    assert not condition.holds(date(2026, 4, 6))


def test_a_plan_cannot_be_changed() -> None:
    plan: Any = read_plan(SOUND)
    with pytest.raises(TypeError):
        plan.feeds["x"] = plan.feeds["praxis"]
    with pytest.raises(AttributeError):
        plan.feeds["praxis"].url = "https://www.example.net"


@pytest.mark.parametrize("escape", [r"\n", r"\r", r"\u0085", r"\u2028", r"\u2029", r"\u0000"])
@pytest.mark.parametrize(
    ("replaced", "line", "key"),
    [
        ('title = "Infomail"', 5, "newsletter.infomail.title"),
        ('title = "Termine"', 17, "newsletter.infomail.section[2].title"),
        ('every = "30m"', 28, "feed.termine.title"),
    ],
)
def test_a_title_is_one_line_since_it_stands_in_the_head_of_mails(
    escape: str, replaced: str, line: int, key: str
) -> None:
    (problem,) = problems_of(SOUND.replace(replaced, f'title = "A{escape}Bcc: x"'))
    assert problem.startswith(f"schedule.toml:{line}: {key}: expected text of one line, got ")


def test_a_title_may_have_spaces_that_do_not_break() -> None:
    assert read_plan(SOUND.replace('"Infomail"', '"§\N{NO-BREAK SPACE}5"')).newsletters["infomail"].title
