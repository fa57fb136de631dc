"""What staff are told of issues: they wait for a release, they missed their time, they are sent."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from mailer import schedule
from mailer.installation import Installation
from mailer.issues.model import Issue, IssueState, issues_of, sent_since
from mailer.issues.release import is_approved
from mailer.issues.reminding import owed
from mailer.issues.telling import ask_for_mail
from mailer.outbox.readers import count_readers
from subscribers.model import RequestKind

_UNSENT = (IssueState.DRAFT, IssueState.REVIEW, IssueState.APPROVED)
#: what was sent longer ago is no news; shorter ago it is, even if the clock stood still over the holidays
_NEWS = timedelta(days=14)


def remind(house: Installation, *, now: datetime) -> int:
    """Have staff told what they are owed, each thing once; how many mails it is."""
    today = now.astimezone(house.plan.timezone).date()
    with house.database.read() as session:
        # counting people may take a while, so it is done before anybody has to wait for us
        due = [
            (issue.id, newsletter, count_readers(session, issue, today))
            for issue in (*issues_of(session, _UNSENT), *sent_since(session, now - _NEWS))
            if (newsletter := house.plan.newsletters.get(issue.newsletter))
            and _owed(session, issue, newsletter, now)
        ]
    return sum(_tell(house, issue, newsletter, people, now) for issue, newsletter, people in due)


def _tell(
    house: Installation, issue_id: int, newsletter: schedule.Newsletter, people: int, now: datetime
) -> int:
    with house.database.write() as session:
        issue = session.get_one(Issue, issue_id, with_for_update=True)
        kind = _owed(session, issue, newsletter, now)
        if kind is None:
            return 0  # another clock was first, or somebody released it just now
        issue.told = [*issue.told, kind.value]
        return ask_for_mail(session, issue, newsletter, kind, people=people, actor="clock", now=now)


def _owed(
    session: Session, issue: Issue, newsletter: schedule.Newsletter, now: datetime
) -> RequestKind | None:
    if issue.for_list:
        return None  # the coordinator of that list looks after it
    return owed(
        newsletter,
        state=issue.state,
        released=issue.state is IssueState.APPROVED and is_approved(session, issue),
        postponed=issue.postponed,
        send_at=issue.send_at if issue.has_time else None,
        told=issue.told,
        now=now,
    )
