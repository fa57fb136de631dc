"""Moves of an issue along its workflow, and the release that is bound to its content.

Four eyes: whoever changed an issue does not release it. Composing is no change, whoever starts it.
Where the plan allows it (`emergency_release`) one person may do both, for a reason that is put on
record, and all who look after the newsletter are told.
"""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.issues.content import content_digest
from mailer.issues.copies import pass_on
from mailer.issues.model import Edit, Issue, IssueState, entries_of
from mailer.issues.record import put_on_record
from mailer.issues.telling import ask_for_mail
from mailer.issues.workflow import Act, IllegalMove, next_state
from mailer.schedule import Newsletter
from subscribers.model import RequestKind


def act_on(session: Session, issue: Issue, act: Act, *, actor: str, now: datetime) -> None:
    """Move an issue along its workflow, and put it on record. Raises IllegalMove.

    Approving binds the release to the content as it is now; there must be some, and `actor` must not
    have changed it, but for a coordinator who releases her own words. The lists that follow with a
    foreword get their own issues to write it in.
    """
    if act is Act.APPROVE:
        if not issue.for_list:
            _refuse_editor(session, issue, actor)
        _approve(session, issue, actor=actor, now=now)
        return
    issue.state = next_state(issue.state, act)
    if act is Act.RESUME:
        issue.halted, issue.told = "", [kind for kind in issue.told if kind != RequestKind.HALTED]
    put_on_record(session, issue, act, actor=actor, now=now)


def approve_alone(
    session: Session,
    issue: Issue,
    newsletter: Newsletter,
    *,
    reason: str,
    people: int,
    actor: str,
    now: datetime,
) -> None:
    """Release an issue although nobody else has seen it, and have the staff of the newsletter told.

    `people` is how many would get it. Raises IllegalMove, also where the plan does not allow it.
    """
    if not newsletter.emergency_release:
        raise IllegalMove(
            f"cannot approve an issue alone: newsletter.{newsletter.key}.emergency_release is not true"
        )
    if not reason.strip():
        raise IllegalMove("cannot approve an issue alone without a reason")
    _approve(session, issue, actor=actor, now=now, emergency=reason.strip())
    ask_for_mail(session, issue, newsletter, RequestKind.EMERGENCY, people=people, actor=actor, now=now)


def is_approved(session: Session, issue: Issue) -> bool:
    """Whether the content is the very one that was approved."""
    return issue.approved_digest == content_digest(issue, entries_of(session, issue))


def was_edited(session: Session, issue: Issue) -> bool:
    """Whether a person changed the issue since it was composed."""
    return session.scalar(select(Edit.id).where(Edit.issue_id == issue.id).limit(1)) is not None


def _refuse_editor(session: Session, issue: Issue, actor: str) -> None:
    edited = select(Edit.id).where(Edit.issue_id == issue.id, Edit.actor == actor)
    if session.scalar(edited.limit(1)) is not None:
        raise IllegalMove(f"cannot approve an issue that {actor} edited: somebody else has to")


def _approve(session: Session, issue: Issue, *, actor: str, now: datetime, emergency: str = "") -> None:
    state = next_state(issue.state, Act.APPROVE)
    entries = entries_of(session, issue)
    if not entries and not issue.editorial:
        raise IllegalMove("cannot approve an issue without entries")
    content = content_digest(issue, entries)
    if issue.state is IssueState.APPROVED and issue.approved_digest == content:
        raise IllegalMove("cannot approve an issue that is approved")
    issue.state, issue.approved_digest, issue.emergency = state, content, emergency
    issue.approved_by, issue.approved_at = actor, now
    if issue.derived_from is not None:
        # whoever releases her foreword does not wait for the end of her time
        issue.send_at = max(session.get_one(Issue, issue.derived_from).send_at, now)
    more = {"emergency": emergency} if emergency else {}
    put_on_record(session, issue, Act.APPROVE, actor=actor, now=now, content=content, **more)
    if not issue.for_list and issue.corrects is None:
        pass_on(session, issue, actor=actor, now=now)
