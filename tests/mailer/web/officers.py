"""Beside the sample: an officer with a fresh link and an open question, and somebody invited to follow her."""

from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from mailer.database import Database
from mailer.notices.model import Notice
from subscribers.addresses import address_hash
from subscribers.model import (
    Basis,
    Office,
    RequestKind,
    RequestState,
    Role,
    Subscriber,
    Subscription,
    SubscriptionState,
)
from subscribers.model import Request as Asked
from subscribers.tokens import Keys, Purpose, sign
from tests.mailer.web.sample import Sample, subscriber_of

PLACE = "05999002"


def fill_offices(database: Database, keys: Keys, sample: Sample) -> dict[str, str]:
    """`active@` is contact in Musterstadt, `invited@` may follow; the links of their mails by the page's name."""
    now = datetime.now(UTC)
    with database.write() as session:
        active = subscriber_of(session, "active")
        office = appointed(session, active, Role.CONTACT)
        invited = Subscriber(
            address="invited@example.org",
            address_hash=address_hash(bytes(32), "invited@example.org"),
            domain="example.org",
            created_at=now,
        )
        session.add(invited)
        session.flush()
        session.add(
            Subscription(
                list_key="netzwerk", subscriber_id=invited.id, state=SubscriptionState.PENDING,
                basis=Basis.CONSENT, since=now,
            )
        )  # fmt: skip
        fresh = written(session, active, RequestKind.PREFERENCES, {})
        question = written(session, active, RequestKind.STILL_RIGHT, {"office": office.id})
        invitation = written(
            session,
            invited,
            RequestKind.INVITE,
            {
                "ags": PLACE, "role": "contact", "starts": "2027-01-01", "lists": "netzwerk",
                "wording": "Ich willige ein.", "wording_version": "v1",
            },
        )  # fmt: skip
        return {
            "wechsel": f"/einstellungen/{sign(keys, Purpose.PREFERENCES, fresh.handle, active.handle)}/wechsel",
            "noch-richtig": f"/noch-richtig/{sign(keys, Purpose.STILL_RIGHT, question.handle, active.handle)}",
            "einladung": f"/bestaetigen/{sign(keys, Purpose.CONFIRM, invitation.handle, invited.handle)}",
        }


def appointed(session: Session, subscriber: Subscriber, role: Role, ags: str = PLACE) -> Office:
    """An office held for three years."""
    starts = (datetime.now(UTC) - timedelta(days=3 * 365)).date()
    office = Office(municipality=ags, role=role, subscriber_id=subscriber.id, starts=starts)
    session.add(office)
    session.flush()
    return office


def written(
    session: Session, subscriber: Subscriber, kind: RequestKind, details: dict[str, object]
) -> Notice:
    """A mail of this kind, as written a minute ago."""
    at = datetime.now(UTC) - timedelta(minutes=1)
    whom = {"address": subscriber.address} if kind is RequestKind.INVITE else {"subscriber_id": subscriber.id}
    asked = Asked(
        kind=kind, details=details, actor="t", created_at=at, state=RequestState.WRITTEN, **whom
    )  # fmt: skip
    session.add(asked)
    session.flush()
    notice = Notice(
        kind=kind.value, list_key="netzwerk", request_id=asked.id, subscriber_id=subscriber.id, key_id=1,
        subject="x", message=b"", created_at=at,
    )  # fmt: skip
    session.add(notice)
    session.flush()
    return notice
