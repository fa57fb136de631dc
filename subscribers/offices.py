"""Who holds which office: appointed, ended, asked after once a year; and what ends with an office.

An office is held from its first day to its last, both included. `today` is the day where the
network is. Every act that changes something leaves a record in the audit chain, without an address.
"""

from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from subscribers.audience import may_receive
from subscribers.chain import Chain, Happening, append
from subscribers.model import (
    Basis,
    Office,
    Request,
    RequestKind,
    Role,
    Subscriber,
    Subscription,
    SubscriptionState,
    Suppression,
)
from subscribers.subscribing import let_lapse
from subscribers.yearly import PATIENCE, YEAR, Step, next_step

#: through whom a municipality is reached: a deputy stands in, and a functional mailbox is read by a team
REACHING = (Role.CONTACT, Role.DEPUTY, Role.MAILBOX)
#: most questions in one run of the clock, and within a day, however often the clock runs
_A_RUN, _A_DAY = 20, 200
#: subscriptions ended in one transaction
_BATCH = 200


def is_held(office: type[Office], today: date) -> ColumnElement[bool]:
    """A condition: the office is held on this day."""
    return and_(office.starts <= today, or_(office.ends.is_(None), office.ends >= today))


def offices_of(session: Session, subscriber: Subscriber, today: date) -> list[Office]:
    """The offices a person holds, the oldest first."""
    query = select(Office).where(Office.subscriber_id == subscriber.id, is_held(Office, today))
    return list(session.scalars(query.order_by(Office.starts, Office.id)))


def offices_in(session: Session, municipality: str | None, today: date) -> list[tuple[Office, str]]:
    """The offices held in a municipality (None: in all) or to begin there, with their holders' addresses."""
    query = (
        select(Office, Subscriber.address)
        .join(Subscriber, Subscriber.id == Office.subscriber_id)
        .where(or_(Office.ends.is_(None), Office.ends >= today))
        .order_by(Office.municipality, Office.role, Office.starts, Office.id)
    )
    if municipality is not None:
        query = query.where(Office.municipality == municipality)
    return [(office, address) for office, address in session.execute(query)]


def roles_in(session: Session, municipality: str, today: date) -> dict[str, int]:
    """How many people hold each role in a municipality."""
    rows = session.execute(
        select(Office.role, func.count())
        .where(Office.municipality == municipality, is_held(Office, today))
        .group_by(Office.role)
        .order_by(Office.role)
    )
    return {role.value: number for role, number in rows}


def appoint(
    session: Session,
    *,
    subscriber: Subscriber,
    municipality: str,
    role: Role,
    starts: date,
    confirmed: bool,
    actor: str,
    now: datetime,
) -> Office:
    """Give a person an office from a day on; one she holds then already goes on without an end.

    With `confirmed` she said so herself. Nobody else's office is touched: overlap is allowed.
    """
    held = session.scalar(
        select(Office)
        .where(
            Office.subscriber_id == subscriber.id,
            Office.municipality == municipality,
            Office.role == role,
            Office.starts <= starts,
            or_(Office.ends.is_(None), Office.ends >= starts),
        )
        .order_by(Office.id)
        .limit(1)
    )
    if held is not None:
        if confirmed:
            held.confirmed_at, held.asked, held.asked_at = now, 0, None
        if held.ends is not None:
            # an end that was announced is taken back
            held.ends = None
            _record(session, "office.appointed", held, subscriber, actor, now)
        return held
    office = Office(
        municipality=municipality,
        role=role,
        subscriber_id=subscriber.id,
        starts=starts,
        confirmed_at=now if confirmed else None,
    )
    session.add(office)
    session.flush()
    _record(session, "office.appointed", office, subscriber, actor, now)
    return office


def end(session: Session, office: Office, *, on: date, actor: str, now: datetime) -> bool:
    """Set the last day of an office; True if that changed it. Raises ValueError before its first day."""
    if on < office.starts:
        raise ValueError(f"it begins on {office.starts} only")
    if office.ends == on:
        return False
    office.ends = on
    _record(session, "office.ended", office, _holder(session, office), actor, now)
    return True


def confirm_right(session: Session, office: Office, *, actor: str, now: datetime) -> None:
    """The holder says that the office is still right: she is asked again in a year."""
    office.confirmed_at, office.asked, office.asked_at = now, 0, None
    _record(session, "office.confirmed", office, _holder(session, office), actor, now)


def ask_holders(session: Session, *, today: date, actor: str, now: datetime) -> int:
    """Ask the yearly question where it is due, a few at a time; returns how many mails that calls for.

    Asked is who gets our mail: whoever left, pauses or is suppressed is not written to for this.
    Guests are not asked; they hold no function that could have passed to somebody else.
    """
    a_day = select(func.count()).where(
        Request.kind == RequestKind.STILL_RIGHT, Request.created_at > now - timedelta(days=1)
    )
    most = min(_A_RUN, _A_DAY - (session.scalar(a_day) or 0))
    if most <= 0:
        return 0
    gets_mail = exists().where(
        Subscription.subscriber_id == Office.subscriber_id, may_receive(Subscription, today)
    )
    candidates = session.scalars(
        select(Office)
        .join(Subscriber, Subscriber.id == Office.subscriber_id)
        .where(
            Office.role != Role.GUEST,
            is_held(Office, today),
            or_(
                and_(Office.asked == 0, Office.starts <= (now - YEAR).date()),
                Office.asked_at <= now - PATIENCE,
            ),
            gets_mail,
            ~exists().where(Suppression.address_hash == Subscriber.address_hash),
        )
        .order_by(Office.starts, Office.id)
        .with_for_update(of=Office, skip_locked=True)
    ).all()
    due = [
        (step, office)
        for office in candidates
        if (step := next_step(office.starts, office.confirmed_at, office.asked, office.asked_at, now))
        in (Step.ASK, Step.REMIND)
    ]
    # what was begun is brought to its end before others are asked
    due.sort(key=lambda each: each[0] is Step.ASK)
    offices = [office for _, office in due[:most]]
    for office in offices:
        office.asked, office.asked_at = office.asked + 1, now
        session.add(
            Request(
                kind=RequestKind.STILL_RIGHT,
                subscriber_id=office.subscriber_id,
                details={"office": office.id},
                actor=actor,
                created_at=now,
            )
        )
    return len(offices)


def lapse(session: Session, *, today: date, actor: str, now: datetime) -> int:
    """End subscriptions whose ground, the public task of an office, is gone; returns how many, at most 200.

    Whoever never held an office here (the state, an association) has another ground and is left alone.
    An office that begins later keeps the subscription: between two offices nobody is thrown out.
    """
    over, goes_on = aliased(Office), aliased(Office)
    hers = over.subscriber_id == Subscription.subscriber_id
    still_hers = and_(
        goes_on.subscriber_id == Subscription.subscriber_id,
        or_(goes_on.ends.is_(None), goes_on.ends >= today),
    )
    ended = session.execute(
        select(Subscription.list_key, Subscriber)
        .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .where(
            Subscription.basis == Basis.PUBLIC_TASK,
            Subscription.state == SubscriptionState.ACTIVE,
            or_(
                and_(exists().where(hers, over.ends < today), ~exists().where(still_hers)),
                # a guest's place, which a sign-up gives, takes no function's place
                and_(
                    exists().where(hers, over.ends < today, over.role != Role.GUEST),
                    ~exists().where(still_hers, goes_on.role != Role.GUEST),
                ),
            ),
        )
        .order_by(Subscription.id)
        .limit(_BATCH)
        # a second clock takes others, and none of these twice
        .with_for_update(of=Subscription, skip_locked=True)
    ).all()
    for list_key, subscriber in ended:
        let_lapse(
            session, subscriber=subscriber, list_key=list_key, source="office ended", actor=actor, now=now
        )
    return len(ended)


def _holder(session: Session, office: Office) -> Subscriber:
    return session.get_one(Subscriber, office.subscriber_id)


def _record(
    session: Session, action: str, office: Office, subscriber: Subscriber, actor: str, now: datetime
) -> None:
    said = {
        "office": office.id,
        "municipality": office.municipality,
        "role": office.role.value,
        "from": office.starts.isoformat(),
        "to": office.ends.isoformat() if office.ends else "",
    }
    append(session, Chain.AUDIT, [Happening(action, said, subscriber.handle)], actor=actor, at=now)
