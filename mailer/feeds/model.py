"""Feed, Item, and what municipalities send in: Contribution and Picture."""

import enum
from datetime import date, datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from subscribers.base import Base, Handle, RowId, Strings, Utc, new_handle, one_of
from subscribers.model import Municipality


class FeedState(enum.StrEnum):
    NEW = "new"
    OK = "ok"
    BROKEN = "broken"


class FeedOrigin(enum.StrEnum):
    """Who named the source: the schedule, staff, or nobody: what is sent in by the form is no address."""

    PLAN = "plan"
    STAFF = "staff"
    FORM = "form"


class Feed(Base):
    """A source of items. Those of the schedule are upserted by key and gone from use when it drops them."""

    __tablename__ = "feeds"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    origin: Mapped[FeedOrigin] = mapped_column(one_of(FeedOrigin), default=FeedOrigin.PLAN)
    #: "" where there is nothing to fetch
    url: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text, default="")
    #: seconds between two fetches
    every: Mapped[int]
    #: AGS of the municipality its items come from, if of one
    municipality: Mapped[str | None] = mapped_column(Text)
    #: AGS prefixes its items are for; empty means everybody
    places: Mapped[list[str]] = mapped_column(Strings, default=list)
    #: what it says is for the officers themselves and not passed on
    internal: Mapped[bool] = mapped_column(default=False)
    #: whether its host may have a private address
    allow_private: Mapped[bool] = mapped_column(default=False)
    active: Mapped[bool] = mapped_column(default=True)
    state: Mapped[FeedState] = mapped_column(one_of(FeedState), default=FeedState.NEW)
    #: what was wrong at the last fetch, one line
    problem: Mapped[str] = mapped_column(Text, default="")
    #: broken fetches in a row, and since when
    failures: Mapped[int] = mapped_column(default=0)
    broken_since: Mapped[datetime | None] = mapped_column(Utc)
    etag: Mapped[str] = mapped_column(Text, default="")
    last_modified: Mapped[str] = mapped_column(Text, default="")
    fetched_at: Mapped[datetime | None] = mapped_column(Utc)
    next_at: Mapped[datetime | None] = mapped_column(Utc)


class Kind(enum.StrEnum):
    """What a municipality sends in; NEWS is what any feed brings."""

    NEWS = "news"
    PRACTICE = "practice"
    EVENT = "event"
    HELP_WANTED = "help-wanted"
    HELP_OFFERED = "help-offered"


class ItemState(enum.StrEnum):
    FREE = "free"
    #: an implausible flood brought it: nothing takes it before staff have looked
    HELD = "held"
    DISMISSED = "dismissed"


class Picture(Base):
    """A picture as it is shown: scaled, and without what the camera wrote into it."""

    __tablename__ = "pictures"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    handle: Mapped[int] = mapped_column(Handle, unique=True, default=new_handle)
    media_type: Mapped[str] = mapped_column(Text)
    width: Mapped[int]
    height: Mapped[int]
    data: Mapped[bytes] = mapped_column(LargeBinary)
    #: what it shows, for those who do not see it
    alt: Mapped[str] = mapped_column(Text)
    #: whose it is: name, and licence if any
    credit: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Utc)


class Item(Base):
    """One entry of a feed, stored once per identity; a later fetch may change its content."""

    __tablename__ = "items"
    __table_args__ = (UniqueConstraint("feed_key", "identity"), Index(None, "first_seen_at"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    feed_key: Mapped[str] = mapped_column(ForeignKey(Feed.key, ondelete="CASCADE"))
    identity: Mapped[str] = mapped_column(Text)
    kind: Mapped[Kind] = mapped_column(one_of(Kind), default=Kind.NEWS)
    state: Mapped[ItemState] = mapped_column(one_of(ItemState), default=ItemState.FREE)
    title: Mapped[str] = mapped_column(Text)
    url: Mapped[str] = mapped_column(Text, default="")
    #: clean HTML (mailer.render.sanitize), never what the feed said
    summary: Mapped[str] = mapped_column(Text, default="")
    published: Mapped[datetime | None] = mapped_column(Utc)
    updated: Mapped[datetime | None] = mapped_column(Utc)
    starts: Mapped[datetime | None] = mapped_column(Utc)
    ends: Mapped[datetime | None] = mapped_column(Utc)
    #: both are midnights, and nobody means a time of day
    all_day: Mapped[bool] = mapped_column(default=False)
    #: last day to hand something in (Frist)
    deadline: Mapped[date | None]
    location: Mapped[str] = mapped_column(Text, default="")
    #: whom to ask, as the sender of a contribution put it
    contact: Mapped[str] = mapped_column(Text, default="")
    categories: Mapped[list[str]] = mapped_column(Strings, default=list)
    #: AGS prefixes it is for; empty means everybody
    places: Mapped[list[str]] = mapped_column(Strings, default=list)
    #: AGS of the municipality it comes from, if of one
    municipality: Mapped[str | None] = mapped_column(Text)
    #: for the officers themselves: never in the archive, an outgoing feed or a municipal list
    internal: Mapped[bool] = mapped_column(default=False)
    picture_id: Mapped[int | None] = mapped_column(ForeignKey(Picture.id))
    #: whether it stood in the feed at its first fetch: old news at the time it became known
    baseline: Mapped[bool] = mapped_column(default=False)
    first_seen_at: Mapped[datetime] = mapped_column(Utc)
    fetched_at: Mapped[datetime] = mapped_column(Utc)
    #: SHA-256 of what a reader sees, in hex
    digest: Mapped[str] = mapped_column(Text)


class ContributionState(enum.StrEnum):
    #: the address is not confirmed yet
    UNCONFIRMED = "unconfirmed"
    #: in the pool, as an item
    RECEIVED = "received"
    USED = "used"
    REFUSED = "refused"


class Contribution(Base):
    """What somebody in a municipality sent in by the form; confirmed, it is an item of her municipality."""

    __tablename__ = "contributions"
    __table_args__ = (Index(None, "state"), Index(None, "address"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    handle: Mapped[int] = mapped_column(Handle, unique=True, default=new_handle)
    state: Mapped[ContributionState] = mapped_column(
        one_of(ContributionState), default=ContributionState.UNCONFIRMED
    )
    kind: Mapped[Kind] = mapped_column(one_of(Kind))
    municipality: Mapped[str] = mapped_column(ForeignKey(Municipality.ags))
    title: Mapped[str] = mapped_column(Text)
    #: plain text
    text: Mapped[str] = mapped_column(Text)
    url: Mapped[str] = mapped_column(Text, default="")
    starts: Mapped[datetime | None] = mapped_column(Utc)
    ends: Mapped[datetime | None] = mapped_column(Utc)
    all_day: Mapped[bool] = mapped_column(default=False)
    deadline: Mapped[date | None]
    location: Mapped[str] = mapped_column(Text, default="")
    #: whom readers may ask
    contact: Mapped[str] = mapped_column(Text, default="")
    #: municipalities may pass it on to their own lists; else it is for the officers only
    pass_on: Mapped[bool] = mapped_column(default=False)
    picture_id: Mapped[int | None] = mapped_column(ForeignKey(Picture.id))
    #: who sent it, normalised; "" once that is forgotten
    address: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(Text, default="de")
    item_id: Mapped[int | None] = mapped_column(ForeignKey(Item.id, ondelete="SET NULL"), unique=True)
    #: why it was refused, for the sender
    word: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(Utc)
    confirmed_at: Mapped[datetime | None] = mapped_column(Utc)
    decided_at: Mapped[datetime | None] = mapped_column(Utc)
