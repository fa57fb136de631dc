"""Calendars as Outlook, Google, TYPO3 and hand-written exports have them."""

from datetime import UTC, date, datetime

import pytest

from mailer.feeds.parse import NotAFeed, ParsedFeed, parse

NOW = datetime(2024, 3, 1, tzinfo=UTC)


def calendar(*parts: str) -> bytes:
    return ("BEGIN:VCALENDAR\nVERSION:2.0\n" + "".join(parts) + "END:VCALENDAR\n").encode()


def event(*lines: str, kind: str = "VEVENT") -> str:
    return "\n".join([f"BEGIN:{kind}", "SUMMARY:Treff", *lines, f"END:{kind}", ""])


def read(body: bytes) -> ParsedFeed:
    return parse(body, url="https://www.musterstadt.example/termine.ics", now=NOW)


@pytest.mark.parametrize(
    "zone",
    [
        "Europe/Berlin",
        "W. Europe Standard Time",  # Windows
        '"(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna"',  # Exchange
        "/mozilla.org/20050126_1/Europe/Berlin",
        "Customized Time Zone",  # nobody knows it: meant in Berlin
    ],
)
def test_a_time_zone_is_known_without_its_definition(zone: str) -> None:
    (item,) = read(calendar(event("UID:1", f"DTSTART;TZID={zone}:20240701T100000"))).items
    assert item.starts == datetime(2024, 7, 1, 8, tzinfo=UTC)


def test_a_time_zone_under_an_own_name_is_what_its_definition_says() -> None:
    zone = (
        "BEGIN:VTIMEZONE\nTZID:Anderswo\nBEGIN:STANDARD\nDTSTART:16010101T000000\nTZOFFSETFROM:+0500\n"
        "TZOFFSETTO:+0500\nEND:STANDARD\nEND:VTIMEZONE\n"
    )
    (item,) = read(calendar(zone, event("UID:1", "DTSTART;TZID=Anderswo:20240701T100000"))).items
    assert item.starts == datetime(2024, 7, 1, 5, tzinfo=UTC)


def test_a_series_minds_its_dropped_and_its_moved_dates() -> None:
    series = event(
        "UID:1", "DTSTART;TZID=Europe/Berlin:20240305T190000", "RRULE:FREQ=WEEKLY;COUNT=4",
        "EXDATE;TZID=Europe/Berlin:20240312T190000",
    )  # fmt: skip
    moved = event(
        "UID:1", "RECURRENCE-ID;TZID=Europe/Berlin:20240319T190000", "DTSTART;TZID=Europe/Berlin:20240320T200000"
    )  # fmt: skip
    starts = {item.identity: item.starts for item in read(calendar(series, moved)).items}
    assert starts == {
        "1#20240305T180000Z": datetime(2024, 3, 5, 18, tzinfo=UTC),
        "1#20240319T180000Z": datetime(2024, 3, 20, 19, tzinfo=UTC),
        "1#20240326T180000Z": datetime(2024, 3, 26, 18, tzinfo=UTC),
    }


def test_a_series_of_the_past_is_listed_like_a_single_event_of_the_past() -> None:
    past = event("UID:1", "DTSTART:20200107T180000Z", "RRULE:FREQ=WEEKLY;COUNT=3")
    going_on = event("UID:2", "DTSTART:20200107T180000Z", "RRULE:FREQ=YEARLY")
    single = event("UID:3", "DTSTART:20200107T180000Z")
    assert sorted(item.identity for item in read(calendar(past, going_on, single)).items) == [
        "1#20200107T180000Z",
        "1#20200114T180000Z",
        "1#20200121T180000Z",
        "2#20250107T180000Z",
        "3",
    ]


def test_whole_days_are_marked_and_their_end_is_the_day_after() -> None:
    (item,) = read(calendar(event("UID:1", "DTSTART;VALUE=DATE:20240305", "DTEND;VALUE=DATE:20240307"))).items
    assert item.all_day
    assert item.starts == datetime(2024, 3, 4, 23, tzinfo=UTC)  # the 5th in Berlin
    assert item.ends == datetime(2024, 3, 6, 23, tzinfo=UTC)
    (hour,) = read(calendar(event("UID:1", "DTSTART:20240305T100000Z"))).items
    assert not hour.all_day


def test_an_event_that_does_not_say_its_end_has_none_also_in_a_series() -> None:
    body = calendar(event("UID:1", "DTSTART:20240305T100000Z", "RRULE:FREQ=WEEKLY;COUNT=2"))
    assert [item.ends for item in read(body).items] == [None, None]


def test_an_event_without_an_address_has_none_and_not_that_of_its_calendar() -> None:
    assert read(calendar(event("UID:1", "DTSTART:20240305T100000Z"))).items[0].url == ""


def test_a_task_is_an_item_with_a_deadline() -> None:
    task = event("UID:1", "DUE;VALUE=DATE:20240331", "URL:https://www.example.org/antrag", kind="VTODO")
    (item,) = read(calendar(task, event("UID:2", kind="VTODO"))).items
    assert (item.title, item.url, item.deadline) == (
        "Treff",
        "https://www.example.org/antrag",
        date(2024, 3, 31),
    )
    assert (item.starts, item.ends) == (None, None)


def test_a_cancelled_event_says_so() -> None:
    off = event("UID:1", "DTSTART:20240305T100000Z", "STATUS:CANCELLED")
    assert read(calendar(off)).items[0].title == "Abgesagt: Treff"
    said = off.replace("SUMMARY:Treff", "SUMMARY:Treff fällt aus")
    assert read(calendar(said)).items[0].title == "Treff fällt aus"


@pytest.mark.parametrize(
    ("broken", "identities", "problems"),
    [
        ("DTSTART:2024070100000", ["2"], ("unreadable DTSTART in the calendar", "events without a start were left out")),
        ("DTSTART:20240305T100000Z\nRRULE:FREQ=FOO", ["1", "2"], ("unreadable RRULE in the calendar",)),
        ("DTSTART:20240305T100000Z\nDTEND:bald", ["1", "2"], ("unreadable DTEND in the calendar",)),
        (
            "DTSTART:20240305T100000Z\nDTSTART:20240306T100000Z",
            ["2"],
            ("events that cannot be read were left out",),
        ),
        (
            "DTSTART:20240305T100000Z\nDESCRIPTION:eine Zeile\nund noch eine",
            ["1", "2"],
            ("lines that belong to the line before were joined to it",),
        ),
    ],
)  # fmt: skip
def test_a_broken_event_costs_no_other_one(
    broken: str, identities: list[str], problems: tuple[str, ...]
) -> None:
    feed = read(calendar(event("UID:1", broken), event("UID:2", "DTSTART:20240401T100000Z")))
    assert [item.identity for item in feed.items] == identities
    assert feed.problems == problems


def test_two_calendars_in_one_file_are_read_both() -> None:
    body = calendar(event("UID:1", "DTSTART:20240305T100000Z")) + calendar(
        event("UID:2", "DTSTART:20240306T100000Z")
    )
    assert [item.identity for item in read(body).items] == ["1", "2"]


def test_german_letters_of_windows_survive() -> None:
    body = calendar(event("UID:1", "DTSTART:20240305T100000Z")).replace(b"Treff", "Größe".encode("cp1252"))
    assert read(body).items[0].title == "Größe"


def test_a_calendar_that_breaks_off_is_no_feed() -> None:
    with pytest.raises(NotAFeed, match="does not end"):
        read(calendar(event("UID:1", "DTSTART:20240305T100000Z")).replace(b"END:VCALENDAR\n", b""))
