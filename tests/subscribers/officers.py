"""People who hold offices, for the tests of this folder."""

from datetime import UTC, date, datetime

from sqlalchemy.orm import Session

from mailer.database import Database
from subscribers.model import (
    Basis,
    MailingList,
    Membership,
    MembershipState,
    Municipality,
    Office,
    Role,
    Subscriber,
    Subscription,
    SubscriptionState,
)

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
TODAY = date(2026, 11, 23)
PLACES = ("05111000", "05711000", "05954008")


def network(database: Database) -> Database:
    """Three members since 2020, the network's list, and one of the first member."""
    with database.write() as session:
        session.add_all(Municipality(ags=ags, name=f"Ort {ags}", kind="Stadt") for ags in PLACES)
        session.flush()
        session.add_all(
            Membership(ags=ags, state=MembershipState.MEMBER, since=date(2020, 1, 1)) for ags in PLACES
        )
        session.add(MailingList(key="netzwerk", title="Netzwerk", created_at=NOW))
        session.add(MailingList(key="ort", title="Ort", municipality=PLACES[0], created_at=NOW))
    return database


def person(
    session: Session,
    name: str,
    *,
    list_key: str = "netzwerk",
    state: SubscriptionState | None = SubscriptionState.ACTIVE,
    basis: Basis = Basis.PUBLIC_TASK,
    since: datetime = NOW,
) -> Subscriber:
    made = Subscriber(
        address=f"{name}@example.org", address_hash=name.encode(), domain="example.org", created_at=NOW
    )
    session.add(made)
    session.flush()
    if state is not None:
        session.add(
            Subscription(list_key=list_key, subscriber_id=made.id, state=state, basis=basis, since=since)
        )
        session.flush()
    return made


def office(
    session: Session,
    holder: Subscriber,
    ags: str = PLACES[0],
    role: Role = Role.CONTACT,
    starts: date = date(2021, 1, 1),
    ends: date | None = None,
) -> Office:
    made = Office(municipality=ags, role=role, subscriber_id=holder.id, starts=starts, ends=ends)
    session.add(made)
    session.flush()
    return made
