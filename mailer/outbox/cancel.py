"""End what is still open of an issue."""

from collections import Counter
from datetime import datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from mailer.outbox import figures
from mailer.outbox.figures import Count
from mailer.outbox.model import Delivery, DeliveryState

#: what is `sending` is on its way and settles by itself
_ENDED = (DeliveryState.PENDING, DeliveryState.DEFERRED, DeliveryState.HELD)


def cancel_open(session: Session, issue_id: int, *, actor: str, now: datetime) -> int:
    """Skip the deliveries of a cancelled issue that nobody has under way; how many it was."""
    changes: Counter[Count] = Counter()
    cancelled = 0
    for state in _ENDED:
        ended = session.execute(
            update(Delivery)
            .where(Delivery.issue_id == issue_id, Delivery.state == state)
            .values(state=DeliveryState.SKIPPED, reason="cancelled", settled_at=now, due_at=None)
            .returning(Delivery.list_key, Delivery.municipality, Delivery.domain)
            .execution_options(synchronize_session=False)
        )
        for row in ended:
            changes[Count(issue_id, *row, "", DeliveryState.SKIPPED, "cancelled")] += 1
            cancelled += 1
    figures.add(session, actor, changes.items())
    return cancelled
