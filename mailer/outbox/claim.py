"""Take the next deliveries under a lease; skip those who must not be written to any more.

The claim is committed before a byte leaves: it counts the try and names the worker. That pair is
the fence, so a worker that lost its lease can settle nothing. Any number of workers share one
PostgreSQL, each taking rows that no other holds (SKIP LOCKED); on SQLite the write lock does that.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Date,
    Select,
    String,
    Update,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    select,
    true,
    type_coerce,
    update,
)
from sqlalchemy.orm import Session

from mailer.issues.model import Issue, IssueState
from mailer.notices.model import Notice
from mailer.outbox import figures
from mailer.outbox.domains import Turns
from mailer.outbox.model import Delivery, DeliveryState, Priority
from subscribers.base import Utc, among, listed, numbers
from subscribers.model import (
    Format,
    FormOfAddress,
    InDoubt,
    MailingList,
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
    domain: str
    #: a FormOfAddress
    form: str
    title: str
    given: str
    family: str
    language: str
    text_only: bool


def claim(
    session: Session,
    *,
    worker: str,
    limit: int,
    lease_until: datetime,
    now: datetime,
    today: date,
    bulk: int | None = None,
    turns: Turns | None = None,
) -> list[Claimed]:
    """Up to `limit` deliveries that are due, notices first; they are `sending` and this worker's now.

    At most `bulk` of them are no notices. Fewer than picked come back where somebody left, paused, was
    suppressed or erased since the freeze: those are skipped, with the reason, in the same transaction. Those
    whose domain has to wait (`turns`) are deferred, without having been tried.
    """
    picked = _pick(session, limit, limit if bulk is None else bulk, now)
    if not picked:
        return []
    # by the connection: as entities, rows and statements would take the session several times as long
    connection = session.connection()
    dialect, ids = connection.dialect.name, numbers(session, picked)
    connection.execute(_take(dialect), {"ids": ids, "by": worker, "until": lease_until})
    rows = connection.execute(_with_person(dialect), {"ids": ids, "today": today}).all()
    left_out = _skip_the_barred(session, worker, rows, now)
    if turns is not None and (watched := turns.domains):
        left_out |= _defer_by_domain(session, rows, left_out, turns, watched)
    if not left_out:
        return [Claimed._make(row[:_CLAIMED]) for row in rows]
    return [Claimed._make(row[:_CLAIMED]) for row in rows if row.id not in left_out]


def release(session: Session, *, worker: str, only: Sequence[int] | None = None) -> int:
    """Give back what this worker has under way, or these of it, and did not begin: it was no try.

    Returns how many it was.
    """
    whose = (Delivery.worker == worker, *((among(session, Delivery.id, only),) if only is not None else ()))
    return _give_back(session, *whose, attempts=Delivery.attempts - 1)


def doubt(session: Session, *whose: ColumnElement[bool]) -> int:
    """Decide about what nobody knows of any more whether it went out: what a dead worker had under way.

    It goes once more, with the same Message-ID, or is held for staff, as its list says. Returns how many.
    """
    # what is locked is being settled now, or by somebody who was stopped amid it: nobody waits for that
    free = session.scalars(
        select(Delivery.id).where(*_UNDER_WAY, *whose).with_for_update(skip_locked=True)
    ).all()
    if not free:
        return 0
    these = among(session, Delivery.id, free)
    holding = select(MailingList.key).where(MailingList.in_doubt == InDoubt.HOLD)
    held: Any = session.execute(
        update(Delivery)
        .where(*_UNDER_WAY, these, Delivery.issue_id.is_not(None), Delivery.list_key.in_(holding))
        .values(state=DeliveryState.HELD, reason=IN_DOUBT, lease_until=None),
        execution_options=_COUNTED,
    )
    count: int = held.rowcount
    return count + _give_back(session, these)


def next_due(session: Session) -> datetime | None:
    """When the next deferred delivery is to be tried again."""
    deferred = Delivery.due_at.is_not(None), Delivery.state == DeliveryState.DEFERRED
    return session.scalar(select(func.min(Delivery.due_at)).where(*deferred))


def has_notices(session: Session) -> bool:
    """Whether a notice waits to be claimed."""
    waiting = select(Delivery.id).where(*_OPEN, *_NOTICES, Delivery.state == DeliveryState.PENDING)
    return session.scalar(waiting.limit(1)) is not None


#: why a delivery is held: whether it went out is not known
IN_DOUBT = "in-doubt"

_CLAIMED = len(Claimed._fields)
_PLAIN = {"synchronize_session": False}
_COUNTED = {"preserve_rowcount": True, "synchronize_session": False}
_OPEN = (Delivery.settled_at.is_(None),)
_UNDER_WAY = (*_OPEN, Delivery.state == DeliveryState.SENDING)
_NOTICES = (Delivery.priority == int(Priority.NOTICE),)
_BULK = (Delivery.priority == int(Priority.BULK),)


def _give_back(session: Session, *whose: ColumnElement[bool], **values: Any) -> int:
    given_back: Any = session.execute(
        update(Delivery)
        .where(*_UNDER_WAY, *whose)
        .values(state=DeliveryState.PENDING, lease_until=None, **values),
        execution_options=_COUNTED,
    )
    count: int = given_back.rowcount
    return count


def _pick(session: Session, limit: int, bulk: int, now: datetime) -> list[int]:
    """What is due, in the order it is taken: notices; of bulk some that was deferred, then what is fresh."""
    picked = _due(session, limit, now, *_NOTICES)
    picked += _fresh(session, limit - len(picked), *_NOTICES)
    room = min(bulk, limit - len(picked))
    if room > 0:
        picked += _pick_bulk(session, room, now)
    if len(picked) < limit and doubt(session, Delivery.lease_until < now):
        return _pick(session, limit, bulk, now)
    return picked


def _pick_bulk(session: Session, room: int, now: datetime) -> list[int]:
    sending = session.scalars(
        select(Issue.id).where(Issue.state == IssueState.SENDING).order_by(Issue.id)
    ).all()
    if not sending:
        return []
    # neither what is fresh nor what was deferred waits for the end of the other
    again = _due(session, room, now, *_BULK, Delivery.issue_id.in_(sending))
    half = again[: (room + 1) // 2]
    fresh: list[int] = []
    for issue in sending:
        fresh += _fresh(session, room - len(half) - len(fresh), *_BULK, Delivery.issue_id == issue)
    return half + fresh + again[len(half) : room - len(fresh)]


def _fresh(session: Session, limit: int, *which: ColumnElement[bool]) -> list[int]:
    if limit <= 0:
        return []
    query = (
        select(Delivery.id)
        .where(*_OPEN, Delivery.state == DeliveryState.PENDING, *which)
        .order_by(Delivery.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(session.scalars(query))


def _due(session: Session, limit: int, now: datetime, *which: ColumnElement[bool]) -> list[int]:
    query = (
        select(Delivery.id)
        # by the index of what is due: nothing is said of settled_at, so that no other one fits
        .where(Delivery.due_at <= now, Delivery.state == DeliveryState.DEFERRED, *which)
        .order_by(Delivery.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(session.scalars(query))


# put together once for each engine: that takes longer than it takes the database to do it


@lru_cache(maxsize=2)
def _take(dialect: str) -> Update:
    return (
        update(Delivery)
        .where(listed(dialect, Delivery.id, "ids"))
        .values(
            state=DeliveryState.SENDING,
            worker=bindparam("by"),
            lease_until=bindparam("until", type_=Utc),
            attempts=Delivery.attempts + 1,
            due_at=None,
        )
    )


@lru_cache(maxsize=2)
def _with_person(dialect: str) -> Select[*tuple[Any, ...]]:
    today = bindparam("today", type_=Date)
    suppressed = exists().where(Suppression.address_hash == Subscriber.address_hash).correlate(Subscriber)
    is_notice = Delivery.notice_id.is_not(None)
    barred = case(
        # who is erased has no address either; a notice may go to somebody who never was a subscriber
        (Delivery.address == "", "erased"),
        # an erased address bars bulk, but its owner may sign up again and confirm
        (is_notice & suppressed.where(Suppression.reason != SuppressionReason.ERASED), "suppressed"),
        (is_notice, ""),
        (Delivery.subscriber_id.is_(None), "erased"),
        (suppressed, "suppressed"),
        (func.coalesce(Subscription.state != SubscriptionState.ACTIVE, true()), "unsubscribed"),
        (func.coalesce(Subscription.paused_until > today, false()), "paused"),
        else_="",
    )
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
            Delivery.domain,
            func.coalesce(type_coerce(Subscriber.form, String), FormOfAddress.NEUTRAL.value),
            func.coalesce(Subscriber.title, ""),
            func.coalesce(Subscriber.given, ""),
            func.coalesce(Subscriber.family, ""),
            func.coalesce(Subscriber.language, ""),
            func.coalesce(type_coerce(Subscriber.format, String) == Format.TEXT.value, false()),
            # and what decides whether it may go
            barred.label("barred"),
            Delivery.list_key,
            Delivery.municipality,
        )
        .outerjoin(Issue, Issue.id == Delivery.issue_id)
        .outerjoin(Notice, Notice.id == Delivery.notice_id)
        .outerjoin(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .outerjoin(
            Subscription,
            and_(
                Subscription.subscriber_id == Delivery.subscriber_id,
                Subscription.list_key == Delivery.list_key,
            ),
        )
        .where(listed(dialect, Delivery.id, "ids"))
        .order_by(Delivery.priority, Delivery.id)
    )


def _skip_the_barred(session: Session, worker: str, rows: Sequence[Any], now: datetime) -> set[int]:
    barred = [row for row in rows if row.barred]
    for reason in {row.barred for row in barred}:
        session.execute(
            update(Delivery)
            .where(among(session, Delivery.id, [row.id for row in barred if row.barred == reason]))
            .values(
                state=DeliveryState.SKIPPED,
                reason=reason,
                lease_until=None,
                attempts=Delivery.attempts - 1,
                settled_at=now,
            ),
            execution_options=_PLAIN,
        )
    if barred:
        figures.add(session, worker, (change for row in barred for change in _skipped(row)))
    return {row.id for row in barred}


def _skipped(row: Any) -> Iterable[tuple[figures.Count, int]]:
    if row.issue_id is not None:  # a notice is in no figure
        where = (row.issue_id, row.list_key, row.municipality, row.domain)
        yield figures.Count(*where, "", DeliveryState.SKIPPED, row.barred), 1


def _defer_by_domain(
    session: Session, rows: Sequence[Any], left_out: Collection[int], turns: Turns, watched: Collection[str]
) -> set[int]:
    waits = [
        {"b_id": row.id, "b_due_at": until}
        for row in rows
        if row.domain in watched and row.id not in left_out and (until := turns.wait(row.domain)) is not None
    ]
    if waits:
        session.connection().execute(_DEFER, waits)
    return {wait["b_id"] for wait in waits}


_DEFER = (
    update(Delivery)
    .where(Delivery.id == bindparam("b_id"))
    .values(
        state=DeliveryState.DEFERRED,
        due_at=bindparam("b_due_at"),
        lease_until=None,
        attempts=Delivery.attempts - 1,
    )
)
