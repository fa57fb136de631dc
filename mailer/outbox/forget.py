"""What deliveries say of a person: shown, forgotten at once, or taken off when they are old.

A delivery is a number in the figures. It stays one: what names its person goes, the handle stays
as a pseudonym that links in old mails and the key (issue, person) go by.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, or_, select, update
from sqlalchemy.orm import Session

from mailer.issues.model import Issue
from mailer.notices.model import Notice
from mailer.outbox import figures
from mailer.outbox.figures import Count
from mailer.outbox.model import OPEN, Attempt, Delivery, DeliveryState, Returned
from subscribers.privacy import Whom

_ACTOR = "erasure"
#: what is `sending` is on its way and settles by itself
_ENDED = (DeliveryState.PENDING, DeliveryState.DEFERRED, DeliveryState.HELD)


def deliveries_of(session: Session, people: Sequence[Whom], *, lock: bool) -> list[Delivery]:
    """The deliveries to these people; also those that are old and name them by handle only."""
    ids = [each.person.id for each in people if each.person]
    handles = [each.person.handle for each in people if each.person]
    # whoever is no person here any more: nothing but the address can find her mails
    strangers = [each.address for each in people if each.person is None]
    found: dict[int, Delivery] = {}
    for condition in (
        Delivery.subscriber_id.in_(ids) if ids else None,
        # by issue, since the key begins with it
        and_(Delivery.issue_id.in_(select(Issue.id)), Delivery.subscriber_handle.in_(handles))
        if handles
        else None,
        Delivery.address.in_(strangers) if strangers else None,
    ):
        if condition is not None:
            query = select(Delivery).where(condition).order_by(Delivery.id)
            if lock:
                query = query.with_for_update()
            found |= {row.id: row for row in session.scalars(query)}
    return list(found.values())


def held(session: Session, deliveries: Sequence[Delivery]) -> list[dict[str, Any]]:
    """These deliveries with every try and its answer, in the words of the export."""
    ids = [row.id for row in deliveries]
    attempts = defaultdict(list)
    for attempt in session.scalars(select(Attempt).where(Attempt.delivery_id.in_(ids)).order_by(Attempt.id)):
        attempts[attempt.delivery_id].append(
            {
                "number": attempt.number,
                "at": attempt.at,
                "relay": attempt.relay,
                "outcome": attempt.outcome,
                "code": attempt.code,
                "reply": attempt.reply,
            }
        )
    subjects = {
        row.id: (row.issue, row.notice)
        for row in session.execute(
            select(Delivery.id, Issue.subject.label("issue"), Notice.subject.label("notice"))
            .outerjoin(Issue, Issue.id == Delivery.issue_id)
            .outerjoin(Notice, Notice.id == Delivery.notice_id)
            .where(Delivery.id.in_(ids))
        )
    }
    return [
        {
            "subject": subjects[row.id][0] if row.issue_id is not None else subjects[row.id][1],
            "of": "issue" if row.issue_id is not None else "notice",
            "list": row.list_key,
            "to": row.address,
            "ags": row.municipality,
            "state": row.state,
            "reason": row.reason,
            "returned": row.returned,
            "due_at": row.due_at,
            "settled_at": row.settled_at,
            "relay": row.relay,
            "last_reply": row.last_reply,
            "attempts": attempts[row.id],
        }
        for row in deliveries
    ]


def forget(session: Session, deliveries: Sequence[Delivery], *, now: datetime) -> Counter[str]:
    """Erase what these deliveries say of their person, and skip the open ones that nobody has under way.

    The figures follow, so that they still add up, and no longer name a domain that was hers alone.
    """
    gone: Counter[str] = Counter()
    changes: list[tuple[Count, int]] = []
    domains = {(row.issue_id, row.domain) for row in deliveries if row.issue_id is not None and row.domain}
    for row in deliveries:
        changes += [(count, -1) for count in _counted(row)]
        if row.state in _ENDED:
            row.state, row.reason, row.settled_at, row.due_at = DeliveryState.SKIPPED, "erased", now, None
            gone["skipped"] += 1
        row.address = row.domain = row.last_reply = ""
        row.subscriber_id = None
        changes += [(count, 1) for count in _counted(row)]
        gone["deliveries"] += 1
    session.flush()
    session.execute(
        update(Attempt).where(Attempt.delivery_id.in_([row.id for row in deliveries])).values(reply="")
    )
    figures.add(session, _ACTOR, changes)
    for issue, domain in sorted(domains):
        figures.drop_empty(session, issue, domain)
    return gone


def old(before: datetime) -> Select[int]:
    """The deliveries that were settled before then and still name their person."""
    return select(Delivery.id).where(
        Delivery.settled_at < before,
        Delivery.state.not_in(OPEN),
        or_(Delivery.address != "", Delivery.subscriber_id.is_not(None), Delivery.last_reply != ""),
    )


def pseudonymise(session: Session, ids: Sequence[int]) -> int:
    """Take address, person and replies off these deliveries; how many it was."""
    session.execute(
        update(Delivery)
        .where(Delivery.id.in_(ids))
        .values(address="", subscriber_id=None, last_reply="")
        .execution_options(synchronize_session=False)
    )
    session.execute(
        update(Attempt)
        .where(Attempt.delivery_id.in_(ids))
        .values(reply="")
        .execution_options(synchronize_session=False)
    )
    return len(ids)


def notices_of(session: Session, ids: Sequence[int]) -> list[int]:
    """Row ids of the notices among these deliveries."""
    of_notices = select(Delivery.notice_id).where(Delivery.id.in_(ids), Delivery.notice_id.is_not(None))
    return [notice for notice in session.scalars(of_notices) if notice is not None]


def _counted(row: Delivery) -> Iterable[Count]:
    """The figures that a delivery is one of; a notice is in none. Settling says what stands where."""
    if row.issue_id is None:
        return
    where = (row.issue_id, row.list_key, row.municipality, row.domain)
    yield Count(*where, "", figures.FROZEN, "")
    if row.state not in OPEN:
        was_tried = row.state in (DeliveryState.SENT, DeliveryState.FAILED)
        yield Count(*where, row.relay if was_tried else "", row.state, row.reason)
    if row.returned is not Returned.NONE:
        yield Count(*where, row.relay, f"returned:{row.returned}", "")
