"""The issues whose time has come."""

from collections.abc import Iterable
from datetime import datetime

import structlog
from sqlalchemy.exc import IntegrityError

from mailer import schedule
from mailer.installation import Installation
from mailer.issues.compose import compose
from mailer.issues.model import IssueState, entries_of, last_slot
from mailer.issues.release import act_on
from mailer.issues.workflow import Act
from subscribers.model import MailingList

log = structlog.get_logger()


def compose_due(
    house: Installation, *, now: datetime, newsletters: Iterable[schedule.Newsletter] | None = None
) -> list[int]:
    """Compose the issues whose time has come; those that need no release are approved by the clock."""
    composed = []
    for newsletter in house.plan.newsletters.values() if newsletters is None else newsletters:
        while planned := _next_due(house, newsletter, now):
            try:
                composed.append(_compose(house, newsletter, planned, now))
            except IntegrityError:
                continue  # another clock was first, and the key (newsletter, slot) is taken
    return composed


def _next_due(
    house: Installation, newsletter: schedule.Newsletter, now: datetime
) -> schedule.PlannedSlot | None:
    with house.database.read() as session:
        if session.get(MailingList, newsletter.list) is None:
            return None
        last = last_slot(session, newsletter.key)
    return schedule.due(newsletter, house.plan, now, last)


def _compose(
    house: Installation, newsletter: schedule.Newsletter, planned: schedule.PlannedSlot, now: datetime
) -> int:
    with house.database.write() as session:
        issue = compose(
            session,
            newsletter,
            slot=planned.slot,
            send_at=planned.send_at or planned.slot,
            actor="clock",
            now=now,
        )
        if issue.state is IssueState.DRAFT and planned.send_at is None:
            act_on(session, issue, Act.CANCEL, actor="clock", now=now)
        elif issue.state is IssueState.DRAFT and newsletter.release == "none":
            if entries_of(session, issue):
                act_on(session, issue, Act.APPROVE, actor="clock", now=now)
            else:  # the plan sends with few items (too_few), but there is not one
                act_on(session, issue, Act.CANCEL, actor="clock", now=now)
                log.warning("issue.empty", issue=issue.id)
        return issue.id
