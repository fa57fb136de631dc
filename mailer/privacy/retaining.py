"""Letting go of what has been kept long enough, one class of data after the other (Art. 5 (1) e GDPR).

Each class is a query for what is due and a verb that erases a batch of it, so a dry run counts by
the same query. Batches are found by reading and erased each in a transaction of its own: nobody
waits long, and a run that was cut off is taken up by the next. What a batch finds changed since it
was read, it leaves alone.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Select, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from mailer.database import Database
from mailer.feeds import contributions
from mailer.feeds import forget as feeds
from mailer.feeds.model import Contribution
from mailer.notices import forget as notices
from mailer.outbox import forget as outbox
from mailer.outbox.model import Delivery
from mailer.privacy.erasing import forget_people
from mailer.receipts import forget as receipts
from mailer.receipts.model import Receipt
from subscribers import retention
from subscribers.chain import Chain, Happening, Payload, Record, append
from subscribers.model import Request, Subscriber, Subscription
from subscribers.subscribing import CONFIRM_WITHIN

log = structlog.get_logger()

#: rows of a batch; people have many rows each
_BATCH = 1000
_PEOPLE = 100
_ACTION = "privacy.retained"
_EVERY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Retention:
    """How long each class of data is kept."""

    sign_up_ip: timedelta
    requests: timedelta
    receipts: timedelta
    deliveries: timedelta
    consent_proof: timedelta


@dataclass(frozen=True, slots=True)
class _Class:
    """One class of data: what is due, by which key it is paged, and what is done to a batch of keys."""

    name: str
    due: Select[Any]
    key: InstrumentedAttribute[int]
    erase: Callable[[Session, Sequence[int]], int]
    batch: int = _BATCH


def is_due(session: Session, now: datetime) -> bool:
    """Whether no run is on record for the last day."""
    ran = select(Record.seq).where(
        Record.chain == Chain.AUDIT, Record.action == _ACTION, Record.at > now - _EVERY
    )
    return session.scalar(ran.order_by(Record.seq.desc()).limit(1)) is None


def retain(
    database: Database, keep: Retention, *, actor: str, now: datetime, dry_run: bool = False
) -> dict[str, int]:
    """Erase what is due; how much it was, by class. With `dry_run` only counts."""
    counts = {each.name: _run(database, each, dry_run) for each in _classes(keep, actor, now)}
    if dry_run:
        return counts
    with database.write() as session:
        append(session, Chain.AUDIT, [Happening(_ACTION, counts)], actor=actor, at=now)
    if not database.empty_log():
        log.warning("database.log_in_use")
    return counts


def _classes(keep: Retention, actor: str, now: datetime) -> Iterator[_Class]:
    """In this order: who is gone has nothing left to be looked through."""
    unconfirmed = now - CONFIRM_WITHIN
    gone = now - keep.consent_proof

    def expire(session: Session, ids: Sequence[int]) -> int:
        expired = retention.expire(session, ids, before=unconfirmed)
        notices.empty_unanswered(session, expired.stayed)
        forget_people(session, expired.left, for_good=False, actor=actor, now=now)
        return expired.count

    def proofs(session: Session, seqs: Sequence[int]) -> int:
        notices.empty_named(session, retention.notices_named(session, seqs))
        return retention.erase_proofs(session, seqs, now)

    def deliveries(session: Session, ids: Sequence[int]) -> int:
        notices.empty(session, outbox.notices_of(session, ids))
        return outbox.pseudonymise(session, ids)

    def people(session: Session, ids: Sequence[int]) -> int:
        reduced = retention.people(session, ids, before=gone)
        forget_people(session, reduced, actor=actor, now=now)
        return len(reduced)

    yield _Class("sign_ups", retention.unconfirmed(unconfirmed), Subscription.id, expire, _PEOPLE)
    yield _Class("people", retention.done_with(gone), Subscriber.id, people, _PEOPLE)
    yield _Class(
        "requests",
        # a link that still works reads the request it answers
        retention.answered(now - keep.requests, unless=notices.may_be_confirmed(unconfirmed)),
        Request.id,
        retention.blank_requests,
    )
    yield _Class(
        "sign_up_ips",
        retention.origins(now - keep.sign_up_ip),
        Record.seq,
        lambda session, seqs: retention.erase_proofs(session, seqs, now),
    )
    yield _Class("contributions", feeds.expired(now), Contribution.id, contributions.drop)
    yield _Class("contributors", feeds.old(now - keep.requests), Contribution.id, feeds.pseudonymise)
    yield _Class("proofs", retention.blocked(gone), Payload.seq, proofs)
    yield _Class("deliveries", outbox.old(now - keep.deliveries), Delivery.id, deliveries)
    yield _Class(
        "receipts",
        receipts.old(now - keep.receipts),
        Receipt.id,
        lambda session, ids: receipts.forget(session, [], ids),
    )


def _run(database: Database, each: _Class, dry_run: bool) -> int:
    count, last = 0, 0
    while True:
        with database.read() as session:
            query = each.due.where(each.key > last).order_by(each.key).limit(each.batch)
            keys = list(session.scalars(query))
        if not keys:
            return count
        last = keys[-1]
        if dry_run:
            count += len(keys)
            continue
        with database.write() as session:
            count += each.erase(session, keys)
