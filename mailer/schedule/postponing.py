"""When an issue with too few items goes out instead (`too_few = postpone`). Pure arithmetic, like slots.

- It is looked at when `send_at` minus `draft` has come, so staff have as long for it as for any other.
- With enough items it goes out at that `send_at`. If that is over for longer than `late`, since nothing
  ran, the next time it could go out counts.
- With too few it moves to the next working day (neither no-send nor a Saturday or Sunday), at the same time.
- It never reaches the day on which the next slot of its newsletter goes out: before that it is given up, and
  its items are the next one's.
"""

from datetime import datetime

from mailer.schedule.nosend import LONGEST_SHIFT
from mailer.schedule.plan import Newsletter, Plan
from mailer.schedule.slots import instant, slots


def postpone(
    newsletter: Newsletter, plan: Plan, *, slot: datetime, send_at: datetime, items: int, now: datetime
) -> datetime | None:
    """When the issue of `slot`, which has so many items, is to go out; None when the next slot comes first.

    `send_at` is when it was to go out so far. With enough items the answer is final, else the time to look
    again is the answer minus `draft`. Both in UTC.
    """
    while not _stands(newsletter, send_at, items, now):
        moved = _next_working_day(newsletter, plan, send_at)
        if moved is None or _next_slot_goes_out_by(newsletter, plan, slot, moved):
            return None
        send_at = moved
    return send_at


def _stands(newsletter: Newsletter, send_at: datetime, items: int, now: datetime) -> bool:
    if items >= newsletter.too_few.below:
        return now <= send_at + newsletter.late
    return now < send_at - newsletter.draft


def _next_working_day(newsletter: Newsletter, plan: Plan, send_at: datetime) -> datetime | None:
    local = send_at.astimezone(newsletter.zone)
    day = plan.no_send.working_day(local.date(), 1)
    return None if day is None else instant(datetime.combine(day, local.time()), newsletter.zone)


def _next_slot_goes_out_by(newsletter: Newsletter, plan: Plan, slot: datetime, moved: datetime) -> bool:
    """Whether the slot after this one goes out on the day of `moved` or before."""
    day = moved.astimezone(newsletter.zone).date()
    for planned in slots(newsletter, plan, slot):
        if planned.slot > moved + LONGEST_SHIFT:
            return False
        if planned.send_at is not None:
            return planned.send_at.astimezone(newsletter.zone).date() <= day
    raise AssertionError("slots never end")
