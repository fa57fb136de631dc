"""Calendar files, byte by byte and as another reader understands them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from mailer.feeds.parse import parse
from mailer.render.ics import Event, calendar

BERLIN = ZoneInfo("Europe/Berlin")
STAMP = datetime(2026, 3, 2, 8, tzinfo=UTC)


def berlin(day: int, hour: int = 0, minute: int = 0, *, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=BERLIN)


def written(*events: Event) -> list[str]:
    return calendar(events, stamp=STAMP, zone=BERLIN).decode().replace("\r\n ", "").split("\r\n")


def test_a_file_says_what_rfc_5545_wants_and_ends_its_lines_with_crlf() -> None:
    lines = written(Event("1@example.org", "Treffen", berlin(5, 10), berlin(5, 12), location="Saal"))
    assert lines == [
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Infomail//Infomail//DE", "METHOD:PUBLISH", "BEGIN:VEVENT",
        "SUMMARY:Treffen", "DTSTART:20260305T090000Z", "DTEND:20260305T110000Z", "DTSTAMP:20260302T080000Z",
        "UID:1@example.org", "LOCATION:Saal", "END:VEVENT", "END:VCALENDAR", "",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("starts", "ends", "all_day", "said"),
    [
        (berlin(5), None, True, ["DTSTART;VALUE=DATE:20260305", "DTEND;VALUE=DATE:20260306"]),
        (berlin(5), berlin(6), True, ["DTSTART;VALUE=DATE:20260305", "DTEND;VALUE=DATE:20260306"]),
        (berlin(5), berlin(8), True, ["DTSTART;VALUE=DATE:20260305", "DTEND;VALUE=DATE:20260308"]),
        # across the change to summer time, on the 29th: days stay days
        (berlin(28), berlin(30), True, ["DTSTART;VALUE=DATE:20260328", "DTEND;VALUE=DATE:20260330"]),
        # from midnight to midnight is all day, as in the mail
        (berlin(5), berlin(6), False, ["DTSTART;VALUE=DATE:20260305", "DTEND;VALUE=DATE:20260306"]),
        # an end within a day: that day belongs to it
        (berlin(5), berlin(6, 23, 59), True, ["DTSTART;VALUE=DATE:20260305", "DTEND;VALUE=DATE:20260307"]),
        # 10 o'clock in winter is 9 in UTC, in summer 8
        (berlin(5, 10), None, False, ["DTSTART:20260305T090000Z"]),
        (berlin(1, 10, month=6), None, False, ["DTSTART:20260601T080000Z"]),
        # an end before the start is none
        (berlin(5, 10), berlin(5, 9), False, ["DTSTART:20260305T090000Z"]),
        (berlin(5), None, False, ["DTSTART:20260304T230000Z"]),
    ],
)
def test_times_are_utc_and_days_are_days_of_the_zone(
    starts: datetime, ends: datetime | None, all_day: bool, said: list[str]
) -> None:
    lines = written(Event("1@example.org", "Treffen", starts, ends, all_day))
    assert [line for line in lines if line.startswith(("DTSTART", "DTEND"))] == said


def test_texts_are_escaped_and_lines_folded_at_75_octets() -> None:
    title = "Ehrenamt; Müller, Söhne\\Töchter\nzweite Zeile: " + "ä" * 60
    file = calendar(
        [Event("1@example.org", title, berlin(5, 10), url="https://www.example.org/?a=1,2;b")],
        stamp=STAMP,
        zone=BERLIN,
    )
    assert all(len(line) <= 75 for line in file.split(b"\r\n"))
    assert rb"SUMMARY:Ehrenamt\; M\xc3\xbcller\, S".replace(b"\\xc3\\xbc", b"\xc3\xbc") in file
    assert "URL:https://www.example.org/?a=1,2;b" in file.decode().replace("\r\n ", "")


def test_our_own_reader_of_feeds_understands_it() -> None:
    events = [
        Event("1@example.org", "Treffen; mit Komma, und mehr", berlin(5, 10), berlin(5, 12), location="Saal"),
        Event("2@example.org", "Aktionstag", berlin(6), berlin(7), True),
    ]
    items = parse(calendar(events, stamp=STAMP, zone=BERLIN), now=STAMP).items
    assert [(item.identity, item.title, item.starts) for item in items] == [
        ("1@example.org", "Treffen; mit Komma, und mehr", berlin(5, 10)),
        ("2@example.org", "Aktionstag", berlin(6)),
    ]
