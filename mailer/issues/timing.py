"""When an issue goes out, if not when the plan meant it to: somebody says so, or it waits for more items."""

from datetime import datetime

from sqlalchemy.orm import Session

from mailer import schedule
from mailer.issues.model import Issue, entries_of
from mailer.issues.record import put_on_record
from mailer.issues.telling import ask_for_mail
from mailer.issues.workflow import Act, IllegalMove, next_state
from subscribers.model import RequestKind


def reschedule(session: Session, issue: Issue, at: datetime, *, actor: str, now: datetime) -> None:
    """Say when an issue that is not under way goes out. Raises IllegalMove.

    The late window counts from the new time, and staff are reminded anew. A postponed issue waits no
    longer, and a special one gets a time by this.
    """
    state = next_state(issue.state, Act.RESCHEDULE)
    if at <= now:
        raise IllegalMove("cannot reschedule an issue to a time that is over")
    put_on_record(session, issue, Act.RESCHEDULE, actor=actor, now=now, **_times(issue, at))
    issue.state, issue.send_at, issue.postponed = state, at, False
    issue.told = [RequestKind.DRAFT_READY.value]


def postpone(
    session: Session,
    issue: Issue,
    newsletter: schedule.Newsletter,
    plan: schedule.Plan,
    *,
    actor: str,
    now: datetime,
) -> None:
    """Let a draft with too few items wait for the next working day, or end its waiting.

    With enough of them it is a draft as any other, for the time it has reached. Before the next slot it
    is cancelled, and its items are free.
    """
    items = len(entries_of(session, issue))
    at = schedule.postpone(newsletter, plan, slot=issue.slot, send_at=issue.send_at, items=items, now=now)
    if at is None:
        issue.state = next_state(issue.state, Act.CANCEL)
        put_on_record(session, issue, Act.CANCEL, actor=actor, now=now, entries=items)
        if newsletter.notify:
            ask_for_mail(session, issue, newsletter, RequestKind.GIVEN_UP, people=0, actor=actor, now=now)
        return
    if at != issue.send_at:
        put_on_record(session, issue, "postpone", actor=actor, now=now, entries=items, **_times(issue, at))
    issue.send_at = at
    issue.postponed = items < newsletter.too_few.below


def _times(issue: Issue, at: datetime) -> dict[str, str]:
    return {"before": issue.send_at.isoformat(), "after": at.isoformat()}
