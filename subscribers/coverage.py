"""Which member municipality is reached by nobody, since when, and why.

A municipality is covered while somebody who holds an office of contact, deputy or mailbox there
(subscribers.offices.REACHING) is active on a list of the network and her address is not barred.
Two kinds are covered and listed apart: where all who reach it left the yearly question unanswered,
and where all of them pause, who come back on a day of their own choice.

Somebody stops to cover on the day of the first thing that stands against it; a municipality was
left uncovered by whoever did so last, and that is the reason.
"""

import enum
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from subscribers.model import (
    MailingList,
    MembershipState,
    Municipality,
    Office,
    Request,
    RequestKind,
    RequestState,
    Subscriber,
    Subscription,
    SubscriptionState,
    Suppression,
    SuppressionReason,
)
from subscribers.offices import REACHING
from subscribers.register import current
from subscribers.subscribing import CONFIRM_WITHIN
from subscribers.yearly import is_unconfirmed


class Standing(enum.StrEnum):
    """How a municipality is reached, the worst first."""

    UNCOVERED = "uncovered"
    UNCONFIRMED = "unconfirmed"
    PAUSED = "paused"
    COVERED = "covered"


class Reason(enum.StrEnum):
    """Why nobody is reached there."""

    #: no contact person that was ever on a list of the network is on record
    NEVER = "never"
    #: the office ended
    LEFT = "left"
    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    #: suppressed by staff, or at her own wish
    BARRED = "barred"
    #: invited or signed up, and not confirmed yet
    PENDING = "pending"
    #: the office begins later
    UPCOMING = "upcoming"


_SUPPRESSED = {
    SuppressionReason.HARD: Reason.BOUNCED,
    SuppressionReason.COMPLAINT: Reason.COMPLAINED,
    SuppressionReason.STAFF: Reason.BARRED,
    SuppressionReason.ERASED: Reason.BARRED,
}
_WORST_FIRST = list(Standing)


@dataclass(frozen=True, slots=True)
class Covered:
    """How one member municipality is reached."""

    ags: str
    name: str
    standing: Standing
    #: only of an uncovered one
    reason: Reason | None
    #: first day on which it was so; of PAUSED the day somebody comes back. None where no day is known
    since: date | None


@dataclass(frozen=True, slots=True)
class _Contact:
    """Somebody who reaches a municipality, or did, or will."""

    standing: Standing
    reason: Reason | None
    since: date | None


def coverage(session: Session, *, zone: ZoneInfo, now: datetime) -> list[Covered]:
    """How each member is reached, the worst first and of these the longest so; days are those of `zone`."""
    today = now.astimezone(zone).date()
    contacts = _contacts(session, zone, today, now)
    invited = _invited(session, zone, now)
    latest = current(today).subquery()
    members = session.execute(
        select(Municipality.ags, Municipality.name, latest.c.since)
        .join(latest, latest.c.ags == Municipality.ags)
        .where(latest.c.state == MembershipState.MEMBER)
    )
    rows = [
        _judged(row.ags, row.name, row.since, contacts.get(row.ags, ()), invited.get(row.ags))
        for row in members
    ]
    return sorted(
        rows, key=lambda row: (_WORST_FIRST.index(row.standing), row.since or date.min, row.name, row.ags)
    )


def _judged(
    ags: str, name: str, member_since: date | None, contacts: Sequence[_Contact], invited: date | None
) -> Covered:
    """The best of the contacts counts; where none covers, the one that did so last."""
    for standing in reversed(_WORST_FIRST[1:]):
        found = [contact for contact in contacts if contact.standing is standing]
        if found:
            days = [contact.since for contact in found if contact.since]
            return Covered(ags, name, standing, None, min(days, default=None))
    lost = [contact for contact in contacts if contact.since]
    last = max(lost, key=lambda contact: contact.since or date.min, default=None)
    reason, since = (last.reason, last.since) if last else (Reason.NEVER, member_since)
    waiting = {contact.reason for contact in contacts} & {Reason.PENDING, Reason.UPCOMING}
    if invited or waiting:
        reason = Reason.PENDING if invited or Reason.PENDING in waiting else Reason.UPCOMING
    return Covered(ags, name, Standing.UNCOVERED, reason, since)


def _contacts(
    session: Session, zone: ZoneInfo, today: date, now: datetime
) -> Mapping[str, Sequence[_Contact]]:
    """All who hold a reaching office, held one or will, by municipality."""
    rows = session.execute(
        select(Office, Subscription, Suppression.reason, Suppression.at)
        .join(Subscriber, Subscriber.id == Office.subscriber_id)
        .outerjoin(
            Subscription,
            (Subscription.subscriber_id == Office.subscriber_id)
            & Subscription.list_key.in_(select(MailingList.key).where(MailingList.municipality.is_(None))),
        )
        .outerjoin(Suppression, Suppression.address_hash == Subscriber.address_hash)
        .where(Office.role.in_(REACHING))
    )
    offices: dict[int, Office] = {}
    subscriptions: dict[int, dict[int, Subscription]] = defaultdict(dict)
    barred: dict[int, set[tuple[date, Reason]]] = defaultdict(set)
    for office, subscription, reason, at in rows:
        offices[office.id] = office
        if subscription is not None:
            subscriptions[office.id][subscription.id] = subscription
        if reason is not None:
            barred[office.id].add((at.astimezone(zone).date(), _SUPPRESSED[reason]))
    found: dict[str, list[_Contact]] = defaultdict(list)
    for key, office in offices.items():
        contact = _contact(office, subscriptions[key].values(), barred[key], zone, today, now)
        found[office.municipality].append(contact)
    return found


def _contact(
    office: Office,
    subscriptions: Iterable[Subscription],
    barred: set[tuple[date, Reason]],
    zone: ZoneInfo,
    today: date,
    now: datetime,
) -> _Contact:
    against = set(barred)
    if office.ends is not None and office.ends < today:
        against.add((office.ends + timedelta(days=1), Reason.LEFT))
    active = [row for row in subscriptions if row.state is SubscriptionState.ACTIVE]
    left = [row for row in subscriptions if row.state is SubscriptionState.UNSUBSCRIBED]
    if not active and left:
        against.add((max(row.since for row in left).astimezone(zone).date(), Reason.UNSUBSCRIBED))
    if against:
        since, reason = min(against)
        # she may have been out of reach before she came into the office
        return _Contact(Standing.UNCOVERED, reason, max(since, office.starts))
    if not active:
        pending = any(row.state is SubscriptionState.PENDING for row in subscriptions)
        return _Contact(Standing.UNCOVERED, Reason.PENDING if pending else Reason.NEVER, None)
    if office.starts > today:
        return _Contact(Standing.UNCOVERED, Reason.UPCOMING, None)
    pauses = [row.paused_until for row in active if row.paused_until and row.paused_until > today]
    if len(pauses) == len(active):
        return _Contact(Standing.PAUSED, None, min(pauses))
    if is_unconfirmed(office.asked, office.asked_at, now):
        asked_at = office.asked_at.astimezone(zone).date() if office.asked_at else None
        return _Contact(Standing.UNCONFIRMED, None, asked_at)
    return _Contact(Standing.COVERED, None, None)


def _invited(session: Session, zone: ZoneInfo, now: datetime) -> Mapping[str, date]:
    """The municipalities for which somebody is invited to an office and has not answered yet, since when."""
    requests = session.scalars(
        select(Request)
        .where(
            Request.created_at > now - CONFIRM_WITHIN,
            Request.kind == RequestKind.INVITE,
            Request.state != RequestState.DROPPED,
        )
        .order_by(Request.created_at.desc())
    )
    return {
        request.details["ags"]: request.created_at.astimezone(zone).date()
        for request in requests
        if request.details.get("role") in REACHING
    }
