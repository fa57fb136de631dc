"""How people come and go: sign up, confirm, leave, undo. Each act keeps its evidence.

Every function takes the session of the caller's transaction, the `actor` on whose behalf it
acts (`token:ID`, `cli:NAME`, `clock`, ...) and `now`.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from subscribers import evidence
from subscribers.addresses import address_hash, domain_of
from subscribers.chain import Chain, append
from subscribers.consent import Act, next_state
from subscribers.evidence import Evidence
from subscribers.model import (
    Basis,
    MailingList,
    Request,
    RequestKind,
    Subscriber,
    Subscription,
    SubscriptionState,
    Suppression,
    SuppressionReason,
    Visibility,
)

#: how long the link of a confirmation mail works, and a sign-up waits
CONFIRM_WITHIN = timedelta(days=7)
#: how long a fresh link to somebody's own data works
FRESH_FOR = timedelta(minutes=30)
_ONE_WELCOME = timedelta(days=1)
#: fresh links that one person may ask for in an hour through her mails
_LINKS_AN_HOUR = 5


@dataclass(frozen=True, slots=True)
class Limits:
    """How many requests strangers may make in a time: from one network, and all together."""

    per_origin: int
    overall: int
    within: timedelta = timedelta(hours=1)


class TooMany(Exception):
    """More requests than the limits allow. Says nothing about any address."""


def origin_of(key: bytes, host: str) -> bytes | None:
    """A keyed hash of the network of an IP address: the whole of IPv4, the /64 of IPv6; None for no address.

    One line at home has a /64 to itself, so counting single IPv6 addresses would count nothing.
    """
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    prefix = 64 if isinstance(address, IPv6Address) else 32
    network = ip_network((address, prefix), strict=False)
    return hmac.digest(key, b"origin " + str(network).encode(), "sha256")


def ask(
    session: Session,
    *,
    kind: RequestKind,
    list_key: str | None,
    address: str,
    details: dict[str, str],
    origin: bytes | None,
    limits: Limits,
    actor: str,
    now: datetime,
) -> None:
    """Note that a stranger asked for something. Writes one Request row, whoever the address belongs to.

    Raises TooMany.
    """
    refuse_too_many(session, origin=origin, limits=limits, now=now)
    session.add(
        Request(
            kind=kind, list_key=list_key, address=address, details=details, origin=origin, actor=actor,
            created_at=now,
        )
    )  # fmt: skip


def refuse_too_many(session: Session, *, origin: bytes | None, limits: Limits, now: datetime) -> None:
    """Raises TooMany where strangers, or those of this network, asked for too much lately."""
    recent = select(func.count()).where(Request.created_at > now - limits.within)
    by_strangers = recent.where(Request.origin.is_not(None))
    if (session.scalar(by_strangers) or 0) >= limits.overall:
        raise TooMany
    if origin and (session.scalar(recent.where(Request.origin == origin)) or 0) >= limits.per_origin:
        raise TooMany


def ask_for_link(
    session: Session, *, subscriber: Subscriber, list_key: str | None, actor: str, now: datetime
) -> bool:
    """Note that the holder of a mailed link wants a fresh one; whether it was noted: not too often."""
    earlier = select(func.count()).where(
        Request.kind == RequestKind.PREFERENCES,
        Request.subscriber_id == subscriber.id,
        Request.created_at > now - timedelta(hours=1),
    )
    if (session.scalar(earlier) or 0) >= _LINKS_AN_HOUR:
        return False
    session.add(
        Request(
            kind=RequestKind.PREFERENCES, list_key=list_key, subscriber_id=subscriber.id, actor=actor,
            created_at=now,
        )
    )  # fmt: skip
    return True


def admit(session: Session, *, address: str, suppression_key: bytes, now: datetime) -> Subscriber:
    """The subscriber with this normalised address, made if there is none."""
    known = session.scalar(select(Subscriber).where(Subscriber.address == address))
    if known is not None:
        return known
    subscriber = Subscriber(
        address=address,
        address_hash=address_hash(suppression_key, address),
        domain=domain_of(address),
        created_at=now,
    )
    session.add(subscriber)
    session.flush()
    return subscriber


def await_confirmation(session: Session, *, subscriber: Subscriber, list_key: str, now: datetime) -> bool:
    """Put a sign-up on the list as pending. Returns whether a confirmation is wanted at all."""
    subscription = subscription_of(session, subscriber, list_key)
    if subscription is not None and subscription.state is SubscriptionState.ACTIVE:
        return False
    if subscription is None:
        _move(session, subscriber, list_key, Act.SIGN_UP, now, basis=Basis.CONSENT)
    elif subscription.state is SubscriptionState.PENDING:
        # asked once more: it waits from now on
        subscription.since = now
    return True


def confirm(
    session: Session,
    *,
    subscriber: Subscriber,
    list_key: str,
    proof: Evidence,
    actor: str,
    now: datetime,
) -> bool:
    """The owner of the address says yes. Returns whether that changed anything.

    It also lifts the bar that an erasure left behind: only she could have answered the mail.
    """
    changed = _move(session, subscriber, list_key, Act.CONFIRM, now, basis=Basis.CONSENT)
    if changed is None:
        return False
    session.execute(
        delete(Suppression).where(
            Suppression.address_hash == subscriber.address_hash,
            Suppression.reason == SuppressionReason.ERASED,
        )
    )
    happenings = evidence.granted(list_key, Basis.CONSENT, proof, subscriber.handle)
    append(session, Chain.CONSENT, list(happenings), actor=actor, at=now)
    return True


def ask_for_welcome(
    session: Session, *, subscriber: Subscriber, lists: Sequence[str], actor: str, now: datetime
) -> bool:
    """Note that she is to be welcomed to these lists, to none twice a day; whether anything was noted."""
    earlier = select(Request.details).where(
        Request.kind == RequestKind.WELCOME,
        Request.subscriber_id == subscriber.id,
        Request.created_at > now - _ONE_WELCOME,
    )
    welcomed = {key for details in session.scalars(earlier) for key in details["lists"].split(",")}
    lists = [key for key in lists if key not in welcomed]
    if not lists:
        return False
    session.add(
        Request(
            kind=RequestKind.WELCOME, list_key=lists[0], subscriber_id=subscriber.id,
            details={"lists": ",".join(lists)}, actor=actor, created_at=now,
        )
    )  # fmt: skip
    return True


def leave(
    session: Session,
    *,
    subscriber: Subscriber,
    list_key: str,
    through: int | None,
    source: str,
    actor: str,
    now: datetime,
) -> bool:
    """End a subscription, from whatever state; `through` is the handle of the mail whose link did it.

    Returns whether that changed anything: a second click does not.
    """
    left = _move(session, subscriber, list_key, Act.LEAVE, now)
    if left is None:
        return False
    left.ended_through, left.paused_until = through, None
    evidence.block(session, subscriber.handle, list_key, now)
    evidence.record(
        session, evidence.WITHDRAWN, list_key, source, subject=subscriber.handle, actor=actor, at=now
    )
    return True


def leave_all(
    session: Session, *, subscriber: Subscriber, through: int | None, source: str, actor: str, now: datetime
) -> list[str]:
    """End all subscriptions of a person at once; returns the keys of the lists she was on."""
    on = subscriptions_of(session, subscriber)
    return [
        row.list_key
        for row in on
        if row.state is not SubscriptionState.UNSUBSCRIBED
        and leave(
            session, subscriber=subscriber, list_key=row.list_key, through=through, source=source,
            actor=actor, now=now,
        )
    ]  # fmt: skip


def let_lapse(
    session: Session, *, subscriber: Subscriber, list_key: str, source: str, actor: str, now: datetime
) -> None:
    """End a subscription whose ground is gone. Nobody said no: a new office may bring her back."""
    _move(session, subscriber, list_key, Act.LAPSE, now)
    evidence.record(
        session, evidence.LAPSED, list_key, source, subject=subscriber.handle, actor=actor, at=now
    )


def undo(
    session: Session, *, subscriber: Subscriber, through: int | None, source: str, actor: str, now: datetime
) -> list[str]:
    """Take back the last leaving that is on record with this handle, on the bases that were before.

    Returns the keys of the lists she is on again.
    """
    together = undoable(session, subscriber, through)
    for key in together:
        _move(session, subscriber, key, Act.UNDO, now)
        evidence.block(session, subscriber.handle, key, None)
        evidence.record(
            session, evidence.GRANTED, key, source, subject=subscriber.handle, actor=actor, at=now
        )
    return together


def undoable(session: Session, subscriber: Subscriber, through: int | None) -> list[str]:
    """The lists that `undo` would bring back: what was left in one act, at one moment."""
    left = [
        row
        for row in subscriptions_of(session, subscriber)
        if row.state is SubscriptionState.UNSUBSCRIBED and row.ended_through == through
    ]
    last = max((row.since for row in left), default=None)
    return [row.list_key for row in left if row.since == last]


def pause(session: Session, *, subscriber: Subscriber, list_key: str, until: date | None) -> bool:
    """Get nothing through a list before a day; None goes on at once. Returns whether it changed anything."""
    subscription = subscription_of(session, subscriber, list_key)
    if subscription is None or subscription.state is not SubscriptionState.ACTIVE:
        return False
    changed = subscription.paused_until != until
    subscription.paused_until = until
    return changed


def suppress(
    session: Session, *, address_hash: bytes, reason: SuppressionReason, actor: str, now: datetime
) -> None:
    """Bar an address from all mail. A second time for the same reason changes nothing."""
    if session.get(Suppression, (address_hash, reason)) is None:
        session.add(Suppression(address_hash=address_hash, reason=reason, at=now, actor=actor))


#: what staff may take back; a complaint and an erasure are the person's own word
LIFTABLE = (SuppressionReason.HARD, SuppressionReason.STAFF)


def lift(session: Session, *, address_hash: bytes) -> list[SuppressionReason]:
    """Take back what bars an address as far as staff may; returns the reasons that were lifted."""
    rows = session.scalars(
        select(Suppression).where(Suppression.address_hash == address_hash, Suppression.reason.in_(LIFTABLE))
    ).all()
    for row in rows:
        session.delete(row)
    return [row.reason for row in rows]


def suppressed_for(session: Session, address_hash: bytes) -> set[SuppressionReason]:
    """Why the address must get nothing; empty when it may."""
    return set(session.scalars(select(Suppression.reason).where(Suppression.address_hash == address_hash)))


def public_lists(session: Session) -> list[MailingList]:
    """The lists anybody may sign up to, by title."""
    query = select(MailingList).where(MailingList.visibility == Visibility.PUBLIC)
    return list(session.scalars(query.order_by(MailingList.title)))


def subscription_of(session: Session, subscriber: Subscriber, list_key: str) -> Subscription | None:
    """The subscriber's row on the list, if there is one."""
    return session.scalar(
        select(Subscription).where(
            Subscription.list_key == list_key, Subscription.subscriber_id == subscriber.id
        )
    )


def subscriptions_of(session: Session, subscriber: Subscriber) -> list[Subscription]:
    """All of the subscriber's rows, by list."""
    query = select(Subscription).where(Subscription.subscriber_id == subscriber.id)
    return list(session.scalars(query.order_by(Subscription.list_key)))


def _move(
    session: Session,
    subscriber: Subscriber,
    list_key: str,
    act: Act,
    now: datetime,
    basis: Basis | None = None,
) -> Subscription | None:
    """Make one move of the table in `subscribers.consent`; None if the state stays. Raises IllegalMove."""
    subscription = subscription_of(session, subscriber, list_key)
    state = next_state(subscription.state if subscription else None, act)
    if subscription is None:
        # only acts that give a basis lead from nothing to somewhere
        assert basis is not None
        assert state is not None
        subscription = Subscription(
            list_key=list_key, subscriber_id=subscriber.id, state=state, basis=basis, since=now
        )
        session.add(subscription)
        return subscription
    if state is None:
        session.delete(subscription)
        session.flush()
        return subscription
    if subscription.state == state:
        return None
    subscription.state, subscription.since, subscription.ended_through = state, now, None
    if basis is not None:
        subscription.basis = basis
    return subscription
