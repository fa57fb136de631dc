"""An issue with too few items waits from working day to working day, and never meets the next one."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from mailer.schedule import postpone, slots
from tests.mailer.schedule.conftest import PlanOf

BERLIN = ZoneInfo("Europe/Berlin")
WAITS = 'too_few = { below = 3, then = "postpone" }'


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


def local(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment.astimezone(BERLIN):%a %Y-%m-%d %H:%M}"


def postponed(plan_of: PlanOf, rule: str, *lines: str, slot: str, items: int, now: str) -> str | None:
    plan, newsletter = plan_of(rule, WAITS, *lines)
    at = berlin(slot)
    return local(postpone(newsletter, plan, slot=at, send_at=at, items=items, now=berlin(now)))


@pytest.mark.parametrize(
    ("slot", "items", "now", "expected"),
    [
        # Mon 2026-11-23, draft = 0: looked at when its time has come
        ("2026-11-23T07:30", 3, "2026-11-23T07:30", "Mon 2026-11-23 07:30"),
        ("2026-11-23T07:30", 2, "2026-11-23T07:30", "Tue 2026-11-24 07:30"),
        ("2026-11-23T07:30", 0, "2026-11-24T07:31", "Wed 2026-11-25 07:30"),
        # Friday 27 is the last day before the next slot, Monday 30
        ("2026-11-23T07:30", 2, "2026-11-26T08:00", "Fri 2026-11-27 07:30"),
        ("2026-11-23T07:30", 2, "2026-11-27T07:30", None),
        # enough, within late = 6h and after it: nothing ran from Monday to Thursday
        ("2026-11-23T07:30", 3, "2026-11-23T13:30", "Mon 2026-11-23 07:30"),
        ("2026-11-23T07:30", 3, "2026-11-26T09:00", "Thu 2026-11-26 07:30"),
        ("2026-11-23T07:30", 3, "2026-11-26T14:00", "Fri 2026-11-27 07:30"),
        ("2026-11-23T07:30", 3, "2026-11-27T14:00", None),
        # Wed 23 Dec; 24 (extra), 25, 26 are no-send, 27 a Sunday: the next is Monday 28, of its own slot
        ("2026-12-21T07:30", 0, "2026-12-22T07:30", "Wed 2026-12-23 07:30"),
        ("2026-12-21T07:30", 0, "2026-12-23T07:30", None),
    ],
)
def test_a_weekly_newsletter_without_a_hand_waits_from_day_to_day(
    plan_of: PlanOf, slot: str, items: int, now: str, expected: str | None
) -> None:
    got = postponed(plan_of, "mon 07:30", 'release = "none"', slot=slot, items=items, now=now)
    assert got == expected


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        # Tue 2026-12-01, draft = 5d: composed on Thu 26 Nov; Wed 2 Dec is looked at on Fri 27 Nov
        ("2026-11-26T09:00", "Wed 2026-12-02 09:00"),
        ("2026-11-27T09:00", "Thu 2026-12-03 09:00"),
        # Wed 30 Dec stands from Fri 25 Dec on; 31 Dec (extra), 1 Jan, the weekend: Mon 4 Jan; slot 5 Jan
        ("2026-12-25T08:59", "Wed 2026-12-30 09:00"),
        ("2026-12-25T09:00", "Mon 2027-01-04 09:00"),
        ("2026-12-30T09:00", None),
    ],
)
def test_what_staff_release_leaves_them_their_days_however_often_it_moves(
    plan_of: PlanOf, now: str, expected: str | None
) -> None:
    assert postponed(plan_of, "first tue 09:00", slot="2026-12-01T09:00", items=2, now=now) == expected


def test_a_skipped_slot_ends_no_waiting(plan_of: PlanOf) -> None:
    # Monday 5 Apr 2027 would be next after Easter Monday, 29 Mar, which is skipped
    got = postponed(
        plan_of, "mon 07:30", 'release = "none"', 'on_no_send_day = "skip"',
        slot="2027-03-22T07:30", items=0, now="2027-03-30T08:00",
    )  # fmt: skip
    assert got == "Wed 2027-03-31 07:30"


@settings(max_examples=150, deadline=None)
@given(
    rule=some.sampled_from(
        ["mon 07:30", "daily 02:30", "first tue 09:00", "mon,thu 23:45", "last fri 02:00"]
    ),
    policy=some.sampled_from(["next-working-day", "previous-working-day", "skip", "send"]),
    draft=some.sampled_from(["0m", "36h", "5d"]),
    since=some.datetimes(datetime(2026, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001  Hypothesis wants them naive
    late=some.timedeltas(timedelta(0), timedelta(days=45)),
    items=some.integers(0, 4),
)
def test_it_ends_before_the_next_slot_on_a_day_of_work_and_with_a_future(
    plan_of: PlanOf, rule: str, policy: str, draft: str, since: datetime, late: timedelta, items: int
) -> None:
    plan, newsletter = plan_of(
        rule, WAITS, f'draft = "{draft}"', 'remind = "0m"', f'on_no_send_day = "{policy}"'
    )
    coming = (each for each in slots(newsletter, plan, since.replace(tzinfo=UTC)) if each.send_at)
    this, following = islice(coming, 2)
    assert this.send_at is not None
    assert following.send_at is not None
    now = this.send_at - newsletter.draft + late
    moved = postpone(newsletter, plan, slot=this.slot, send_at=this.send_at, items=items, now=now)
    if moved is None:
        return
    day = moved.astimezone(BERLIN)
    if moved != this.send_at:
        assert plan.no_send.name(day.date()) is None
        assert day.isoweekday() < 6
        assert moved > this.send_at
        assert day.date() < following.send_at.astimezone(BERLIN).date()
        if not (since.month in (3, 10) or rule.endswith("02:30")):
            assert day.time() == this.send_at.astimezone(BERLIN).time()
    assert now < moved - newsletter.draft if items < 3 else now <= moved + newsletter.late
    again: Any = postpone(newsletter, plan, slot=this.slot, send_at=moved, items=items, now=now)
    assert again == moved, "asked twice it says the same"
