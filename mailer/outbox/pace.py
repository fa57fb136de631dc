"""How fast the issues of late went out, and when one that is to go out will be done."""

import statistics
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.issues.model import Issue, IssueState
from mailer.outbox.model import Delivery, DeliveryState

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


def expected_end(people: int, start: datetime, pace: float | None) -> datetime | None:
    """When so many mails are out that begin to go at `start`; None if nothing is known of the pace."""
    return start + timedelta(seconds=people / pace) if pace and people else None
