"""Issue, Entry, and the edits that were made."""

import enum
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Text, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from mailer.feeds.model import Item, Kind, Picture
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
    newsletter it is the key that stops a second clock. `send_at` is when it goes out. A municipal
    list that follows a newsletter with a foreword of its own has an issue `derived_from` that of
    the network; it has the same slot and names its list in `for_list`.
    """

    __tablename__ = "issues"
    __table_args__ = (UniqueConstraint("newsletter", "slot", "for_list"), Index(None, "state"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    handle: Mapped[int] = mapped_column(Handle, unique=True, default=new_handle)
    newsletter: Mapped[str] = mapped_column(Text)
    slot: Mapped[datetime] = mapped_column(Utc)
    send_at: Mapped[datetime] = mapped_column(Utc)
    #: outside the plan (Sonderausgabe): its slot is when it was composed, and no clock starts it
    special: Mapped[bool] = mapped_column(default=False)
    list_key: Mapped[str] = mapped_column(ForeignKey(MailingList.key))
    #: the municipal list that this is the own issue of; "" for the newsletter's
    for_list: Mapped[str] = mapped_column(Text, default="")
    #: the released issue whose part stands frozen in this one
    derived_from: Mapped[int | None] = mapped_column(ForeignKey("issues.id"))
    #: the sent issue that this one corrects: it goes to exactly those who got that
    corrects: Mapped[int | None] = mapped_column(ForeignKey("issues.id"))
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
    #: clean HTML, what it is about in Leichte Sprache: written by a person, never made from the rest
    easy_language: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(Utc)
    #: had too few items at its time and waits for more (too_few = postpone)
    postponed: Mapped[bool] = mapped_column(default=False)
    #: which reminders its staff have been sent
    told: Mapped[list[str]] = mapped_column(Strings, default=list)
    #: who released it alone in an emergency had to say why; "" otherwise
    emergency: Mapped[str] = mapped_column(Text, default="")
    #: what was wrong in it, shown above its page in the archive
    correction: Mapped[str] = mapped_column(Text, default="")
    corrected_at: Mapped[datetime | None] = mapped_column(Utc)
    #: digest of the content that was approved; any later edit makes it differ
    approved_digest: Mapped[str] = mapped_column(Text, default="")
    approved_by: Mapped[str] = mapped_column(Text, default="")
    approved_at: Mapped[datetime | None] = mapped_column(Utc)
    #: which secret key signs this issue's tokens, fixed at freeze so that Message-IDs are stable
    key_id: Mapped[int | None]
    frozen_at: Mapped[datetime | None] = mapped_column(Utc)
    #: sending stopped by itself, until it is resumed: how many mails failed of how many ("12/40"); else ""
    halted: Mapped[str] = mapped_column(Text, default="")
    sent_at: Mapped[datetime | None] = mapped_column(Utc)

    @property
    def has_time(self) -> bool:
        """Whether plan or person said when it goes out; a special issue has its slot until somebody does."""
        return not self.special or self.send_at != self.slot


class EntryState(enum.StrEnum):
    """What stands in the issue is PLACED; nothing else is seen by a reader."""

    PLACED = "placed"
    #: came after the draft and waits for somebody to take or reject it
    SUGGESTED = "suggested"
    #: kept for the next issue
    HELD = "held"
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
    updated: Mapped[datetime | None] = mapped_column(Utc)
    starts: Mapped[datetime | None] = mapped_column(Utc)
    ends: Mapped[datetime | None] = mapped_column(Utc)
    all_day: Mapped[bool] = mapped_column(default=False)
    deadline: Mapped[date | None]
    location: Mapped[str] = mapped_column(Text, default="")
    contact: Mapped[str] = mapped_column(Text, default="")
    kind: Mapped[Kind] = mapped_column(one_of(Kind), default=Kind.NEWS)
    #: AGS prefixes and roles of those who see it; empty means everybody
    places: Mapped[list[str]] = mapped_column(Strings, default=list)
    roles: Mapped[list[str]] = mapped_column(Strings, default=list)
    #: AGS of the municipality it comes from, if of one
    municipality: Mapped[str | None] = mapped_column(Text)
    #: for the officers themselves: never in the archive, an outgoing feed or a municipal list
    internal: Mapped[bool] = mapped_column(default=False)
    #: titles of other feeds that brought the same
    also: Mapped[list[str]] = mapped_column(Strings, default=list)
    picture_id: Mapped[int | None] = mapped_column(ForeignKey(Picture.id))
    #: stands before the others of its section
    pinned: Mapped[bool] = mapped_column(default=False)
    #: of a released issue that this one is derived from: nobody changes it here
    frozen: Mapped[bool] = mapped_column(default=False)
    #: when a person changed it last; from then on no fetch does
    edited_at: Mapped[datetime | None] = mapped_column(Utc)
    #: when its item was fetched, and the item's digest at that time
    fetched_at: Mapped[datetime | None] = mapped_column(Utc)
    item_digest: Mapped[str] = mapped_column(Text, default="")


class Edit(Base):
    """One change that a person made to an issue: who edits it does not release it."""

    __tablename__ = "edits"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    issue_id: Mapped[int] = mapped_column(ForeignKey(Issue.id, ondelete="CASCADE"), index=True)
    #: None where it was about the issue as a whole
    entry_id: Mapped[int | None] = mapped_column(ForeignKey(Entry.id, ondelete="SET NULL"))
    at: Mapped[datetime] = mapped_column(Utc)
    actor: Mapped[str] = mapped_column(Text)
    act: Mapped[str] = mapped_column(Text)
    #: what it changed: fields with their values before and after
    before: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    after: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


def entries_of(session: Session, issue: Issue) -> list[Entry]:
    """The entries of an issue in the order a reader meets them."""
    return entries_in(session, issue, EntryState.PLACED)


def entries_in(session: Session, issue: Issue, *states: EntryState) -> list[Entry]:
    """The entries of an issue that are in one of these states, in the order of the issue."""
    return list(
        session.scalars(
            select(Entry)
            .where(Entry.issue_id == issue.id, Entry.state.in_(states))
            .order_by(Entry.frozen, Entry.section_position, Entry.pinned.desc(), Entry.position, Entry.id)
        )
    )


def pictures_of(session: Session, issue: Issue) -> list[Picture]:
    """The pictures of an issue's entries."""
    shown = select(Entry.picture_id).where(Entry.issue_id == issue.id)
    return list(session.scalars(select(Picture).where(Picture.id.in_(shown)).order_by(Picture.id)))


def issues_of(session: Session, states: Sequence[IssueState]) -> list[Issue]:
    """The issues in any of these states, oldest first."""
    return list(session.scalars(select(Issue).where(Issue.state.in_(states)).order_by(Issue.id)))


def sent_since(session: Session, earliest: datetime) -> list[Issue]:
    """The issues that were sent to the end since then, oldest first."""
    sent = select(Issue).where(Issue.state == IssueState.SENT, Issue.sent_at >= earliest)
    return list(session.scalars(sent.order_by(Issue.id)))


def last_slot(session: Session, newsletter: str) -> datetime | None:
    """The latest slot of the plan that has an issue; special issues do not count."""
    return session.scalar(
        select(func.max(Issue.slot)).where(
            Issue.newsletter == newsletter, Issue.special.is_(False), Issue.for_list == ""
        )
    )
