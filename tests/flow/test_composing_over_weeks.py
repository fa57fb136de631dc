"""Twelve weeks of a newsletter from four kinds of feeds: autumn's change of the clocks, Christmas, New Year."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import time_machine
from sqlalchemy import select

from mailer import clock
from mailer.installation import Installation, load_plan
from mailer.issues.model import Entry, Issue, IssueState, entries_of
from tests.flow.conftest import enrol
from tests.flow.site import Site

BERLIN = ZoneInfo("Europe/Berlin")
BEGIN = datetime(2026, 10, 19, 6, 0, tzinfo=UTC)
END = datetime(2027, 1, 12, 6, 0, tzinfo=UTC)
DAY = timedelta(days=1)

PLAN = """\
timezone = "Europe/Berlin"
no_send_days = {{ country = "DE", region = "NW", extra = ["12-24", "12-31"] }}
[newsletter.woche]
title = "Woche"
list = "netzwerk"
send = "fri 09:00"
release = "none"
too_few = {{ below = 1, then = "skip" }}
[[newsletter.woche.section]]
title = "Neues"
feeds = ["rss", "atom", "json"]
max = 20
[[newsletter.woche.section]]
title = "Termine"
feeds = ["ics"]
order = "event"
within = "2w"
max = 20
[feed.rss]
url = "{base}/rss"
every = "12h"
allow_private = true
[feed.atom]
url = "{base}/atom"
every = "12h"
allow_private = true
[feed.json]
url = "{base}/json"
every = "12h"
allow_private = true
[feed.ics]
url = "{base}/ics"
every = "12h"
allow_private = true
"""

#: Fridays, of which Christmas Day and New Year's Day move to the Monday after; the clocks change on 25 October
SENT = [
    "2026-10-23T07:00", "2026-10-30T08:00", "2026-11-06T08:00", "2026-11-13T08:00", "2026-11-20T08:00",
    "2026-11-27T08:00", "2026-12-04T08:00", "2026-12-11T08:00", "2026-12-18T08:00", "2026-12-28T08:00",
    "2027-01-04T08:00", "2027-01-08T08:00",
]  # fmt: skip


def days(now: datetime, every: int, last: int) -> list[datetime]:
    """The mornings up to `now` on which something was published, the newest first."""
    count = (now - BEGIN) // (every * DAY)
    return [BEGIN + n * every * DAY for n in range(count, max(count - last, -1), -1)]


def rss(now: datetime) -> bytes:
    items = "".join(
        f"<item><title>Meldung vom {day:%d.%m.%Y}</title><guid>{day:%j}</guid>"
        f"<link>https://www.example.org/aktuelles/{day:%Y-%m-%d}?utm_source=rss</link>"
        f"<pubDate>{format_datetime(day)}</pubDate></item>"
        for day in days(now, 1, 12)
    )
    return f'<rss version="2.0"><channel><title>RSS</title>{items}</channel></rss>'.encode()


def atom(now: datetime) -> bytes:
    """Tells every third of the same stories once more."""
    entries = "".join(
        f"<entry><title>Meldung vom {day:%d.%m.%Y}</title><id>tag:example.org,2026:{day:%j}</id>"
        f'<link href="https://www.example.org/aktuelles/{day:%Y-%m-%d}"/><updated>{day.isoformat()}</updated></entry>'
        for day in days(now, 3, 8)
    )
    return f'<feed xmlns="http://www.w3.org/2005/Atom"><title>Atom</title>{entries}</feed>'.encode()


def json_feed(now: datetime) -> bytes:
    items = [
        {
            "id": f"{day:%Y-%j}", "title": f"Praxisbeispiel {day:%j}", "url": f"https://praxis.example.org/{day:%j}",
            "date_published": day.isoformat(), "content_text": "Ein Beispiel aus der Praxis einer Kommune.",
        }
        for day in days(now, 7, 5)
    ]  # fmt: skip
    feed = {"version": "https://jsonfeed.org/version/1.1", "title": "JSON", "items": items}
    return json.dumps(feed).encode()


def ics(_now: datetime) -> bytes:
    """A series on each second Wednesday evening but one, and a day in November."""
    return (
        b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example.org//t//DE\r\n"
        b"BEGIN:VEVENT\r\nUID:reihe@example.org\r\nSUMMARY:Sprechstunde\r\n"
        b"DTSTART;TZID=Europe/Berlin:20261021T180000\r\nDTEND;TZID=Europe/Berlin:20261021T193000\r\n"
        b"RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=6\r\nEXDATE;TZID=Europe/Berlin:20261118T180000\r\nEND:VEVENT\r\n"
        b"BEGIN:VEVENT\r\nUID:tag@example.org\r\nSUMMARY:Tag des Ehrenamts\r\n"
        b"DTSTART;VALUE=DATE:20261205\r\nDTEND;VALUE=DATE:20261206\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )


@pytest.fixture
def weeks(house: Installation, site: Site, tmp_path: Path) -> Installation:
    """The installation on that plan, after twelve weeks in which its clock looked every four hours."""
    enrol(house, 3)
    (tmp_path / "schedule.toml").write_text(
        PLAN.format(base=f"http://127.0.0.1:{site.port}"), encoding="utf-8"
    )
    hasty = replace(house.fetching, host_pause=0.0)  # all four are one host here
    house = replace(house, plan=load_plan(house.settings), fetching=hasty)
    clock.sync_feeds(house)
    now = BEGIN
    while now < END:
        for path, body in (("/rss", rss), ("/atom", atom), ("/json", json_feed), ("/ics", ics)):
            site.offer(path, body(now))
        with time_machine.travel(now, tick=False):
            asyncio.run(clock.tick(house, now=now))
        now += timedelta(hours=4)
    return house


def test_twelve_weeks_pass_with_every_story_once_and_every_date_ahead(weeks: Installation) -> None:
    with weeks.database.read() as session:
        issues = session.scalars(select(Issue).order_by(Issue.slot)).all()
        assert [f"{issue.send_at:%Y-%m-%dT%H:%M}" for issue in issues] == SENT
        assert {issue.send_at.astimezone(BERLIN).hour for issue in issues} == {9}
        assert [issue.slot.astimezone(BERLIN).weekday() for issue in issues] == [4] * len(issues)
        assert {issue.state for issue in issues} == {IssueState.SENDING}
        entries = {issue.id: entries_of(session, issue) for issue in issues}
    titles = [entry.title for issue in issues for entry in entries[issue.id] if entry.section == "Neues"]
    assert len(titles) == len(set(titles))
    # whatever was published before the last issue stood in one, however the feeds overlap
    last = issues[-1].send_at
    news = {f"Meldung vom {day:%d.%m.%Y}" for day in days(last, 1, 1000) if day < last - DAY}
    practice = {f"Praxisbeispiel {day:%j}" for day in days(last, 7, 1000) if day < last - DAY}
    assert news | practice <= set(titles)
    both = [entry for each in entries.values() for entry in each if entry.also]
    assert {frozenset((entry.source, *entry.also)) for entry in both} == {frozenset(("RSS", "Atom"))}
    _check_events(issues, entries)


def _check_events(issues: list[Issue], entries: dict[int, list[Entry]]) -> None:
    sent = {issue.id: issue.send_at for issue in issues}
    events = [(sent[number], entry) for number, each in entries.items() for entry in each if entry.starts]
    assert all(at <= entry.starts <= at + timedelta(weeks=2) for at, entry in events if entry.starts)
    local = [
        (entry.title, f"{entry.starts.astimezone(BERLIN):%d.%m. %H:%M}")
        for _, entry in events
        if entry.starts
    ]
    assert local == [
        ("Sprechstunde", "04.11. 18:00"),
        ("Sprechstunde", "02.12. 18:00"),
        ("Tag des Ehrenamts", "05.12. 00:00"),
        ("Sprechstunde", "16.12. 18:00"),
        ("Sprechstunde", "30.12. 18:00"),
    ]
