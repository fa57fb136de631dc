"""What municipalities send in by the form: kept until its address is confirmed, then an item as any."""

import html
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from mailer.feeds.model import (
    Contribution,
    ContributionState,
    Feed,
    FeedOrigin,
    Item,
    ItemState,
    Kind,
    Picture,
)
from mailer.feeds.pictures import Made
from mailer.feeds.store import digest_of
from mailer.render.sanitize import clean_html
from subscribers.subscribing import TooMany

#: the feed that they are items of; nobody fetches it
FEED = "beitraege"
CONFIRM_WITHIN = timedelta(days=7)
#: so many of one address a day get a mail that asks for confirmation
MOST_A_DAY = 5
#: of all addresses, at a time
MOST_WAITING = 2000


@dataclass(frozen=True, slots=True)
class Sent:
    """What the form said, without faults; `municipality` is an AGS. Without `pass_on` it is internal."""

    kind: Kind
    municipality: str
    title: str
    text: str
    url: str
    starts: datetime | None
    ends: datetime | None
    all_day: bool
    deadline: date | None
    location: str
    contact: str
    pass_on: bool


@dataclass(frozen=True, slots=True)
class Illustration:
    """A picture with what it shows and whose it is."""

    made: Made
    alt: str
    credit: str


def keep(
    session: Session,
    sent: Sent,
    illustration: Illustration | None,
    *,
    address: str,
    language: str,
    now: datetime,
) -> Contribution:
    """Keep a contribution until its address (normalised) is confirmed."""
    contribution = Contribution(**asdict(sent), address=address, language=language, created_at=now)
    if illustration is not None:
        made = illustration.made
        picture = Picture(
            media_type=made.media_type, width=made.width, height=made.height, data=made.data,
            alt=illustration.alt, credit=illustration.credit, created_at=now,
        )  # fmt: skip
        session.add(picture)
        session.flush()
        contribution.picture_id = picture.id
    session.add(contribution)
    session.flush()
    return contribution


def refuse_flood(session: Session) -> None:
    """Raises TooMany where so many wait for their confirmation that somebody means to fill the disk."""
    waiting = select(func.count()).where(Contribution.state == ContributionState.UNCONFIRMED)
    if (session.scalar(waiting) or 0) >= MOST_WAITING:
        raise TooMany


def is_one_too_many(session: Session, contribution: Contribution) -> bool:
    """Whether its address had MOST_A_DAY others in the day before it."""
    others = select(func.count()).where(
        Contribution.address == contribution.address,
        Contribution.created_at > contribution.created_at - timedelta(days=1),
        Contribution.id < contribution.id,
    )
    return (session.scalar(others) or 0) >= MOST_A_DAY


def receive(session: Session, contribution: Contribution, *, now: datetime) -> Item:
    """Its address is confirmed: make it an item of its municipality, for everybody, in the pool."""
    if session.get(Feed, FEED) is None:
        session.add(Feed(key=FEED, origin=FeedOrigin.FORM, url="", every=0, active=False))
        session.flush()
    summary = clean_html(
        "".join(f"<p>{html.escape(part)}</p>" for part in contribution.text.split("\n\n") if part.strip())
    )
    item = Item(
        feed_key=FEED,
        identity=f"{contribution.handle:016x}",
        kind=contribution.kind,
        title=contribution.title,
        url=contribution.url,
        summary=summary,
        published=now,
        starts=contribution.starts,
        ends=contribution.ends,
        all_day=contribution.all_day,
        deadline=contribution.deadline,
        location=contribution.location,
        contact=contribution.contact,
        municipality=contribution.municipality,
        internal=not contribution.pass_on,
        picture_id=contribution.picture_id,
        first_seen_at=now,
        fetched_at=now,
        digest=digest_of(
            contribution.title, summary, contribution.starts, contribution.ends, contribution.location
        ),
    )
    session.add(item)
    session.flush()
    contribution.item_id, contribution.confirmed_at = item.id, now
    contribution.state = ContributionState.RECEIVED
    return item


def shown(session: Session, handle: int) -> Picture | None:
    """The picture of this handle, if anybody may see it: its item is in the pool and not internal."""
    return session.scalar(
        select(Picture)
        .join(Item, Item.picture_id == Picture.id)
        .where(Picture.handle == handle, Item.internal.is_(False), Item.state == ItemState.FREE)
        .limit(1)
    )


def drop(session: Session, ids: Sequence[int]) -> int:
    """Delete those of these contributions that nobody confirmed, with their pictures; how many it was."""
    rows = session.execute(
        delete(Contribution)
        .where(Contribution.id.in_(ids), Contribution.state == ContributionState.UNCONFIRMED)
        .returning(Contribution.picture_id)
    ).all()
    pictures = [row.picture_id for row in rows if row.picture_id is not None]
    session.execute(delete(Picture).where(Picture.id.in_(pictures)))
    return len(rows)
