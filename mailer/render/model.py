"""Edition, what it was rendered with, and which part of an audience gets which."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, LargeBinary, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from mailer.issues.model import Issue
from subscribers.base import Base, RowId, Utc


class Stationery(Base):
    """What editions are rendered with beside their entries: template files, letterhead, versions.

    Kept, so that an old edition can be rendered again and compared, whatever was changed since.
    """

    __tablename__ = "stationery"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    #: SHA-256 in hex of the rest
    digest: Mapped[str] = mapped_column(Text, unique=True)
    #: name of each template file -> its source
    templates: Mapped[dict[str, str]] = mapped_column(JSON)
    letterhead: Mapped[dict[str, Any]] = mapped_column(JSON)
    #: of Infomail and of the packages that render
    versions: Mapped[dict[str, str]] = mapped_column(JSON)


class Edition(Base):
    """The rendering of an issue for one audience; equal ones are rendered once.

    `message` is the whole encoded mail with numbered slots where recipients differ
    (mailer.render.message), so nothing is rendered or encoded again per recipient.
    """

    __tablename__ = "editions"
    __table_args__ = (UniqueConstraint("issue_id", "digest"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    issue_id: Mapped[int] = mapped_column(ForeignKey(Issue.id, ondelete="CASCADE"))
    #: SHA-256 in hex of all that decides the rendering: language, template, entries, municipal block
    digest: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    #: for the archive: the page without anybody's salutation or links
    html: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    message: Mapped[bytes] = mapped_column(LargeBinary)
    #: None for editions that are older than this record
    stationery_id: Mapped[int | None] = mapped_column(ForeignKey(Stationery.id))
    #: what of the list, the place and the sending decided it, as JSON
    setting: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    created_at: Mapped[datetime] = mapped_column(Utc)


class EditionAudience(Base):
    """Which edition the people of one audience key get; the freeze joins it.

    The key is that of subscribers.audience: `places` and `roles` are sorted and joined by
    commas, "" for none; `import_id` is 0 for who need not be told where her data comes from.
    """

    __tablename__ = "edition_audience"

    issue_id: Mapped[int] = mapped_column(ForeignKey(Issue.id, ondelete="CASCADE"), primary_key=True)
    list_key: Mapped[str] = mapped_column(Text, primary_key=True)
    language: Mapped[str] = mapped_column(Text, primary_key=True)
    places: Mapped[str] = mapped_column(Text, primary_key=True)
    roles: Mapped[str] = mapped_column(Text, primary_key=True)
    import_id: Mapped[int] = mapped_column(primary_key=True)
    edition_id: Mapped[int] = mapped_column(ForeignKey(Edition.id, ondelete="CASCADE"))
