"""End issues: those of which nothing is open any more, and what is left open of cancelled ones."""

from datetime import datetime
from typing import Any

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from mailer.issues.model import Issue, IssueState
from mailer.issues.workflow import Act, next_state
from mailer.outbox import figures
from mailer.outbox.cancel import cancel_open
from mailer.outbox.model import Delivery, DeliveryState, Priority
from mailer.render.model import EditionAudience
from subscribers.chain import Chain, Happening, append
from subscribers.evidence import INFORMED
from subscribers.model import Subscription


def finish_cancelled(session: Session, *, actor: str, now: datetime) -> int:
    """Skip what of cancelled issues came back from workers after they were cancelled; how many it was."""
    left = exists().where(
        Delivery.issue_id == Issue.id,
        Delivery.settled_at.is_(None),
        Delivery.state.in_([DeliveryState.PENDING, DeliveryState.DEFERRED, DeliveryState.HELD]),
        Delivery.priority == int(Priority.BULK),
    )
    cancelled = session.scalars(select(Issue.id).where(Issue.state == IssueState.CANCELLED, left)).all()
    return sum(cancel_open(session, issue, actor=actor, now=now) for issue in cancelled)


def finish_issues(session: Session, *, now: datetime) -> list[int]:
    """Call those issues sent that were frozen and have nothing open left."""
    finished = []
    for issue in session.scalars(select(Issue).where(Issue.state == IssueState.SENDING)):
        if issue.frozen_at is not None and figures.is_done(session, issue.id):
            issue.state = next_state(issue.state, Act.FINISH)
            issue.sent_at = now
            _note_informed(session, issue, now)
            finished.append(issue.id)
    return finished


def _note_informed(session: Session, issue: Issue, now: datetime) -> None:
    """Whoever got this issue knows now where her data comes from, if it was the one that said so."""
    telling = select(EditionAudience.import_id).where(
        EditionAudience.issue_id == issue.id, EditionAudience.import_id != 0
    )
    imports = session.scalars(telling.distinct().order_by(EditionAudience.import_id)).all()
    if not imports:
        return
    got = exists().where(
        Delivery.issue_id == issue.id,
        Delivery.subscriber_id == Subscription.subscriber_id,
        Delivery.list_key == Subscription.list_key,
        Delivery.state == DeliveryState.SENT,
    )
    informed = update(Subscription).where(
        Subscription.import_id.in_(imports), Subscription.informed_at.is_(None), got
    )
    told: Any = session.execute(
        informed.values(informed_at=now),
        execution_options={"preserve_rowcount": True, "synchronize_session": False},
    )
    if not told.rowcount:
        return
    said = {"issue": f"{issue.handle:016x}", "imports": list(imports), "people": told.rowcount}
    append(session, Chain.CONSENT, [Happening(INFORMED, said)], actor="worker", at=now)
