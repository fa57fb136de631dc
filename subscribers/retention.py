"""What of this package's tables has been kept long enough: queries for it, and verbs for a batch.

A query gives keys of rows; its verb looks again at those rows, since time has passed.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, cast, delete, exists, or_, select
from sqlalchemy.orm import Session

from subscribers.chain import Chain, Payload, Record
from subscribers.consent import Act, next_state
from subscribers.evidence import ORIGIN
from subscribers.model import (
    Basis,
    Office,
    Request,
    RequestKind,
    RequestState,
    Subscriber,
    Subscription,
    SubscriptionState,
)
from subscribers.privacy import Whom, erase_payloads


@dataclass(frozen=True, slots=True)
class Expired:
    """What became of sign-ups that were never confirmed."""

    count: int
    #: people of whom nothing but the sign-up was known
    left: list[Whom]
    #: row ids of those who stay, with the key of the list they did not confirm
    stayed: list[tuple[int, str]]


def unconfirmed(before: datetime) -> Select[int]:
    """The sign-ups that wait for a confirmation since before then. Imports wait for their release."""
    return select(Subscription.id).where(_unconfirmed(before))


def expire(session: Session, ids: Sequence[int], *, before: datetime) -> Expired:
    """End these sign-ups as never confirmed, with the requests they came by."""
    rows = session.scalars(
        select(Subscription).where(Subscription.id.in_(ids), _unconfirmed(before)).with_for_update()
    ).all()
    for row in rows:
        assert next_state(row.state, Act.EXPIRE) is None
        session.delete(row)
    session.flush()
    everybody = {row.subscriber_id for row in rows}
    nobody_else = set(
        session.scalars(select(Subscriber.id).where(Subscriber.id.in_(everybody), _only_signed_up()))
    )
    stayed = [(row.subscriber_id, row.list_key) for row in rows if row.subscriber_id not in nobody_else]
    for subscriber, list_key in stayed:
        address = select(Subscriber.address).where(Subscriber.id == subscriber).scalar_subquery()
        asked = (Request.kind == RequestKind.CONFIRM, Request.list_key == list_key)
        session.execute(delete(Request).where(*asked, Request.address == address, _ANSWERED))
    left = session.scalars(select(Subscriber).where(Subscriber.id.in_(nobody_else))).all()
    return Expired(len(rows), [_whom(person) for person in left], stayed)


def done_with(before: datetime) -> Select[int]:
    """The people who are on no list and in no office since before then."""
    return select(Subscriber.id).where(_done_with(before))


def people(session: Session, ids: Sequence[int], *, before: datetime) -> list[Whom]:
    """Those of them who still are."""
    found = select(Subscriber).where(Subscriber.id.in_(ids), _done_with(before)).with_for_update()
    return [_whom(person) for person in session.scalars(found)]


def answered(before: datetime, *, unless: ColumnElement[bool]) -> Select[int]:
    """The requests from before then that were answered (or dropped) and still say what was asked.

    `unless` says of a request that somebody may still act upon it.
    """
    return select(Request.id).where(
        Request.created_at < before,
        _ANSWERED,
        or_(
            Request.address != "",
            Request.origin.is_not(None),
            and_(Request.subscriber_id.is_not(None), Request.kind != RequestKind.GOODBYE, _SAYS_SOMETHING),
        ),
        ~unless,
    )


def blank_requests(session: Session, ids: Sequence[int]) -> int:
    """Take address, network and what the form said off these requests; how many it was."""
    rows = session.scalars(select(Request).where(Request.id.in_(ids), _ANSWERED).with_for_update()).all()
    for row in rows:
        row.address, row.origin = row.address and "", None
        if row.kind is not RequestKind.GOODBYE:
            # a goodbye's details name the issue that was left through, which its way back needs
            row.details = {}
    return len(rows)


def origins(before: datetime) -> Select[int]:
    """The records of where a confirmation came from, older than that."""
    return (
        select(Record.seq)
        .join(Payload, and_(Payload.chain == Record.chain, Payload.seq == Record.seq))
        .where(
            Record.chain == Chain.CONSENT,
            Record.action == ORIGIN,
            Record.at < before,
            Payload.erased_at.is_(None),
        )
    )


def blocked(before: datetime) -> Select[int]:
    """The proofs that are kept for a legal claim only, since before then."""
    return select(Payload.seq).where(
        Payload.chain == Chain.CONSENT, Payload.erased_at.is_(None), Payload.blocked_at < before
    )


def erase_proofs(session: Session, seqs: Sequence[int], now: datetime) -> int:
    """Empty these records of consent; how many it was."""
    return erase_payloads(session, Chain.CONSENT, seqs, now)


def notices_named(session: Session, seqs: Sequence[int]) -> list[int]:
    """Handles of the confirmation mails that these records name."""
    said = session.scalars(
        select(Payload.content).where(
            Payload.chain == Chain.CONSENT, Payload.seq.in_(seqs), Payload.content.is_not(None)
        )
    )
    contents: list[dict[str, Any]] = [json.loads(content or "{}") for content in said]
    return [int(content["notice"], 16) for content in contents if content.get("notice")]


_ANSWERED = Request.state != RequestState.NEW
#: as text, since JSON has no equality on PostgreSQL
_SAYS_SOMETHING = cast(Request.details, String) != "{}"


def _unconfirmed(before: datetime) -> ColumnElement[bool]:
    return and_(
        Subscription.state == SubscriptionState.PENDING,
        Subscription.basis == Basis.CONSENT,
        Subscription.since < before,
    )


def _only_signed_up() -> ColumnElement[bool]:
    """Whether nothing but the sign-up was known of a person: no list, no consent, no office she confirmed."""
    return and_(
        ~exists().where(Subscription.subscriber_id == Subscriber.id),
        ~exists().where(Record.subject == Subscriber.handle, Record.chain == Chain.CONSENT),
        ~exists().where(Office.subscriber_id == Subscriber.id, Office.confirmed_at.is_not(None)),
    )


def _done_with(before: datetime) -> ColumnElement[bool]:
    return and_(
        Subscriber.created_at < before,
        ~exists().where(
            Subscription.subscriber_id == Subscriber.id,
            or_(Subscription.state != SubscriptionState.UNSUBSCRIBED, Subscription.since >= before),
        ),
        ~exists().where(
            Office.subscriber_id == Subscriber.id,
            or_(Office.ends.is_(None), Office.ends >= before.date()),
        ),
    )


def _whom(person: Subscriber) -> Whom:
    return Whom(person.address, person.address_hash, person)
