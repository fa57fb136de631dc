"""ArchivedMail and ArchiveViews: what the public pages of an issue have beside its entries."""

from datetime import date, datetime

from sqlalchemy import ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column

from mailer.issues.model import Issue
from subscribers.base import Base, Utc


class ArchivedMail(Base):
    """The mail of a public issue as anybody may have it: without salutation, links to leave, and tokens.

    Rendered once, by the clock: no reader of the archive makes the pages' process render.
    """

    __tablename__ = "archived_mails"

    issue_id: Mapped[int] = mapped_column(ForeignKey(Issue.id, ondelete="CASCADE"), primary_key=True)
    language: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    html: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Utc)


class ArchiveViews(Base):
    """How often the pages of an issue were opened on one day. By whom is not known to anybody."""

    __tablename__ = "archive_views"

    issue_id: Mapped[int] = mapped_column(ForeignKey(Issue.id, ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    views: Mapped[int]
