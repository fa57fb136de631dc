"""Slots against the calendar. Times in tables are wall-clock times in Berlin: CET is UTC+1, CEST UTC+2."""

from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mailer.schedule import PlannedSlot, coming, slots

BERLIN = ZoneInfo("Europe/Berlin")


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


def local(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment.astimezone(BERLIN):%a %Y-%m-%d %H:%M}"


def first(plan_of: Any, rule: str, after: str, count: int, *lines: str) -> list[PlannedSlot]:
    plan, newsletter = plan_of(rule, *lines)
    return list(islice(slots(newsletter, plan, berlin(after)), count))


@pytest.mark.parametrize(
    ("rule", "after", "expected"),
    [
        # 1 Sep 2026 is a Tuesday, so the first Tuesday is the 1st; 1 Jul is a Wednesday, so it is the 7th.
        (
            "first tue 09:00",
            "2026-06-30",
            ["Tue 2026-07-07 09:00", "Tue 2026-08-04 09:00", "Tue 2026-09-01 09:00"],
        ),
        ("second tuesday 09:00", "2026-08-31", ["Tue 2026-09-08 09:00"]),
        ("third wed 09:00", "2026-07-01", ["Wed 2026-07-15 09:00"]),
        ("fourth Sun 18:00", "2026-02-01", ["Sun 2026-02-22 18:00"]),
        # July 2026 has five Fridays (3 to 31), August four (7 to 28).
        ("last fri 12:00", "2026-07-01", ["Fri 2026-07-31 12:00", "Fri 2026-08-28 12:00"]),
        ("mon 07:30", "2026-11-23", ["Mon 2026-11-23 07:30", "Mon 2026-11-30 07:30"]),
        (
            "mon, thu 07:30",
            "2026-11-23",
            ["Mon 2026-11-23 07:30", "Thu 2026-11-26 07:30", "Mon 2026-11-30 07:30"],
        ),
        (
            "daily 06:00",
            "2026-11-29",
            ["Sun 2026-11-29 06:00", "Mon 2026-11-30 06:00", "Tue 2026-12-01 06:00"],
        ),
        # Day and weekday must both fit: cron itself would take 1 Nov 2026, a Sunday, as well.
        ('cron = "0 9 1-7 * tue"', "2026-10-31", ["Tue 2026-11-03 09:00", "Tue 2026-12-01 09:00"]),
        ('cron = "0 9 last feb *"', "2027-01-01", ["Sun 2027-02-28 09:00", "Tue 2028-02-29 09:00"]),
        # 29 February: 2028 (Tue), 2032 (Sun).
        ('cron = "0 9 29 2 *"', "2026-01-01", ["Tue 2028-02-29 09:00", "Sun 2032-02-29 09:00"]),
        (
            'cron = "30 8,16 * * mon-fri"',
            "2026-11-20 12:00",
            ["Fri 2026-11-20 16:30", "Mon 2026-11-23 08:30"],
        ),
    ],
)
def test_a_rule_names_these_days(plan_of: Any, rule: str, after: str, expected: list[str]) -> None:
    found = first(plan_of, rule, after, len(expected))
    assert [local(planned.slot) for planned in found] == expected
    assert [planned.send_at for planned in found] == [planned.slot for planned in found]
    assert {planned.reason for planned in found} == {""}


def test_a_slot_at_the_given_time_is_no_longer_coming(plan_of: Any) -> None:
    (found,) = first(plan_of, "mon 07:30", "2026-11-23 07:30", 1)
    assert local(found.slot) == "Mon 2026-11-30 07:30"


NEXT = "next-working-day"
PREVIOUS = "previous-working-day"


@pytest.mark.parametrize(
    ("rule", "policy", "nominal", "sent", "reason"),
    [
        # Easter 2026 is 5 April. Corpus Christi is 60 days later: Thursday 4 June.
        ("thu 09:00", NEXT, "Thu 2026-06-04 09:00", "Fri 2026-06-05 09:00", f"Fronleichnam -> {NEXT}"),
        (
            "thu 09:00",
            PREVIOUS,
            "Thu 2026-06-04 09:00",
            "Wed 2026-06-03 09:00",
            f"Fronleichnam -> {PREVIOUS}",
        ),
        ("thu 09:00", "skip", "Thu 2026-06-04 09:00", None, "Fronleichnam -> skip"),
        ("thu 09:00", "send", "Thu 2026-06-04 09:00", "Thu 2026-06-04 09:00", "Fronleichnam -> send"),
        # Good Friday to Easter Monday, over the weekend in either direction.
        ("fri 09:00", NEXT, "Fri 2026-04-03 09:00", "Tue 2026-04-07 09:00", f"Karfreitag -> {NEXT}"),
        ("mon 09:00", PREVIOUS, "Mon 2026-04-06 09:00", "Thu 2026-04-02 09:00", f"Ostermontag -> {PREVIOUS}"),
        # All Saints' Day: a Sunday in 2026, a Monday in 2027 after a weekend.
        ("sun 18:00", NEXT, "Sun 2026-11-01 18:00", "Mon 2026-11-02 18:00", f"Allerheiligen -> {NEXT}"),
        (
            "mon 07:30",
            PREVIOUS,
            "Mon 2027-11-01 07:30",
            "Fri 2027-10-29 07:30",
            f"Allerheiligen -> {PREVIOUS}",
        ),
        # Easter 2027 is 28 March; 48 days earlier is Monday 8 February.
        ("mon 07:30", NEXT, "Mon 2027-02-08 07:30", "Tue 2027-02-09 07:30", f"Rosenmontag -> {NEXT}"),
        # 24 Dec 2026 is a Thursday; 25 and 26 are holidays, 27 is a Sunday.
        ("thu 09:00", NEXT, "Thu 2026-12-24 09:00", "Mon 2026-12-28 09:00", f"24.12. -> {NEXT}"),
        (
            "fri 09:00",
            PREVIOUS,
            "Fri 2026-12-25 09:00",
            "Wed 2026-12-23 09:00",
            f"Erster Weihnachtstag -> {PREVIOUS}",
        ),
        # 31 Dec 2026 is a Thursday, 1 Jan 2027 a Friday: on to Monday, over the end of the year.
        ("thu 09:00", NEXT, "Thu 2026-12-31 09:00", "Mon 2027-01-04 09:00", f"31.12. -> {NEXT}"),
        # Holidays that fall on the first Tuesday or the last Friday; 1 May 2029 is a Tuesday.
        ("first tue 09:00", NEXT, "Tue 2029-05-01 09:00", "Wed 2029-05-02 09:00", f"Erster Mai -> {NEXT}"),
        (
            "last fri 09:00",
            NEXT,
            "Fri 2026-12-25 09:00",
            "Mon 2026-12-28 09:00",
            f"Erster Weihnachtstag -> {NEXT}",
        ),
        # The same wall-clock time across the change of the clocks on 28 March 2027 (Easter Sunday).
        ("fri 09:00", NEXT, "Fri 2027-03-26 09:00", "Tue 2027-03-30 09:00", f"Karfreitag -> {NEXT}"),
    ],
)
def test_a_no_send_day_moves_the_sending_and_never_the_slot(
    plan_of: Any, rule: str, policy: str, nominal: str, sent: str | None, reason: str
) -> None:
    (found,) = first(plan_of, rule, nominal[4:14], 1, f'on_no_send_day = "{policy}"')
    assert (local(found.slot), local(found.send_at), found.reason) == (nominal, sent, reason)


def test_a_plain_weekend_moves_nothing(plan_of: Any) -> None:
    (found,) = first(plan_of, "sun 18:00", "2026-11-22", 1)
    assert (local(found.send_at), found.reason) == ("Sun 2026-11-22 18:00", "")


@pytest.mark.parametrize(
    ("rule", "policy", "after", "sent"),
    [
        # The 28th has its own issue, so nothing of 24 to 26 is sent on it; Sunday the 27th is no holiday.
        (
            "daily 06:00",
            NEXT,
            "2026-12-23",
            [(23, 23), (24, None), (25, None), (26, None), (27, 27), (28, 28)],
        ),
        ("daily 06:00", PREVIOUS, "2026-12-23", [(23, 23), (24, None), (25, None), (26, None), (27, 27)]),
        # Thursday and Friday would both move to Monday the 28th: the later one does.
        ("thu,fri 06:00", NEXT, "2026-12-23", [(24, None), (25, 28), (31, None)]),
        # Both would move to Wednesday the 23rd: the earlier one does.
        ("thu,fri 06:00", PREVIOUS, "2026-12-23", [(24, 23), (25, None), (31, 30)]),
        # Friday's would go out after Sunday's.
        ("fri,sun 06:00", NEXT, "2026-12-23", [(25, None), (27, 27)]),
        # Two on one day, the evening's nearer to the 28th: together at most one moves.
        ('cron = "0 9,18 24 12 *"', NEXT, "2026-12-23", [(24, None), (24, 28)]),
    ],
)
def test_moved_slots_never_meet_or_pass_their_neighbours(
    plan_of: Any, rule: str, policy: str, after: str, sent: list[tuple[int, int | None]]
) -> None:
    found = first(plan_of, rule, after, len(sent), f'on_no_send_day = "{policy}"')
    assert [(planned.slot.day, planned.send_at and planned.send_at.day) for planned in found] == sent


def test_a_slot_left_out_for_its_neighbour_says_so(plan_of: Any) -> None:
    (found,) = first(plan_of, "daily 06:00", "2026-12-24", 1)
    assert found.reason == "24.12. -> skip, its neighbour goes out"


def test_without_a_working_day_for_a_month_the_slot_is_left_out(plan_of: Any) -> None:
    days = [f'"{date(2026, 7, 1) + timedelta(days=n)}"' for n in range(33)]  # 1 July to 2 August
    no_send = f"no_send_days = {{ extra = [{', '.join(days)}] }}"
    plan, newsletter = plan_of('cron = "0 9 1 7 *"', no_send=no_send)
    found = next(slots(newsletter, plan, berlin("2026-06-30")))
    assert (found.send_at, found.reason) == (None, "01.07. -> skip, no working day is near")


@pytest.mark.parametrize(
    ("rule", "day", "expected"),
    [
        # 29 March 2026: 02:00 CET becomes 03:00 CEST, which is 01:00 UTC.
        ("daily 02:30", "2026-03-28", ["28T01:30", "29T01:00", "30T00:30"]),
        ('cron = "*/30 1-3 29 3 *"', "2026-03-29", ["29T00:00", "29T00:30", "29T01:00", "29T01:30"]),
        # 25 October 2026: 03:00 CEST becomes 02:00 CET. 02:30 is 00:30 UTC and 01:30 UTC; the first counts.
        ("daily 02:30", "2026-10-24", ["24T00:30", "25T00:30", "26T01:30"]),
        ('cron = "*/30 2,3 25 10 *"', "2026-10-25", ["25T00:00", "25T00:30", "25T02:00", "25T02:30"]),
        # 09:00 stays 09:00 on the wall: 08:00 UTC before the last Sunday of March, 07:00 after it, and back.
        ("sat,mon 09:00", "2026-03-28", ["28T08:00", "30T07:00"]),
        ("sat,mon 09:00", "2026-10-24", ["24T07:00", "26T08:00"]),
    ],
)
def test_changing_the_clocks_neither_doubles_nor_loses_a_slot(
    plan_of: Any, rule: str, day: str, expected: list[str]
) -> None:
    found = first(plan_of, rule, day, len(expected))
    assert [f"{planned.slot:%dT%H:%M}" for planned in found] == expected


def test_between_the_two_passes_of_a_doubled_hour_the_slot_does_not_come_again(plan_of: Any) -> None:
    plan, newsletter = plan_of("daily 02:30")
    second_pass = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)  # 02:10 CET, after 02:30 CEST
    assert next(slots(newsletter, plan, second_pass)).slot == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


def test_a_newsletter_may_keep_its_own_time(plan_of: Any) -> None:
    plan, newsletter = plan_of("mon 07:30", 'zone = "Europe/Lisbon"')
    assert next(slots(newsletter, plan, berlin("2026-11-22"))).slot == datetime(
        2026, 11, 23, 7, 30, tzinfo=UTC
    )


def test_a_time_without_offset_is_refused(plan_of: Any) -> None:
    plan, newsletter = plan_of("mon 07:30")
    with pytest.raises(ValueError, match="without offset"):
        next(slots(newsletter, plan, datetime(2026, 11, 22)))  # noqa: DTZ001 - what is refused


def test_coming_merges_the_newsletters_by_the_time_they_go_out(plan_of: Any) -> None:
    plan, newsletter = plan_of("thu 09:00")
    found = coming(plan, now=berlin("2026-12-24 12:00"), count=2)
    # Thursday's slot has passed by noon, but is sent on Monday only.
    assert [(local(planned.slot), local(planned.send_at)) for planned in found] == [
        ("Thu 2026-12-24 09:00", "Mon 2026-12-28 09:00"),
        ("Thu 2026-12-31 09:00", "Mon 2027-01-04 09:00"),
    ]
    assert newsletter.key == "blatt"
