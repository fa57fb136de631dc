"""What staff decide about deliveries that are held.

A delivery is held because nobody knows whether its mail went out, where its list says so, or because
its mail could not be made. Both waited for a person, and what she decides is put on record.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from mailer.issues.model import Issue
from mailer.issues.record import put_on_record
from mailer.outbox import figures
from mailer.outbox.model import Delivery, DeliveryState

_HELD = (Delivery.settled_at.is_(None), Delivery.state == DeliveryState.HELD)


def held_by_issue(session: Session) -> dict[int, int]:
    """How many deliveries of which issue are held."""
    rows = session.execute(
        select(Delivery.issue_id, func.count())
        .where(*_HELD, Delivery.issue_id.is_not(None))
        .group_by(Delivery.issue_id)
    )
    return {issue: n for issue, n in rows if issue is not None}


def held_of(session: Session, issue: Issue) -> Sequence[Delivery]:
    """The deliveries of an issue that are held, in the order of their ids."""
    return session.scalars(
        select(Delivery).where(*_HELD, Delivery.issue_id == issue.id).order_by(Delivery.id)
    ).all()


def resend(session: Session, issue: Issue, only: Sequence[int] | None, *, actor: str, now: datetime) -> int:
    """Send what is held of an issue, or these of it, once more under the same Message-ID; how many it is."""
    resent: Any = session.execute(
        update(Delivery).where(*_which(issue, only)).values(state=DeliveryState.PENDING, reason=""),
        execution_options={"preserve_rowcount": True, "synchronize_session": False},
    )
    n: int = resent.rowcount
    if n:
        put_on_record(session, issue, "held-resent", actor=actor, now=now, deliveries=n)
    return n


def accept(session: Session, issue: Issue, only: Sequence[int] | None, *, actor: str, now: datetime) -> int:
    """Take what is held of an issue, or these deliveries of it, as it is; how many it was.

    What may have gone out counts as sent, what could not be made as failed.
    """
    changes: Counter[figures.Count] = Counter()
    for unmade, state in ((False, DeliveryState.SENT), (True, DeliveryState.FAILED)):
        ended = session.execute(
            update(Delivery)
            .where(*_which(issue, only), (Delivery.reason == "unmade") == unmade)
            .values(state=state, settled_at=now)
            .returning(
                Delivery.list_key, Delivery.municipality, Delivery.domain, Delivery.relay, Delivery.reason
            )
            .execution_options(synchronize_session=False)
        )
        for row in ended:
            where = (issue.id, row.list_key, row.municipality, row.domain, row.relay)
            changes[figures.Count(*where, state.value, row.reason)] += 1
    n = changes.total()
    if n:
        figures.add(session, actor, changes.items())
        put_on_record(session, issue, "held-accepted", actor=actor, now=now, deliveries=n)
    return n


def _which(issue: Issue, only: Sequence[int] | None) -> tuple[Any, ...]:
    ids = () if only is None else (Delivery.id.in_(only),)
    return (*_HELD, Delivery.issue_id == issue.id, *ids)
