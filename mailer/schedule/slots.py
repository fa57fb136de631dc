"""When each newsletter is due. Pure arithmetic: the clock passes the time in.

The nominal slot
- is what the rule says, in the newsletter's zone, as an instant in UTC. It names the issue and never moves.
- In the night in which summer time ends, a doubled 02:30 is its first pass, once.
- In the night in which it begins, a missing 02:30 becomes the first moment that exists, 03:00. If the rule
  names several missing times, or 03:00 itself, they are one slot.

`send_at`, the time it goes out
- is the nominal slot, unless that falls on a no-send day; a weekend alone shifts nothing.
- next-working-day and previous-working-day keep the time of day and move to the nearest day that is neither
  no-send nor a Saturday or Sunday.
- A moved slot that would meet or pass a neighbour of its own newsletter is skipped in its favour: nothing is
  lost, since an issue takes every item that none had before. So slots that go out never swap order, and never
  come in a heap after the holidays.
- skip: it is not sent (`send_at` is None). send: it is sent all the same.

Due
- is the earliest slot after the last one on record whose `send_at` minus `draft` has come.
- Of the slots whose `send_at` has passed only the latest counts, and only until `send_at` plus `late`: at
  most one catch-up after any downtime.
- Without a last one (a new newsletter) the same two windows apply, so history is never made up for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from mailer.schedule.nosend import LONGEST_SHIFT
from mailer.schedule.plan import Newsletter, Plan

_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class PlannedSlot:
    """One slot of a newsletter, both times in UTC; `send_at` is None when it is skipped.

    reason: empty, or which day forbids the slot and what follows: "Fronleichnam -> next-working-day".
    """

    newsletter: str
    slot: datetime
    send_at: datetime | None
    reason: str


def slots(newsletter: Newsletter, plan: Plan, after: datetime) -> Iterator[PlannedSlot]:
    """The slots whose nominal time is later than `after`, in order, skipped ones included; without end."""
    for slot in _nominal(newsletter, after):
        yield _planned(newsletter, plan, slot)


def due(newsletter: Newsletter, plan: Plan, now: datetime, last_slot: datetime | None) -> PlannedSlot | None:
    """The slot for which an issue has to be composed now, if any.

    last_slot is the nominal time of the last slot that has an issue (special issues do not count). Ask again
    with the answer as last_slot until it is None: a catch-up and the next draft may be due together.
    """
    now = _utc(now)
    start = _before_any_sent_from(newsletter, plan, now - newsletter.late)
    if last_slot is not None:
        start = max(start, last_slot)
    missed = None
    for planned in slots(newsletter, plan, start):
        if planned.slot > now + newsletter.draft + LONGEST_SHIFT:
            break
        if planned.send_at is None:
            continue
        if planned.send_at > now:
            upcoming = planned if planned.send_at - newsletter.draft <= now else None
            return _if_fresh(missed, newsletter, now) or upcoming
        missed = planned
    return _if_fresh(missed, newsletter, now)


def coming(plan: Plan, *, now: datetime, count: int) -> list[PlannedSlot]:
    """The next `count` slots of all newsletters by the time they go out, from `now` on.

    Skipped ones are among them at their nominal time.
    """
    now = _utc(now)
    found: list[PlannedSlot] = []
    for newsletter in plan.newsletters.values():
        candidates = slots(newsletter, plan, _before_any_sent_from(newsletter, plan, now))
        found += islice((planned for planned in candidates if _time(planned) >= now), count)
    return sorted(found, key=lambda planned: (_time(planned), planned.newsletter))[:count]


def _time(planned: PlannedSlot) -> datetime:
    return planned.send_at or planned.slot


def _if_fresh(missed: PlannedSlot | None, newsletter: Newsletter, now: datetime) -> PlannedSlot | None:
    if missed is None or missed.send_at is None or missed.send_at + newsletter.late < now:
        return None
    return missed


def _before_any_sent_from(newsletter: Newsletter, plan: Plan, moment: datetime) -> datetime:
    """A time before every nominal slot that goes out at `moment` or later, and close to it.

    Only next-working-day sends later than the nominal time, and never past a working day.
    """
    if newsletter.on_no_send_day == "next-working-day":
        day = _local(moment, newsletter.zone).date()
        working = plan.no_send.working_day(day, -1) or day - LONGEST_SHIFT
        moment = instant(datetime.combine(working, time.min), newsletter.zone)
    return moment - _INSTANT


def _nominal(newsletter: Newsletter, after: datetime) -> Iterator[datetime]:
    """Nominal slots later than `after`. Wall-clock order is time order, since `instant` never turns back."""
    last = _utc(after)
    for wall in newsletter.rule.wall_times(_local(after, newsletter.zone)):
        slot = instant(wall, newsletter.zone)
        if slot > last:
            last = slot
            yield slot


def _planned(newsletter: Newsletter, plan: Plan, slot: datetime) -> PlannedSlot:
    local = _local(slot, newsletter.zone)
    policy = newsletter.on_no_send_day
    name = plan.no_send.name(local.date())
    if name is None:
        return PlannedSlot(newsletter.key, slot, slot, "")
    if policy == "send":
        return PlannedSlot(newsletter.key, slot, slot, f"{name} -> send")
    if policy == "skip":
        return PlannedSlot(newsletter.key, slot, None, f"{name} -> skip")
    target = plan.no_send.working_day(local.date(), 1 if policy == "next-working-day" else -1)
    if target is None:
        return PlannedSlot(newsletter.key, slot, None, f"{name} -> skip, no working day is near")
    if _has_neighbour(newsletter, slot, target):
        return PlannedSlot(newsletter.key, slot, None, f"{name} -> skip, its neighbour goes out")
    send_at = instant(datetime.combine(target, local.time()), newsletter.zone)
    return PlannedSlot(newsletter.key, slot, send_at, f"{name} -> {policy}")


def _has_neighbour(newsletter: Newsletter, slot: datetime, target: date) -> bool:
    """Whether another slot of the newsletter lies between `slot` and the end of the day it would move to."""
    if newsletter.on_no_send_day == "next-working-day":
        neighbour = next(_nominal(newsletter, slot), None)
        return neighbour is not None and _local(neighbour, newsletter.zone).date() <= target
    midnight = instant(datetime.combine(target, time.min), newsletter.zone)
    return next(_nominal(newsletter, midnight - _INSTANT)) < slot


def _utc(moment: datetime) -> datetime:
    """In UTC, since within a zone Python adds and subtracts on the wall clock, also over a change of it."""
    if moment.tzinfo is None:
        raise ValueError(f"a time without offset is no moment: {moment}")
    return moment.astimezone(UTC)


def _local(moment: datetime, zone: ZoneInfo) -> datetime:
    """The naive wall-clock time at `moment`."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """The moment in UTC at which `zone` shows `wall`: the first of two, or the end of a gap (PEP 495)."""
    while True:
        moment = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
        if _local(moment, zone) == wall:
            return moment
        # In a gap. All of them in use begin and end at full minutes.
        wall = wall.replace(second=0, microsecond=0) + timedelta(minutes=1)
