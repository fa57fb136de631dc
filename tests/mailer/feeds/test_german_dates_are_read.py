from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.feeds.dates import read_date


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        # RFC 822 with German names; winter is UTC+1, summer UTC+2
        ("Di, 23 Jan 2018 10:00:00 +0100", "2018-01-23T09:00"),
        ("Mo, 23 Okt 2017", "2017-10-22T22:00"),  # midnight in Berlin, still summer time
        ("Sa, 16 Mär 2019", "2019-03-15T23:00"),
        ("Sa, 16 MRZ 2019 08:30", "2019-03-16T07:30"),
        ("Do, 05 Sept 2019 08:30:00 +0200", "2019-09-05T06:30"),
        ("Mi, 1 Mai 2024 12:00 MESZ", "2024-05-01T10:00"),
        ("Fr, 22 Dez 2023 12:00:00 MEZ", "2023-12-22T11:00"),
        ("Donnerstag, 7. März 2024, 19:30 Uhr", "2024-03-07T18:30"),
        ("Donnerstag, den 7. März 2024 um 19 Uhr", "2024-03-07T18:00"),
        ("7. März 2024", "2024-03-06T23:00"),
        ("Mi, 21.04.2021 - 15:26", "2021-04-21T13:26"),
        ("05.03.2024", "2024-03-04T23:00"),
        ("5.3.24 9:05 Uhr", "2024-03-05T08:05"),
        ("05.03.2024 | 10.15 Uhr", "2024-03-05T09:15"),
        ("Mi, 21.04.2021 - 15:26 Uhr", "2021-04-21T13:26"),
        ("vom 5. März 2024", "2024-03-04T23:00"),
        ("Di, 23 Januar 2018 10.00.00 +0100", "2018-01-23T09:00"),
        ("Dienstag, 5. Mrz. 2024, 10.00 Uhr", "2024-03-05T09:00"),
        # English, and zones by name, number and twice
        ("Tue, 05 Mar 2024 10:00:00 GMT", "2024-03-05T10:00"),
        ("Tue, 05 Mar 2024 10:00:00 CET", "2024-03-05T09:00"),
        ("Fri, 05 Jul 2024 10:00:00 CEST", "2024-07-05T08:00"),
        ("Fri, 05 Jul 2024 10:00:00 MEZ", "2024-07-05T09:00"),  # what is written counts
        ("Tue, 05 Mar 2024 10:00:00 +0100 +0100", "2024-03-05T09:00"),
        ("Tue, 05 Mar 2024 10:00:00 +0100 MEZ", "2024-03-05T09:00"),
        ("Tue, 05 Mar 2024 10:00:00 MEZ +0100", "2024-03-05T09:00"),
        ("Tue, 05 Mar 2024 10:00:00 +0100 (CET)", "2024-03-05T09:00"),
        ("Tue, 05 Mar 2024 10:00:00 GMT+01:00", "2024-03-05T09:00"),
        ("Tue, 05 Mar 2024 10:00:00 Europe/Berlin", "2024-03-05T09:00"),
        ("Tue, 05 Mar 2024 10:00:00 -0500", "2024-03-05T15:00"),
        ("Thu, 31 Dec 98 23:59:60 EST", "1999-01-01T04:59:59"),
        ("Tue Mar 5 10:00:00 2024", "2024-03-05T09:00"),
        ("Tue Mar 5 10:00:00 CET 2024", "2024-03-05T09:00"),
        ("Tue Mar 05 10:00:00 +0100 2024", "2024-03-05T09:00"),
        ("2024/03/05 10:00", "2024-03-05T09:00"),
        ('<time datetime="2024-03-05T10:00:00+01:00">Di</time>', "2024-03-05T09:00"),
        ("March 5, 2024 1:30 PM", "2024-03-05T12:30"),
        # ISO 8601
        ("2024-03-05T10:00:00Z", "2024-03-05T10:00"),
        ("2024-03-05T10:00:00.123+01:00", "2024-03-05T09:00"),
        ("2024-03-05 10:00", "2024-03-05T09:00"),
        ("2024-03-05", "2024-03-04T23:00"),
        ("2024-03", "2024-02-29T23:00"),
        ("2024", "2023-12-31T23:00"),
        ("20240305T100000Z", "2024-03-05T10:00"),
        ("20240305", "2024-03-04T23:00"),
        ("2024-03-05T24:00:00+01:00", "2024-03-05T23:00"),
        ("  Di,\n 23  Jan 2018\t10:00:00 +0100 ", "2018-01-23T09:00"),
    ],
)
def test_what_german_sites_write_names_the_right_instant(written: str, utc: str) -> None:
    assert read_date(written) == datetime.fromisoformat(utc).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        "", "heute", "Do", "31.02.2024", "32 Jan 2024", "05/03/2024", "03-05-2024", "Foo, 05 Mar 2024",
        "05 Foo 2024", "2024-13-01", "Tue, 05 Mar 2024 25:00:00", "Tue, 05 Mar 2024 10:61", "05 Mar 0001",
        "2024-03-05T10:00:00+99:00", "13:00 PM 5. März 2024", "1709629200", "9" * 5000, "٢٠٢٤-٠٣-٠٥ x",
    ],
)  # fmt: skip
def test_what_names_no_date_for_certain_is_none(written: str) -> None:
    assert read_date(written) is None


def test_a_date_without_zone_is_meant_where_the_caller_says() -> None:
    at_home = read_date("05.03.2024 10:00", timezone(timedelta(hours=-3)))
    assert at_home == datetime(2024, 3, 5, 13, tzinfo=UTC)


@given(st.text(max_size=250) | st.from_regex(r"\A\w{2}, \d{1,2}[. ]\w{2,4}[. ]\d{2,4}( \d\d:\d\d)?.{0,9}\Z"))
def test_no_text_makes_the_reader_raise(text: str) -> None:
    instant = read_date(text)
    assert instant is None or instant.utcoffset() == timedelta(0)


@pytest.mark.parametrize("piece", ["1", " ", "A", "(", "+1", "1:", "Mo, ", "Mai ", "-", "A/"])
def test_a_hostile_date_costs_nothing(piece: str) -> None:
    started = datetime.now(UTC)
    for head in ("Mo, 05 Mai 2024 10:00 ", "2024-03-05T10:00", ""):
        read_date(head + piece * 90)
        read_date((head + piece * 90)[:199] + "!")
    assert datetime.now(UTC) - started < timedelta(milliseconds=500)
