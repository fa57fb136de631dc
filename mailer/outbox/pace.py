"""How fast the issues of late went out, and when one that is to go out will be done."""

import statistics
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.issues.model import Issue, IssueState
from mailer.outbox.model import Delivery, DeliveryState
from mailer.outbox.quota import Limit, for_bulk, seconds_for
from mailer.outbox.shares import limits_of
from mailer.outbox.tallies import rates
from mailer.smtp import Relay

#: issues that are looked back at, and how many mails one must have had to tell anything
_ISSUES, _LEAST = 5, 50


def observed_pace(session: Session) -> float | None:
    """Mails per second, the median of the last issues from freeze to end; None where none tells."""
    issues = session.execute(
        select(Issue.id, Issue.frozen_at, Issue.sent_at)
        .where(Issue.state == IssueState.SENT, Issue.frozen_at.is_not(None), Issue.sent_at.is_not(None))
        .order_by(Issue.sent_at.desc())
        .limit(_ISSUES)
    ).all()
    paces = []
    for issue in issues:
        sent = session.scalar(
            select(func.count()).where(
                Delivery.issue_id == issue.id, Delivery.state == DeliveryState.SENT, Delivery.attempts == 1
            )
        )
        seconds = (issue.sent_at - issue.frozen_at).total_seconds()
        if sent and sent >= _LEAST and seconds > 0:
            paces.append(sent / seconds)
    return statistics.median(paces) if paces else None


def bulk_capacity(session: Session, relays: Iterable[Relay]) -> list[tuple[Limit, ...]]:
    """What the limits of each relay that does not stand by leave for an issue."""
    set_by_staff = rates(session)
    return [
        for_bulk(limits_of(relay, set_by_staff), relay.reserve / 100)
        for number, relay in enumerate(relays)
        if (relay.weight if relay.weight is not None else number == 0)
    ]


def expected_end(
    people: int, start: datetime, pace: float | None, capacity: Sequence[Sequence[Limit]] = ()
) -> datetime | None:
    """When so many mails are out that begin to go at `start`; None if nothing is known of the pace.

    `capacity` are the limits of each relay: no pace of the past gets round them.
    """
    if not people:
        return None
    by_limits = seconds_for(people, capacity) if capacity else 0
    if not pace:
        return start + timedelta(seconds=by_limits) if by_limits else None
    return start + timedelta(seconds=max(people / pace, by_limits))
