"""A small installation with one of everything that the pages touch; for tests with and without a browser."""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.archive.model import ArchivedMail
from mailer.database import Database
from mailer.issues.model import Entry, Issue, IssueState
from mailer.notices.model import Notice
from mailer.outbox.model import Delivery, DeliveryState, Priority
from mailer.render.model import Edition
from mailer.settings import Settings
from subscribers.addresses import address_hash
from subscribers.base import Base
from subscribers.model import (
    Basis,
    MailingList,
    Municipality,
    RequestKind,
    RequestState,
    Subscriber,
    Subscription,
    SubscriptionState,
    Suppression,
    SuppressionReason,
    Visibility,
)
from subscribers.model import Request as Asked
from subscribers.tokens import Keys, Purpose, sign

DIGEST = "fedcba9876543210" + "0" * 48


@dataclass(frozen=True, slots=True)
class Sample:
    """Handles of what stands in the sample database."""

    issue: int
    notice: int
    active: int
    pending: int
    #: the notice that brought `active` a fresh link just now
    fresh: int


def sample_settings(public_url: str) -> Settings:
    return Settings(
        _env_file=None,
        public_url=public_url,
        secret_keys=SecretStr("1:" + base64.b64encode(bytes(range(32))).decode()),
        suppression_key=SecretStr(base64.b64encode(bytes(32)).decode()),
        network="Netz der Gemeinden",
        sender_name="Amt für Beispiele",
        sender_street="Musterweg 1",
        sender_city="00000 Musterstadt",
        sender_email="amt@example.org",
        sender_privacy_url="https://www.example.org/datenschutz",
    )


def fill(database: Database) -> Sample:
    """Two lists; `active@` on the public one through an issue, `pending@` asked to confirm; one barred."""
    now = datetime.now(UTC)
    with database.write() as session:
        session.add_all(
            [
                Municipality(ags="05999001", name="Köthen am Muster", kind="Stadt"),
                Municipality(ags="05999002", name="Musterstadt", kind="Stadt"),
                Municipality(ags="05999003", name="Zwillingen", kind="Stadt"),
                Municipality(ags="05999", name="Zwillingen", kind="Kreis"),
            ]
        )
        session.flush()
        session.add_all(
            [
                MailingList(key="netzwerk", title="Neues & Nützliches", municipality=None, created_at=now),
                MailingList(key="verein", title="Vereinsbrief", municipality="05999002", created_at=now),
                MailingList(key="intern", title="Intern", visibility=Visibility.INVITATION, created_at=now),
            ]
        )
        session.flush()
        active, pending, barred = (
            Subscriber(
                address=f"{name}@example.org",
                address_hash=address_hash(bytes(32), f"{name}@example.org"),
                domain="example.org",
                created_at=now,
            )
            for name in ("active", "pending", "barred")
        )
        session.add_all([active, pending, barred])
        session.flush()
        session.add_all(
            [
                _subscription(active, SubscriptionState.ACTIVE, now),
                _subscription(pending, SubscriptionState.PENDING, now),
                Suppression(
                    address_hash=barred.address_hash, reason=SuppressionReason.HARD, at=now, actor="clock"
                ),
            ]
        )
        issue = Issue(
            newsletter="infomail", slot=now, send_at=now, list_key="netzwerk", state=IssueState.SENT,
            number=1, year=2026, title="Infomail", zone="Europe/Berlin", template="infomail",
            subject="Nr. 1", created_at=now, key_id=1,
        )  # fmt: skip
        asked = Asked(
            kind=RequestKind.CONFIRM, list_key="netzwerk", address="pending@example.org",
            details={"wording": "Ich willige ein.", "wording_version": "v1", "source": "https://form"},
            actor="form", created_at=now - timedelta(hours=1), state=RequestState.WRITTEN,
        )  # fmt: skip
        session.add_all([issue, asked])
        session.flush()
        event = Entry(
            issue_id=issue.id, section="Termine", section_position=0, position=0, title="Treffen",
            starts=datetime(2026, 3, 5, 9, tzinfo=UTC), places=[], url="https://www.example.org/treffen",
        )  # fmt: skip
        session.add(event)
        session.flush()
        edition = Edition(
            issue_id=issue.id, digest=DIGEST, setting={"entries": [[1, event.id]]}, language="de", subject="Nr. 1", text="Text", message=b"",
            html="<!doctype html><title>Nr. 1</title><p style='color:#333'>Ausgabe im Archiv", created_at=now,
        )  # fmt: skip
        notice = Notice(
            kind="confirm", list_key="netzwerk", request_id=asked.id, subscriber_id=pending.id,
            key_id=1, subject="Bitte bestätigen", message=b"", created_at=now,
        )  # fmt: skip
        fresh = Notice(
            kind="preferences", list_key="netzwerk", subscriber_id=active.id, key_id=1, subject="Ihr Link",
            message=b"", created_at=now,
        )  # fmt: skip
        archived = ArchivedMail(
            issue_id=issue.id, language="de", subject="Nr. 1", text="Text", created_at=now,
            html="<!doctype html><title>Nr. 1</title><p style='color:#333'>Ausgabe für alle",
        )  # fmt: skip
        session.add_all([edition, archived, notice, fresh])
        session.flush()
        session.add_all(
            [
                _delivery(active, issue_id=issue.id, edition_id=edition.id),
                _delivery(pending, notice_id=notice.id),
            ]
        )
        return Sample(issue.handle, notice.handle, active.handle, pending.handle, fresh.handle)


def _subscription(subscriber: Subscriber, state: SubscriptionState, now: datetime) -> Subscription:
    return Subscription(
        list_key="netzwerk", subscriber_id=subscriber.id, state=state, basis=Basis.CONSENT, since=now
    )


def _delivery(subscriber: Subscriber, **of: int) -> Delivery:
    return Delivery(
        list_key="netzwerk", subscriber_id=subscriber.id, subscriber_handle=subscriber.handle,
        address=subscriber.address, domain="example.org", priority=Priority.BULK,
        state=DeliveryState.SENT, **of,
    )  # fmt: skip


def mailed_links(keys: Keys, sample: Sample) -> dict[str, str]:
    """The mailed links of the sample by their first word."""
    leaving = sign(keys, Purpose.UNSUBSCRIBE, sample.issue, sample.active)
    confirming = sign(keys, Purpose.CONFIRM, sample.notice, sample.pending)
    undoing = sign(keys, Purpose.UNDO, sample.issue, sample.active)
    fresh = sign(keys, Purpose.PREFERENCES, sample.fresh, sample.active)
    archived = sign(keys, Purpose.ARCHIVE, sample.issue, int(DIGEST[:16], 16))
    return {
        "abmelden": f"/abmelden/{leaving}",
        "bestaetigen": f"/bestaetigen/{confirming}",
        "rueckgaengig": f"/rueckgaengig/{undoing}",
        "ausgabe": f"/ausgabe/{archived}",
        "einstellungen": f"/einstellungen/{fresh}",
        "daten": f"/einstellungen/{fresh}/daten",
        "e": f"/e/{sample.issue:016x}/1",
    }


def dump(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table, to compare before and after."""
    with database.engine.connect() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in Base.metadata.sorted_tables
        }


def subscriber_of(session: Session, name: str) -> Subscriber:
    """The subscriber `name`@example.org."""
    return session.scalars(select(Subscriber).where(Subscriber.address == f"{name}@example.org")).one()
