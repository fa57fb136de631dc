"""Moves of an issue along its workflow, and the release that is bound to its content."""

from datetime import datetime

from sqlalchemy.orm import Session

from mailer.issues.content import content_digest
from mailer.issues.copies import pass_on
from mailer.issues.model import Issue, entries_of
from mailer.issues.record import put_on_record
from mailer.issues.workflow import Act, IllegalMove, next_state


def act_on(session: Session, issue: Issue, act: Act, *, actor: str, now: datetime) -> None:
    """Move an issue along its workflow, and put it on record. Raises IllegalMove.

    Approving binds the release to the content as it is now; there must be some. The lists that
    follow with a foreword get their own issues to write it in.
    """
    state = next_state(issue.state, act)
    if act is Act.APPROVE:
        entries = entries_of(session, issue)
        if not entries:
            raise IllegalMove(f"cannot {act} an issue without entries")
        issue.approved_digest = content_digest(issue, entries)
        issue.approved_by, issue.approved_at = actor, now
    issue.state = state
    if act is Act.APPROVE and issue.for_list:
        # whoever releases her foreword does not wait for the end of her time
        origin = session.get_one(Issue, issue.derived_from)
        issue.send_at = max(origin.send_at, now)
    more = {"content": issue.approved_digest} if act is Act.APPROVE else {}
    put_on_record(session, issue, act, actor=actor, now=now, **more)
    if act is Act.APPROVE and not issue.for_list and issue.corrects is None:
        pass_on(session, issue, actor=actor, now=now)


def is_approved(session: Session, issue: Issue) -> bool:
    """Whether the content is the very one that was approved."""
    return issue.approved_digest == content_digest(issue, entries_of(session, issue))
