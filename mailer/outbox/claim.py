"""Take the next deliveries under a lease; skip those who must not be written to any more.

The claim is committed before a byte leaves: it counts the try and names the worker. That pair is
the fence, so a worker that lost its lease can settle nothing. Any number of workers share one
PostgreSQL, each taking rows that no other holds (SKIP LOCKED); on SQLite the write lock does that.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, or_, select, true, update
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


@dataclass(frozen=True, slots=True)
class Claimed:
    """One delivery to be tried now, with all that filling its mail takes."""

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
    form: FormOfAddress
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
    barred = {row.id: reason for row in rows if (reason := _barred(row))}
    for reason in set(barred.values()):
        ids = [delivery for delivery, why in barred.items() if why == reason]
        session.execute(
            update(Delivery)
            .where(Delivery.id.in_(ids))
            .values(
                state=DeliveryState.SKIPPED,
                reason=reason,
                lease_until=None,
                attempts=Delivery.attempts - 1,
                settled_at=now,
            )
        )
    figures.add(session, worker, _changes(rows, picked, barred))
    return [_claimed(row) for row in rows if row.id not in barred]


def release(session: Session, *, worker: str, actor: str) -> int:
    """Give back what a dead worker still had under way: how many it was."""
    rows = session.execute(
        select(*_FIGURED).where(Delivery.worker == worker, Delivery.state == DeliveryState.SENDING)
    ).all()
    session.execute(
        update(Delivery)
        .where(Delivery.id.in_([row.id for row in rows]))
        .values(state=DeliveryState.PENDING, lease_until=None)
    )
    figures.add(
        session,
        actor,
        (change for row in rows for change in moved(row, DeliveryState.SENDING, DeliveryState.PENDING)),
    )
    return len(rows)


def next_due(session: Session) -> datetime | None:
    """When the next deferred delivery is to be tried again."""
    return session.scalar(select(func.min(Delivery.due_at)).where(Delivery.state == DeliveryState.DEFERRED))


#: the columns that a figure is counted by
_FIGURED = (Delivery.id, Delivery.issue_id, Delivery.list_key, Delivery.municipality, Delivery.domain)


def moved(
    row: Any,
    old: DeliveryState,
    new: DeliveryState,
    *,
    relay: str = "",
    reason: str = "",
) -> Iterable[tuple[figures.Count, int]]:
    """The two figures that a move of one delivery changes; a notice is in none."""
    if row.issue_id is None:
        return ()

    def count(state: str, relay: str, reason: str) -> figures.Count:
        return figures.Count(row.issue_id, row.list_key, row.municipality, row.domain, relay, state, reason)

    return (count(old, "", ""), -1), (count(new, relay, reason), 1)


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
    suppressed = select(func.count()).where(Suppression.address_hash == Subscriber.address_hash)
    return (
        select(
            *_FIGURED,
            Delivery.attempts,
            Delivery.edition_id,
            Delivery.notice_id,
            Delivery.subscriber_id,
            Delivery.subscriber_handle,
            Delivery.address,
            Notice.message,
            func.coalesce(Issue.handle, Notice.handle).label("context"),
            func.coalesce(Issue.key_id, Notice.key_id).label("key_id"),
            Subscriber.form,
            Subscriber.title,
            Subscriber.given,
            Subscriber.family,
            Subscriber.language,
            Subscriber.format,
            subscription.label("active"),
            subscription.where(may_receive(Subscription, today)).label("may_receive"),
            suppressed.correlate(Subscriber).scalar_subquery().label("suppressed"),
            # an erased address bars bulk, but its owner may sign up again and confirm
            suppressed.where(Suppression.reason != SuppressionReason.ERASED)
            .correlate(Subscriber)
            .scalar_subquery()
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


def _changes(
    rows: Iterable[Any], picked: dict[int, DeliveryState], barred: dict[int, str]
) -> Iterable[tuple[figures.Count, int]]:
    for row in rows:
        reason = barred.get(row.id, "")
        new = DeliveryState.SKIPPED if reason else DeliveryState.SENDING
        if picked[row.id] is not new:
            yield from moved(row, picked[row.id], new, reason=reason)


def _claimed(row: Any) -> Claimed:
    return Claimed(
        id=row.id,
        attempt=row.attempts,
        issue_id=row.issue_id,
        edition_id=row.edition_id,
        message=row.message,
        context=row.context,
        subscriber=row.subscriber_handle,
        key_id=row.key_id,
        address=row.address,
        form=row.form or FormOfAddress.NEUTRAL,
        title=row.title or "",
        given=row.given or "",
        family=row.family or "",
        language=row.language or "",
        text_only=row.format is Format.TEXT,
    )
