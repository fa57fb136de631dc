"""What staff are told while an issue is under way: it stopped by itself, or mails of it are held."""

from datetime import datetime

from mailer.installation import Installation
from mailer.issues.model import Issue, IssueState, issues_of
from mailer.issues.telling import ask_for_mail
from mailer.outbox.held import held_by_issue
from subscribers.model import RequestKind

_UNDER_WAY = (IssueState.SENDING, IssueState.PAUSED)
#: that mails are held is told of once, until none is any more
_HELD = "held"


def alarm(house: Installation, *, now: datetime) -> int:
    """Have staff told of what stopped, each thing once; how many mails it is."""
    with house.database.read() as session:
        held = held_by_issue(session)
        due = [issue.id for issue in issues_of(session, _UNDER_WAY) if _news(issue, held) != set(issue.told)]
    return sum(_tell(house, issue, now) for issue in due)


def _tell(house: Installation, issue_id: int, now: datetime) -> int:
    with house.database.write() as session:
        issue = session.get_one(Issue, issue_id, with_for_update=True)
        held = held_by_issue(session)
        told = _news(issue, held)
        is_new = bool(told - set(issue.told))
        issue.told = sorted(told)
        newsletter = house.plan.newsletters.get(issue.newsletter)
        if newsletter is None or not is_new:
            return 0
        return ask_for_mail(
            session,
            issue,
            newsletter,
            RequestKind.HALTED,
            people=0,
            held=held.get(issue_id, 0),
            actor="clock",
            now=now,
        )


def _news(issue: Issue, held: dict[int, int]) -> set[str]:
    """What staff are to have been told, with all that they were told before."""
    told = set(issue.told) - {_HELD}
    if issue.halted:
        told.add(RequestKind.HALTED.value)
    if issue.id in held:
        told.add(_HELD)
    return told
