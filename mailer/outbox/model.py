"""Delivery, Attempt and Figure: what is to be sent, each try, and the sums; and what holds sending back."""

import enum
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Float,
    ForeignKey,
    Index,
    Text,
    UniqueConstraint,
    or_,
    select,
    text,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from mailer.issues.model import Issue
from mailer.notices.model import Notice
from mailer.render.model import Edition
from subscribers.base import Base, Handle, RowId, Utc, one_of
from subscribers.model import MailingList, Subscriber


class DeliveryState(enum.StrEnum):
    """The first four are open: the issue is sent when none of its deliveries is in them."""

    PENDING = "pending"
    SENDING = "sending"
    DEFERRED = "deferred"
    HELD = "held"
    SENT = "sent"
    FAILED = "failed"
    SKIPPED = "skipped"


OPEN = (DeliveryState.PENDING, DeliveryState.SENDING, DeliveryState.DEFERRED, DeliveryState.HELD)


class Returned(enum.StrEnum):
    """What came back after the next server had taken responsibility."""

    NONE = "none"
    DELAYED = "delayed"
    BOUNCED = "bounced"
    COMPLAINED = "complained"


class Priority(enum.IntEnum):
    """Notices overtake bulk."""

    NOTICE = 0
    BULK = 1


class Delivery(Base):
    """One mail to one person: exactly one of an issue and a notice."""

    __tablename__ = "deliveries"
    __table_args__ = (
        # the person by handle, so that the key holds after an erasure
        UniqueConstraint("issue_id", "subscriber_handle"),
        UniqueConstraint("notice_id"),
        CheckConstraint("(issue_id IS NULL) <> (notice_id IS NULL)", name="issue_or_notice"),
        CheckConstraint("(issue_id IS NULL) = (edition_id IS NULL)", name="edition_of_issue"),
        # the claim: what is open, notices first, an issue's in order; nothing of the millions that are done
        Index(
            "ix_deliveries_claim",
            "state",
            "priority",
            "issue_id",
            "id",
            # a query has to say the same to be helped by it: SQLite draws no conclusions
            sqlite_where=text("settled_at IS NULL"),
            postgresql_where=text("settled_at IS NULL"),
        ),
        # and what waits for its next try; only what is deferred has such a time
        Index(
            "ix_deliveries_due",
            "priority",
            "due_at",
            "issue_id",
            sqlite_where=text("due_at IS NOT NULL"),
            postgresql_where=text("due_at IS NOT NULL"),
        ),
        Index(None, "subscriber_id"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    issue_id: Mapped[int | None] = mapped_column(ForeignKey(Issue.id))
    notice_id: Mapped[int | None] = mapped_column(ForeignKey(Notice.id))
    list_key: Mapped[str] = mapped_column(ForeignKey(MailingList.key))
    edition_id: Mapped[int | None] = mapped_column(ForeignKey(Edition.id))
    #: None once the person is erased
    subscriber_id: Mapped[int | None] = mapped_column(ForeignKey(Subscriber.id, ondelete="SET NULL"))
    #: of the person, kept when the row is gone: tokens in returned mail name it
    subscriber_handle: Mapped[int] = mapped_column(Handle)
    #: copied at freeze, blanked on erasure
    address: Mapped[str] = mapped_column(Text)
    domain: Mapped[str] = mapped_column(Text)
    #: AGS the figures count it under, or ""
    municipality: Mapped[str] = mapped_column(Text, default="")
    priority: Mapped[int]
    state: Mapped[DeliveryState] = mapped_column(one_of(DeliveryState), default=DeliveryState.PENDING)
    #: why it failed or was skipped
    reason: Mapped[str] = mapped_column(Text, default="")
    returned: Mapped[Returned] = mapped_column(one_of(Returned), default=Returned.NONE)
    #: tries so far; together with `worker` the fence that keeps a late worker from settling it
    attempts: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str] = mapped_column(Text, default="")
    lease_until: Mapped[datetime | None] = mapped_column(Utc)
    #: when a deferred one is tried again
    due_at: Mapped[datetime | None] = mapped_column(Utc)
    relay: Mapped[str] = mapped_column(Text, default="")
    last_reply: Mapped[str] = mapped_column(Text, default="")
    settled_at: Mapped[datetime | None] = mapped_column(Utc)


class Attempt(Base):
    """One try at a delivery and the answer to it; append-only."""

    __tablename__ = "attempts"
    __table_args__ = (Index(None, "delivery_id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    delivery_id: Mapped[int] = mapped_column(ForeignKey(Delivery.id, ondelete="CASCADE"))
    number: Mapped[int]
    at: Mapped[datetime] = mapped_column(Utc)
    relay: Mapped[str] = mapped_column(Text)
    #: sent, deferred, failed, unsure
    outcome: Mapped[str] = mapped_column(Text)
    #: SMTP reply code, 0 when no reply came
    code: Mapped[int]
    reply: Mapped[str] = mapped_column(Text)


class Figure(Base):
    """How many deliveries of one kind were frozen, or ended in a state, or came back.

    Kept in the transactions that end deliveries, each worker on rows of its own so that
    none waits for another. Sum over `worker` (and what else is of no interest) to read.
    """

    __tablename__ = "figures"
    __table_args__ = (
        UniqueConstraint(
            "issue_id", "list_key", "municipality", "domain", "relay", "worker", "state", "reason",
            name="uq_figures_key",
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    issue_id: Mapped[int] = mapped_column(ForeignKey(Issue.id, ondelete="CASCADE"))
    list_key: Mapped[str] = mapped_column(Text)
    municipality: Mapped[str] = mapped_column(Text)
    domain: Mapped[str] = mapped_column(Text)
    relay: Mapped[str] = mapped_column(Text)
    worker: Mapped[str] = mapped_column(Text)
    #: "frozen", a DeliveryState that is an end, or "returned:" and a Returned
    state: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    n: Mapped[int]


class Tally(Base):
    """How many mails went in one piece of time to a relay or a domain, or of an issue.


    Counted in the transactions that claim and settle (see mailer.outbox.quota). Only the last pieces of
    each span are kept.
    """

    __tablename__ = "tallies"

    #: "relay:HOST:PORT", "domain:NAME" or "issue:ID"
    subject: Mapped[str] = mapped_column(Text, primary_key=True)
    #: seconds
    span: Mapped[int] = mapped_column(primary_key=True)
    slot: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    n: Mapped[int]


class RelayRate(Base):
    """A relay's row, which workers lock to take their shares one after the other, and the rate staff set."""

    __tablename__ = "relay_rates"

    relay: Mapped[str] = mapped_column(Text, primary_key=True)
    #: mails a second; None: what the settings say
    rate: Mapped[float | None] = mapped_column(Float)


class DomainTrouble(Base):
    """A domain whose servers defer one mail after the other: see mailer.outbox.domains."""

    __tablename__ = "domain_troubles"

    domain: Mapped[str] = mapped_column(Text, primary_key=True)
    deferred: Mapped[int]
    rests: Mapped[int]
    rest_until: Mapped[datetime | None] = mapped_column(Utc)
    probing: Mapped[bool]


def delivery_named(session: Session, context: int, subscriber: int) -> Delivery | None:
    """The delivery that a mailed token names by the handles of its issue or notice and its person."""
    issue = select(Issue.id).where(Issue.handle == context).scalar_subquery()
    notice = select(Notice.id).where(Notice.handle == context).scalar_subquery()
    return session.scalar(
        select(Delivery).where(
            Delivery.subscriber_handle == subscriber,
            or_(Delivery.issue_id == issue, Delivery.notice_id == notice),
        )
    )
