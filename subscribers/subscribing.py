"""How people come and go: sign up, confirm, leave, undo. Each act keeps its evidence.

Every function takes the session of the caller's transaction, the `actor` on whose behalf it
acts (`token:ID`, `cli:NAME`, `clock`, ...) and `now`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from subscribers.addresses import address_hash, domain_of
from subscribers.consent import Act, next_state
from subscribers.model import (
    Basis,
    Consent,
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

#: how long the link of a confirmation mail works
CONFIRM_WITHIN = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Wording:
    """The text somebody agreed to, and which version of it."""

    text: str
    version: str


def sign_up(
    session: Session, *, list_key: str, address: str, details: dict[str, str], actor: str, now: datetime
) -> None:
    """Note that somebody asked to be on a list. Writes one Request row, whoever the address belongs to."""
    session.add(
        Request(
            kind=RequestKind.CONFIRM, list_key=list_key, address=address, details=details, actor=actor,
            created_at=now,
        )
    )  # fmt: skip


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
    return True


def confirm(
    session: Session,
    *,
    subscriber: Subscriber,
    list_key: str,
    wording: Wording,
    requested_at: datetime,
    notice_handle: int,
    source: str,
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
    session.add(
        Consent(
            subscriber_handle=subscriber.handle,
            list_key=list_key,
            act="granted",
            wording=wording.text,
            wording_version=wording.version,
            source=source,
            requested_at=requested_at,
            at=now,
            notice_handle=notice_handle,
            actor=actor,
        )
    )
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
    """End a subscription, from whatever state; `through` is the handle of the issue whose link did it.

    Returns whether that changed anything: a second click does not.
    """
    subscription = _move(session, subscriber, list_key, Act.LEAVE, now)
    if subscription is None:
        return False
    subscription.ended_through = through
    _record(session, subscriber, list_key, "withdrawn", source, actor, now)
    return True


def undo(
    session: Session, *, subscriber: Subscriber, list_key: str, source: str, actor: str, now: datetime
) -> bool:
    """Take back leaving, on the basis the subscription had before. Returns whether that changed anything."""
    if _move(session, subscriber, list_key, Act.UNDO, now) is None:
        return False
    _record(session, subscriber, list_key, "granted", source, actor, now)
    return True


def suppress(
    session: Session, *, address_hash: bytes, reason: SuppressionReason, actor: str, now: datetime
) -> None:
    """Bar an address from all mail. A second time for the same reason changes nothing."""
    if session.get(Suppression, (address_hash, reason)) is None:
        session.add(Suppression(address_hash=address_hash, reason=reason, at=now, actor=actor))


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
        subscription = Subscription(
            list_key=list_key, subscriber_id=subscriber.id, state=state, basis=basis, since=now
        )
        session.add(subscription)
        return subscription
    if subscription.state == state:
        return None
    subscription.state, subscription.since, subscription.ended_through = state, now, None
    if basis is not None:
        subscription.basis = basis
    return subscription


def _record(
    session: Session, subscriber: Subscriber, list_key: str, act: str, source: str, actor: str, now: datetime
) -> None:
    session.add(
        Consent(
            subscriber_handle=subscriber.handle,
            list_key=list_key,
            act=act,
            source=source,
            at=now,
            actor=actor,
        )
    )
