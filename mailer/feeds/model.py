"""Feed and Item."""

import enum
from datetime import datetime

from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from subscribers.base import Base, RowId, Strings, Utc, one_of


class FeedState(enum.StrEnum):
    NEW = "new"
    OK = "ok"
    BROKEN = "broken"


class Feed(Base):
    """A source of items. Those of the schedule are upserted by key and gone from use when it drops them."""

    __tablename__ = "feeds"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    url: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text, default="")
    #: seconds between two fetches
    every: Mapped[int]
    #: AGS of the municipality its items come from, if of one
    municipality: Mapped[str | None] = mapped_column(Text)
    internal: Mapped[bool] = mapped_column(default=False)
    #: whether its host may have a private address
    allow_private: Mapped[bool] = mapped_column(default=False)
    active: Mapped[bool] = mapped_column(default=True)
    state: Mapped[FeedState] = mapped_column(one_of(FeedState), default=FeedState.NEW)
    #: what was wrong at the last fetch, one line
    problem: Mapped[str] = mapped_column(Text, default="")
    #: broken fetches in a row
    failures: Mapped[int] = mapped_column(default=0)
    etag: Mapped[str] = mapped_column(Text, default="")
    last_modified: Mapped[str] = mapped_column(Text, default="")
    fetched_at: Mapped[datetime | None] = mapped_column(Utc)
    next_at: Mapped[datetime | None] = mapped_column(Utc)


class Item(Base):
    """One entry of a feed, stored once per identity; a later fetch may change its content."""

    __tablename__ = "items"
    __table_args__ = (UniqueConstraint("feed_key", "identity"), Index(None, "first_seen_at"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    feed_key: Mapped[str] = mapped_column(ForeignKey(Feed.key, ondelete="CASCADE"))
    identity: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    url: Mapped[str] = mapped_column(Text, default="")
    #: clean HTML (mailer.render.sanitize), never what the feed said
    summary: Mapped[str] = mapped_column(Text, default="")
    published: Mapped[datetime | None] = mapped_column(Utc)
    updated: Mapped[datetime | None] = mapped_column(Utc)
    starts: Mapped[datetime | None] = mapped_column(Utc)
    ends: Mapped[datetime | None] = mapped_column(Utc)
    location: Mapped[str] = mapped_column(Text, default="")
    categories: Mapped[list[str]] = mapped_column(Strings, default=list)
    #: AGS prefixes it is about; empty means everywhere
    places: Mapped[list[str]] = mapped_column(Strings, default=list)
    #: whether it stood in the feed at its first fetch: old news at the time it became known
    baseline: Mapped[bool] = mapped_column(default=False)
    first_seen_at: Mapped[datetime] = mapped_column(Utc)
    fetched_at: Mapped[datetime] = mapped_column(Utc)
    #: SHA-256 of what a reader sees, in hex
    digest: Mapped[str] = mapped_column(Text)
