"""Issue and Entry."""

import enum
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from mailer.feeds.model import Item
from subscribers.base import Base, Handle, RowId, Strings, Utc, new_handle, one_of
from subscribers.model import MailingList


class IssueState(enum.StrEnum):
    DRAFT = "draft"
    REVIEW = "review"
    APPROVED = "approved"
    SENDING = "sending"
    SENT = "sent"
    PAUSED = "paused"
    CANCELLED = "cancelled"


class Issue(Base):
    """One number of a newsletter.

    `slot` is the nominal due time before holiday shifts and never moves: with the
    newsletter it is the key that stops a second clock. `send_at` is when it goes out.
    """

    __tablename__ = "issues"
    __table_args__ = (UniqueConstraint("newsletter", "slot"), Index(None, "state"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    handle: Mapped[int] = mapped_column(Handle, unique=True, default=new_handle)
    newsletter: Mapped[str] = mapped_column(Text)
    slot: Mapped[datetime] = mapped_column(Utc)
    send_at: Mapped[datetime] = mapped_column(Utc)
    #: outside the plan (Sonderausgabe): its slot is when it was composed, and no clock starts it
    special: Mapped[bool] = mapped_column(default=False)
    list_key: Mapped[str] = mapped_column(ForeignKey(MailingList.key))
    state: Mapped[IssueState] = mapped_column(one_of(IssueState), default=IssueState.DRAFT)
    #: counted within the newsletter and the year of its slot
    number: Mapped[int]
    year: Mapped[int]
    #: the newsletter's title, its IANA zone and its folder below templates/mail at composing time
    title: Mapped[str] = mapped_column(Text)
    zone: Mapped[str] = mapped_column(Text)
    template: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    preheader: Mapped[str] = mapped_column(Text, default="")
    #: clean HTML paragraphs above the contents
    editorial: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(Utc)
    #: digest of the content that was approved; any later edit makes it differ
    approved_digest: Mapped[str] = mapped_column(Text, default="")
    approved_by: Mapped[str] = mapped_column(Text, default="")
    approved_at: Mapped[datetime | None] = mapped_column(Utc)
    #: which secret key signs this issue's tokens, fixed at freeze so that Message-IDs are stable
    key_id: Mapped[int | None]
    frozen_at: Mapped[datetime | None] = mapped_column(Utc)
    sent_at: Mapped[datetime | None] = mapped_column(Utc)


class EntryState(enum.StrEnum):
    PLACED = "placed"
    REJECTED = "rejected"


class Entry(Base):
    """One chosen item (or hand-written text) in a section of an issue, as it was when chosen."""

    __tablename__ = "entries"
    __table_args__ = (UniqueConstraint("issue_id", "item_id"), Index(None, "item_id"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    issue_id: Mapped[int] = mapped_column(ForeignKey(Issue.id, ondelete="CASCADE"), index=True)
    #: None for a hand-written text
    item_id: Mapped[int | None] = mapped_column(ForeignKey(Item.id, ondelete="SET NULL"))
    feed_key: Mapped[str] = mapped_column(Text, default="")
    #: the feed's title, shown as the source
    source: Mapped[str] = mapped_column(Text, default="")
    state: Mapped[EntryState] = mapped_column(one_of(EntryState), default=EntryState.PLACED)
    section: Mapped[str] = mapped_column(Text)
    #: place of the section in the issue, and of the entry in the section, from 0
    section_position: Mapped[int]
    position: Mapped[int]
    title: Mapped[str] = mapped_column(Text)
    url: Mapped[str] = mapped_column(Text, default="")
    summary: Mapped[str] = mapped_column(Text, default="")
    published: Mapped[datetime | None] = mapped_column(Utc)
    starts: Mapped[datetime | None] = mapped_column(Utc)
    ends: Mapped[datetime | None] = mapped_column(Utc)
    location: Mapped[str] = mapped_column(Text, default="")
    places: Mapped[list[str]] = mapped_column(Strings, default=list)
    #: when its item was fetched, and the item's digest at that time
    fetched_at: Mapped[datetime | None] = mapped_column(Utc)
    item_digest: Mapped[str] = mapped_column(Text, default="")


def entries_of(session: Session, issue: Issue) -> list[Entry]:
    """The entries of an issue in the order a reader meets them."""
    return list(
        session.scalars(
            select(Entry)
            .where(Entry.issue_id == issue.id, Entry.state == EntryState.PLACED)
            .order_by(Entry.section_position, Entry.position, Entry.id)
        )
    )


def issues_of(session: Session, states: Sequence[IssueState]) -> list[Issue]:
    """The issues in any of these states, oldest first."""
    return list(session.scalars(select(Issue).where(Issue.state.in_(states)).order_by(Issue.id)))


def last_slot(session: Session, newsletter: str) -> datetime | None:
    """The latest slot of the plan that has an issue; special issues do not count."""
    return session.scalar(
        select(func.max(Issue.slot)).where(Issue.newsletter == newsletter, Issue.special.is_(False))
    )
