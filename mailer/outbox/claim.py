"""Take the next deliveries under a lease; skip those who must not be written to any more.

The claim is committed before a byte leaves: it counts the try and names the worker. That pair is
the fence, so a worker that lost its lease can settle nothing. Any number of workers share one
PostgreSQL, each taking rows that no other holds (SKIP LOCKED); on SQLite the write lock does that.
"""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    exists,
    false,
    func,
    or_,
    select,
    true,
    type_coerce,
    update,
)
from sqlalchemy.orm import Session

from mailer.issues.model import Issue, IssueState
from mailer.notices.model import Notice
from mailer.outbox import figures
from mailer.outbox.model import Delivery, DeliveryState
from subscribers.audience import may_receive
from subscribers.model import (
    Format,
    FormOfAddress,
    Subscriber,
    Subscription,
    SubscriptionState,
    Suppression,
    SuppressionReason,
)


class Claimed(NamedTuple):
    """One delivery to be tried now, with all that filling its mail takes; a tuple: millions are made."""

    id: int
    #: which try this is, from 1
    attempt: int
    issue_id: int | None
    edition_id: int | None
    #: the whole mail of a notice
    message: bytes | None
    #: handles that go into tokens: of the issue or notice, and of the person
    context: int
    subscriber: int
    key_id: int
    address: str
    #: a FormOfAddress
    form: str
    title: str
    given: str
    family: str
    language: str
    text_only: bool


def claim(
    session: Session, *, worker: str, limit: int, lease_until: datetime, now: datetime, today: date
) -> list[Claimed]:
    """Up to `limit` deliveries that are due, notices first; they are `sending` and this worker's now.

    Fewer than picked come back where somebody left, paused, was suppressed or erased since the freeze:
    those are skipped, with the reason, in the same transaction.
    """
    picked: dict[int, DeliveryState] = {}
    for due in _due(now):
        if len(picked) < limit:
            picked.update(_pick(session, due, limit - len(picked)))
    if not picked:
        return []
    session.execute(
        update(Delivery)
        .where(Delivery.id.in_(picked))
        .values(
            state=DeliveryState.SENDING,
            worker=worker,
            lease_until=lease_until,
            attempts=Delivery.attempts + 1,
            due_at=None,
        )
    )
    rows = session.execute(_with_person(picked, today)).all()
    barred = [(row, reason) for row in rows if (reason := _barred(row))]
    if not barred:
        return [Claimed._make(row[:_CLAIMED]) for row in rows]
    for reason in {reason for _, reason in barred}:
        session.execute(
            update(Delivery)
            .where(Delivery.id.in_([row.id for row, why in barred if why == reason]))
            .values(
                state=DeliveryState.SKIPPED,
                reason=reason,
                lease_until=None,
                attempts=Delivery.attempts - 1,
                settled_at=now,
            )
        )
    figures.add(session, worker, (change for row, reason in barred for change in _skipped(row, reason)))
    left_out = {row.id for row, _ in barred}
    return [Claimed._make(row[:_CLAIMED]) for row in rows if row.id not in left_out]


def release(session: Session, *, worker: str) -> int:
    """Give back what a dead worker still had under way: how many it was."""
    given_back: Any = session.execute(
        update(Delivery)
        .where(
            Delivery.settled_at.is_(None), Delivery.state == DeliveryState.SENDING, Delivery.worker == worker
        )
        .values(state=DeliveryState.PENDING, lease_until=None),
        execution_options={"preserve_rowcount": True, "synchronize_session": False},
    )
    count: int = given_back.rowcount
    return count


def next_due(session: Session) -> datetime | None:
    """When the next deferred delivery is to be tried again."""
    deferred = Delivery.settled_at.is_(None), Delivery.state == DeliveryState.DEFERRED
    return session.scalar(select(func.min(Delivery.due_at)).where(*deferred))


_CLAIMED = len(Claimed._fields)


def _due(now: datetime) -> Iterable[tuple[DeliveryState, ColumnElement[bool]]]:
    """What is due, in the order it is taken: fresh, deferred long enough, left by a worker past its lease."""
    yield DeliveryState.PENDING, true()
    yield DeliveryState.DEFERRED, Delivery.due_at <= now
    yield DeliveryState.SENDING, Delivery.lease_until < now


def _pick(
    session: Session, due: tuple[DeliveryState, ColumnElement[bool]], limit: int
) -> list[tuple[int, DeliveryState]]:
    state, when = due
    query = (
        select(Delivery.id)
        .outerjoin(Issue, Issue.id == Delivery.issue_id)
        .where(
            Delivery.settled_at.is_(None),
            Delivery.state == state,
            when,
            or_(Delivery.notice_id.is_not(None), Issue.state == IssueState.SENDING),
        )
        .order_by(Delivery.priority, Delivery.id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=Delivery)
    )
    return [(delivery, state) for delivery in session.scalars(query)]


def _with_person(ids: Iterable[int], today: date) -> Select[*tuple[Any, ...]]:
    subscription = exists().where(
        Subscription.subscriber_id == Delivery.subscriber_id,
        Subscription.list_key == Delivery.list_key,
        Subscription.state == SubscriptionState.ACTIVE,
    )
    suppressed = exists().where(Suppression.address_hash == Subscriber.address_hash)
    return (
        select(
            # as Claimed has them
            Delivery.id,
            Delivery.attempts,
            Delivery.issue_id,
            Delivery.edition_id,
            Notice.message,
            func.coalesce(Issue.handle, Notice.handle).label("context"),
            Delivery.subscriber_handle,
            func.coalesce(Issue.key_id, Notice.key_id).label("key_id"),
            Delivery.address,
            func.coalesce(type_coerce(Subscriber.form, String), FormOfAddress.NEUTRAL.value),
            func.coalesce(Subscriber.title, ""),
            func.coalesce(Subscriber.given, ""),
            func.coalesce(Subscriber.family, ""),
            func.coalesce(Subscriber.language, ""),
            func.coalesce(type_coerce(Subscriber.format, String) == Format.TEXT.value, false()),
            # and what decides whether it may go
            Delivery.notice_id,
            Delivery.subscriber_id,
            Delivery.list_key,
            Delivery.municipality,
            Delivery.domain,
            subscription.label("active"),
            subscription.where(may_receive(Subscription, today)).label("may_receive"),
            suppressed.correlate(Subscriber).label("suppressed"),
            # an erased address bars bulk, but its owner may sign up again and confirm
            suppressed.where(Suppression.reason != SuppressionReason.ERASED)
            .correlate(Subscriber)
            .label("barred"),
        )
        .outerjoin(Issue, Issue.id == Delivery.issue_id)
        .outerjoin(Notice, Notice.id == Delivery.notice_id)
        .outerjoin(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .where(Delivery.id.in_(ids))
        .order_by(Delivery.priority, Delivery.id)
    )


def _barred(row: Any) -> str:
    # who is erased has no address either; a notice may go to somebody who never was a subscriber
    if not row.address or (row.subscriber_id is None and row.notice_id is None):
        return "erased"
    if row.notice_id is not None:
        return "suppressed" if row.barred else ""
    if row.suppressed:
        return "suppressed"
    if not row.active:
        return "unsubscribed"
    return "" if row.may_receive else "paused"


def _skipped(row: Any, reason: str) -> Iterable[tuple[figures.Count, int]]:
    if row.issue_id is not None:  # a notice is in no figure
        where = (row.issue_id, row.list_key, row.municipality, row.domain)
        yield figures.Count(*where, "", DeliveryState.SKIPPED, reason), 1
