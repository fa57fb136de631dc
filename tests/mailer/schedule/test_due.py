"""What the clock has to compose now. Times are wall-clock times in Berlin."""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise, takewhile
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mailer.schedule import Newsletter, Plan, PlannedSlot, due, read_plan, slots

BERLIN = ZoneInfo("Europe/Berlin")


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("now", "last", "expected"),
    [
        # Each Monday 07:30, composed one day before, late window six hours: Sun 07:30 to Mon 13:30.
        ("2026-11-22 07:29", None, None),
        ("2026-11-22 07:30", None, "2026-11-23 07:30"),
        ("2026-11-22 07:30", "2026-11-16 07:30", "2026-11-23 07:30"),
        ("2026-11-22 07:31", "2026-11-23 07:30", None),  # has its issue
        ("2026-11-23 07:30", "2026-11-16 07:30", "2026-11-23 07:30"),
        ("2026-11-23 13:30", "2026-11-16 07:30", "2026-11-23 07:30"),
        ("2026-11-23 13:31", "2026-11-16 07:30", None),  # too late
        ("2026-11-23 13:30", None, "2026-11-23 07:30"),
        ("2026-11-23 10:00", "2025-06-02 07:30", "2026-11-23 07:30"),  # down for more than a year: one
        ("2026-11-25 10:00", "2025-06-02 07:30", None),
        # Rosenmontag 2027-02-08 goes out on Tuesday: Mon 07:30 to Tue 13:30.
        ("2027-02-07 08:00", "2027-02-01 07:30", None),
        ("2027-02-08 07:30", "2027-02-01 07:30", "2027-02-08 07:30"),
        ("2027-02-09 13:30", "2027-02-01 07:30", "2027-02-08 07:30"),
        ("2027-02-09 13:31", "2027-02-01 07:30", None),
    ],
)
def test_a_slot_is_due_from_its_draft_to_the_end_of_its_late_window(
    plan_of: Any, now: str, last: str | None, expected: str | None
) -> None:
    plan, newsletter = plan_of("mon 07:30", 'draft = "1d"', 'late = "6h"')
    found = due(newsletter, plan, berlin(now), berlin(last) if last else None)
    assert (found and found.slot) == (expected and berlin(expected))


def test_a_catch_up_comes_before_the_next_draft(plan_of: Any) -> None:
    plan, newsletter = plan_of("mon,tue 07:30", 'draft = "2d"', 'late = "6h"')
    now = berlin("2026-11-23 09:00")
    catch_up = due(newsletter, plan, now, berlin("2026-11-16 07:30"))
    assert catch_up is not None
    assert catch_up.slot == berlin("2026-11-23 07:30")
    draft = due(newsletter, plan, now, catch_up.slot)
    assert draft is not None
    assert draft.slot == berlin("2026-11-24 07:30")
    assert due(newsletter, plan, now, draft.slot) is None


def test_of_two_slots_whose_time_has_come_only_the_later_is_made_up_for(plan_of: Any) -> None:
    plan, newsletter = plan_of('cron = "0 9,10 * * mon"', 'draft = "0m"', 'late = "6h"')
    found = due(newsletter, plan, berlin("2026-11-23 10:00"), berlin("2026-11-16 10:00"))
    assert found is not None
    assert found.slot == berlin("2026-11-23 10:00")
    assert due(newsletter, plan, berlin("2026-11-23 10:00"), found.slot) is None


def test_a_late_window_over_a_change_of_the_clocks_keeps_its_length(plan_of: Any) -> None:
    plan, newsletter = plan_of("sat 23:00", 'late = "6h"', 'on_no_send_day = "skip"')
    last = berlin("2026-03-21 23:00")
    # 23:00 CET is 22:00 UTC; six hours later it is 04:00 UTC, which is 06:00 CEST.
    found = due(newsletter, plan, berlin("2026-03-29 06:00"), last)
    assert found is not None
    assert found.slot == berlin("2026-03-28 23:00")
    assert due(newsletter, plan, berlin("2026-03-29 06:01"), last) is None


def test_years_of_downtime_are_not_walked_through(plan_of: Any) -> None:
    plan, newsletter = plan_of('cron = "* * * * *"', 'draft = "0m"', 'late = "5m"')
    started = time.process_time()
    found = due(newsletter, plan, berlin("2026-11-24 09:00"), berlin("2006-11-24 09:00"))
    assert found is not None
    assert found.slot == berlin("2026-11-24 09:00")
    assert time.process_time() - started < 3  # ten million minutes would take many times that


def test_a_slot_left_out_is_never_due(plan_of: Any) -> None:
    plan, newsletter = plan_of("thu 09:00", 'on_no_send_day = "skip"', 'draft = "1d"', 'remind = "1h"')
    # 24 and 31 December are no-send days and Thursdays.
    for hours in range(0, 14 * 24, 6):
        now = berlin("2026-12-20 09:00") + timedelta(hours=hours)
        assert due(newsletter, plan, now, berlin("2026-12-17 09:00")) is None


def test_a_newsletter_whose_every_slot_is_left_out_is_never_due(plan_of: Any) -> None:
    plan, newsletter = plan_of('cron = "0 9 24 12 *"', 'on_no_send_day = "skip"')
    assert due(newsletter, plan, berlin("2026-12-24 09:00"), None) is None


def test_a_slot_moved_forward_is_due_before_its_nominal_time(plan_of: Any) -> None:
    plan, newsletter = plan_of("fri 09:00", 'on_no_send_day = "previous-working-day"', 'draft = "0m"')
    found = due(newsletter, plan, berlin("2026-12-23 09:00"), berlin("2026-12-18 09:00"))
    assert found is not None
    assert found.slot == berlin("2026-12-25 09:00")


# ---- properties, over rules, policies and two years with every kind of holiday ----

# Each rule with what it means, said in another way: a check of the nominal wall-clock time.
RULES: dict[str, Callable[[datetime], bool]] = {
    'send = "first tue 09:00"': lambda t: t.isoweekday() == 2 and t.day <= 7 and (t.hour, t.minute) == (9, 0),
    'send = "last fri 23:45"': lambda t: (
        t.isoweekday() == 5 and (t + timedelta(days=7)).month != t.month and (t.hour, t.minute) == (23, 45)
    ),
    'send = "mon 07:30"': lambda t: t.isoweekday() == 1 and (t.hour, t.minute) == (7, 30),
    'send = "thu,fri,sun 06:00"': lambda t: t.isoweekday() in (4, 5, 7) and (t.hour, t.minute) == (6, 0),
    # 03:00 only where 02:30 does not exist
    'send = "daily 02:30"': lambda t: (
        (t.hour, t.minute) == (2, 30) or (t.month, t.isoweekday(), t.hour, t.minute) == (3, 7, 3, 0)
    ),
    'send = "daily 00:00"': lambda t: (t.hour, t.minute) == (0, 0),
    'cron = "0 9,15 * * mon-fri"': lambda t: t.isoweekday() <= 5 and t.minute == 0 and t.hour in (9, 15),
    'cron = "*/20 1-3 24-28 * *"': lambda t: (
        24 <= t.day <= 28 and 1 <= t.hour <= 3 and t.minute in (0, 20, 40)
    ),
}
POLICIES = ["next-working-day", "previous-working-day", "skip", "send"]


def plan_with(rule: str, policy: str, draft: int, late: int) -> tuple[Plan, Newsletter]:
    plan = read_plan(f"""
timezone = "Europe/Berlin"
no_send_days = {{ country = "DE", region = "NW", extra = ["12-24", "12-31", "rosenmontag", "03-29"] }}
[newsletter.blatt]
title = "Blatt"
list = "netzwerk"
{rule}
draft = "{draft}h"
late = "{late}h"
on_no_send_day = "{policy}"
[[newsletter.blatt.section]]
title = "Termine"
feeds = ["termine"]
[feed.termine]
url = "https://www.example.org/termine.ics"
""")
    return plan, plan.newsletters["blatt"]


def written(newsletter: Newsletter) -> str:
    (rule,) = (rule for rule in RULES if rule.endswith(f'"{newsletter.rule.text}"'))
    return rule


plans = st.builds(
    plan_with,
    st.sampled_from(sorted(RULES)),
    st.sampled_from(POLICIES),
    st.integers(0, 200),
    st.integers(1, 300),
)
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(BERLIN))  # noqa: DTZ001 - Hypothesis adds the zone


@settings(max_examples=60, deadline=None)
@given(plans, moments)
def test_slots_and_sendings_are_in_strict_order_and_keep_off_no_send_days(
    made: tuple[Plan, Newsletter], after: datetime
) -> None:
    plan, newsletter = made
    found = list(islice(slots(newsletter, plan, after), 40))
    nominal = [planned.slot for planned in found]
    assert nominal[0] > after
    assert all(earlier < later for earlier, later in pairwise(nominal))
    sent = [planned.send_at for planned in found if planned.send_at is not None]
    assert all(earlier < later for earlier, later in pairwise(sent))
    satisfies = RULES[written(newsletter)]
    for planned in found:
        assert satisfies(planned.slot.astimezone(BERLIN))
        day = planned.slot.astimezone(BERLIN).date()
        assert (plan.no_send.name(day) is None) == (planned.reason == "")
        if planned.send_at is None:
            assert " -> skip" in planned.reason
            continue
        sent_on = planned.send_at.astimezone(BERLIN).date()
        if newsletter.on_no_send_day != "send":
            assert plan.no_send.name(sent_on) is None
        if sent_on != day:
            assert sent_on.isoweekday() <= 5


@settings(max_examples=60, deadline=None)
@given(plans, moments)
def test_where_one_starts_to_look_changes_no_slot(made: tuple[Plan, Newsletter], after: datetime) -> None:
    plan, newsletter = made
    early = list(islice(slots(newsletter, plan, after), 12))
    late = list(islice(slots(newsletter, plan, early[5].slot), 6))
    assert late == early[6:]


@settings(max_examples=40, deadline=None)
@given(plans, moments, st.lists(st.integers(1, 400), min_size=3, max_size=12))
def test_after_any_downtime_no_slot_is_due_twice_and_at_most_one_is_made_up_for(
    made: tuple[Plan, Newsletter], now: datetime, hours_between: list[int]
) -> None:
    plan, newsletter = made
    last: datetime | None = None
    seen: list[PlannedSlot] = []
    for hours in hours_between:
        now += timedelta(hours=hours)
        made_up = 0
        while (planned := due(newsletter, plan, now, last)) is not None:
            assert planned.send_at is not None
            assert planned.send_at - newsletter.draft <= now <= planned.send_at + newsletter.late
            made_up += planned.send_at < now
            seen.append(planned)
            last = planned.slot
        assert made_up <= 1
    assert all(earlier.slot < later.slot for earlier, later in pairwise(seen))


@settings(max_examples=25, deadline=None)
@given(plans, moments)
def test_a_clock_that_never_stops_misses_nothing(made: tuple[Plan, Newsletter], start: datetime) -> None:
    plan, newsletter = made
    assume(
        newsletter.draft >= timedelta(hours=1)
    )  # else slots 20 minutes apart would both be late at one tick
    last = start
    end = start + timedelta(days=15)
    composed = []
    now = start
    while now <= end:
        while (planned := due(newsletter, plan, now, last)) is not None:
            composed.append(planned)
            last = planned.slot
        now += timedelta(minutes=59)
    all_of_them = takewhile(lambda p: p.slot < end + timedelta(days=40), slots(newsletter, plan, start))
    by_the_end = [p for p in all_of_them if p.send_at is not None and start < p.send_at <= end]
    assert [p for p in composed if p.send_at is not None and start < p.send_at <= end] == by_the_end


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        ("daily 02:30", lambda day: True),
        ("daily 03:00", lambda day: True),
        ("sun 02:00", lambda day: day.isoweekday() == 7),
        ("first tue 09:00", lambda day: day.isoweekday() == 2 and day.day <= 7),
    ],
)
def test_over_ten_years_of_changing_clocks_each_slot_is_due_exactly_once(
    plan_of: Any, rule: str, fits: Callable[[date], bool]
) -> None:
    plan, newsletter = plan_of(rule, 'draft = "1h"\nlate = "24h"\non_no_send_day = "send"')
    start, end = datetime(2026, 1, 1, tzinfo=BERLIN), datetime(2036, 1, 1, tzinfo=BERLIN)
    last: datetime = start
    found: list[date] = []
    now = start.astimezone(UTC)
    while now < end:
        while (planned := due(newsletter, plan, now, last)) is not None:
            last = planned.slot
            found.append(planned.slot.astimezone(BERLIN).date())
        now += timedelta(hours=11)
    days = [start.date() + timedelta(days=n) for n in range((end.date() - start.date()).days + 1)]
    wanted = [day for day in days if fits(day)]
    assert found == wanted[: len(found)]
    assert found[-1] >= end.date() - timedelta(days=32)
